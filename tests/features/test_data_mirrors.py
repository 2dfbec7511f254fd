"""Code in the low 2 GiB that reads libc's data directly: a mirror with a note where that is safe, else an error."""

import ctypes

import pytest

import rtlinker

LOW = "static int t[3] = { 1, 2, 3 }; int pick(int i) { return t[i]; }"
"""Holds an absolute 32-bit address, so the image must be low and libc is out of reach."""


def word(name):
    return ctypes.c_void_p.in_dll(ctypes.CDLL(None), name).value


def place(name):
    return ctypes.addressof(ctypes.c_void_p.in_dll(ctypes.CDLL(None), name))


@pytest.mark.parametrize("name", ["stderr", "stdout", "stdin"])
def test_a_pointer_that_stays_is_read_through_a_mirror_with_a_note(compile, in_child, name):
    source = f"extern void *{name}; unsigned long get(void) {{ return (unsigned long){name}; }}"
    path = compile(source + LOW, flags="-fno-pic")

    def call():
        library = rtlinker.load(path)
        return library.get(), library.address("get") < 1 << 31, [note for note in library.notes if name in note]

    value, low, notes = in_child(call)
    assert (value, low) == (word(name), True)
    # a Python that is linked at a fixed low address has libc's data there itself, by copy relocation
    assert len(notes) == (0 if place(name) < 1 << 31 else 1)


@pytest.mark.parametrize("name", ["optind", "environ"])
def test_data_that_changes_is_a_clear_error(compile, in_child, name):
    path = compile(f"extern long {name}; long get(void) {{ return {name}; }}" + LOW, flags="-fno-pic")

    def facts():
        with pytest.raises(rtlinker.RelocationError, match="out of reach") as caught:
            rtlinker.load(path)
        return caught.value.target, caught.value.site, caught.value.hint

    target, site, hint = in_child(facts)
    assert name in target
    assert site.startswith(f"{path}:(.text+0x")
    assert site.endswith("in get")
    assert "-fPIC" in hint


@pytest.mark.parametrize("flags", ["-fPIC", "-fno-pic"])
def test_the_same_data_is_read_in_place_where_it_is_in_reach(compile, in_child, flags):
    path = compile("extern int optind; int get(void) { return optind; }", flags=flags)

    def call():
        library = rtlinker.load(path)
        ctypes.c_int.in_dll(ctypes.CDLL(None), "optind").value = 31
        return library.get(), library.notes

    assert in_child(call) == (31, ())


@pytest.mark.parametrize(("size", "mirrored"), [(1 << 16, True), ((1 << 16) + 1, False)])
def test_large_data_is_not_mirrored(compile, shared, in_child, size, mirrored):
    shared(f"const char table[{size}] = {{1, 2}};", "libtable.so")
    path = compile(f"extern const char table[{size}]; int get(int i) {{ return table[i]; }} {LOW}", flags="-fno-pic")

    def call():
        return rtlinker.load(path, libraries=["table"], directories=[str(path.parent)]).get(1)

    if mirrored:
        assert in_child(call) == 2
    else:
        with pytest.raises(rtlinker.RelocationError, match="out of reach"):
            in_child(call)


def test_a_namesake_of_a_steady_pointer_is_not_steady(compile, shared, in_child):
    shared("void *stdin = 0; void set(void *value) { stdin = value; }", "libnamesake.so")
    path = compile(f"extern void *stdin; void *get(void) {{ return stdin; }} {LOW}", flags="-fno-pic")
    with pytest.raises(rtlinker.RelocationError) as caught:
        in_child(lambda: rtlinker.load(path, libraries=["namesake"], directories=[str(path.parent)]))
    assert "libnamesake.so, data that can change" in caught.value.target
