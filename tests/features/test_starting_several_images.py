"""Images whose constructors wait are started in order, each once; when one fails, those that rest on it go with it."""

from ctypes import CFUNCTYPE, c_int

import pytest

import rtlinker
from tests.support.child import mapped

FAILS = """
extern void note(int); int value = 5; int first(void) { return value; }
__attribute__((constructor)) static void begin(void) { note(1); }
"""
USES = """
int first(void); extern void note(int); int second(void) { return first(); }
__attribute__((constructor)) static void begin(void) { note(second()); }
"""
APART = """
extern void note(int); int apart(void) { return 3; }
__attribute__((constructor)) static void begin(void) { note(3); }
"""


def linker_of(paths, note):
    linker = rtlinker.Linker()
    linker.define("note", note, "void(int)")
    for path in paths:
        linker.load_object(path)
        linker.resolve(start=False)
    return linker


def test_images_that_use_one_whose_constructor_fails_go_with_it_and_wait_again(compile, in_child):
    paths = [compile(source, flags="-fPIC") for source in (FAILS, USES, APART)]

    def call():
        seen, failing = [], [True]

        def note(number):
            seen.append(number)
            if failing.pop() if failing else False:
                raise ValueError(number)

        linker = linker_of(paths, note)
        places = [live.image.address for live in linker.images]
        with pytest.raises(ValueError, match="1"):
            linker.start()
        gone = [not mapped(place) for place in places]
        names = [linker.lookup(name) is None for name in ("first", "second", "apart")]
        linker.start()
        linker.resolve()
        return gone, names, seen, CFUNCTYPE(c_int)(linker.lookup("second"))()

    gone, names, seen, answer = in_child(call)
    assert gone == names == [True, True, False]
    assert (seen, answer) == ([1, 3, 1, 5], 5)


def test_a_failing_older_image_leaves_the_newer_ones_objects_waiting(compile, in_child):
    paths = [compile(source, flags="-fPIC") for source in (FAILS, APART)]

    def call():
        def note(number):
            if number == 1:
                raise ValueError(number)

        linker = linker_of(paths[:1], note)
        linker.load_object(paths[1])
        with pytest.raises(ValueError, match="1"):
            linker.resolve()
        left = len(linker.images)
        linker.unload(paths[0])
        linker.resolve()
        return left, linker.lookup("apart") is not None

    assert in_child(call) == (0, True)


def test_a_constructor_that_has_the_others_started_does_not_have_them_run_twice(compile, in_child):
    paths = [compile(source, flags="-fPIC") for source in (FAILS, APART)]

    def call():
        seen = []

        def note(number):
            seen.append(number)
            linkers[0].start()

        linkers = [linker_of(paths, note)]
        linkers[0].start()
        return seen

    assert in_child(call) == [1, 3]
