"""Unloading runs what has to run: atexit and __cxa_atexit, last first; then destructors, backwards."""

import rtlinker

SOURCE = """
#include <stdlib.h>
extern void note(int);
static void first(void) { note(1); }
static void second(void) { note(2); }
__attribute__((destructor(200))) static void early(void) { note(4); }
__attribute__((destructor(101))) static void late(void) { note(5); }
__attribute__((destructor)) static void plain(void) { note(3); }
void start(void) { atexit(first); atexit(second); }
"""
STATIC = """
extern "C" void note(int);
struct S { S() { note(1); } ~S() { note(2); } };
static S s;
extern "C" int f() { return 3; }
"""


def test_destructors_and_atexit_run_when_the_library_is_unloaded(compile, in_child):
    path = compile(SOURCE)

    def call():
        seen = []
        library = rtlinker.load(path, symbols={"note": (seen.append, "void(int)")})
        library.start()
        before = list(seen)
        library.unload()
        return before, seen

    assert in_child(call) == ([], [2, 1, 3, 4, 5])


def test_static_objects_of_cxx_are_constructed_and_destroyed(compile, in_child):
    path = compile(STATIC, "c++", flags="-fno-exceptions")

    def call():
        seen = []
        with rtlinker.load(path, symbols={"note": (seen.append, "void(int)")}) as library:
            library.f()
            before = list(seen)
        return before, seen

    assert in_child(call) == ([1], [1, 2])
