"""A weak symbol that nobody defines is NULL, and does not bring in an archive's member."""

import pytest

import rtlinker

SOURCE = """
__attribute__((weak)) int hook(int);
__attribute__((weak)) extern int knob;
int call(int x) { return hook ? hook(x) : -1; }
int *turn(void) { return &knob; }
"""


@pytest.mark.parametrize("flags", ["-fPIC", "-fPIE", "-fno-pic", "-mcmodel=large -fno-pic"])
def test_a_weak_undefined_symbol_is_null(compile, in_child, flags):
    path = compile(SOURCE, flags=flags)

    def call():
        library = rtlinker.load(path)
        return library.call(1), bool(library.turn())

    assert in_child(call) == (-1, False)


def test_a_weak_reference_is_bound_when_an_object_has_it(compile, in_child):
    path, hook = compile(SOURCE), compile("int hook(int x) { return x + 1; } int knob;")
    assert in_child(lambda: rtlinker.load(path, hook).call(1)) == 2


def test_a_weak_reference_pulls_no_member(compile, archive, in_child):
    path = compile(SOURCE)
    library = archive("libhook.a", compile("int hook(int x) { return x + 1; } int knob;"))
    assert in_child(lambda: rtlinker.load(path, library).call(1)) == -1


def test_a_weak_reference_is_bound_when_the_process_has_it(compile, in_child):
    path = compile("__attribute__((weak)) int getpid(void); int has(void) { return getpid && getpid() > 0; }")
    assert in_child(lambda: rtlinker.load(path).has()) == 1
