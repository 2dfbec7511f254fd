"""Destructors run at unload in the order in which dlclose runs those of the same objects linked by g++."""

import ctypes
import subprocess
from _ctypes import dlclose

import rtlinker

SOURCE = """
#include <cstdlib>
extern "C" void note(int);
struct Static { int number; ~Static() { note(number); } };
static Static made{1};
static void first() { note(2); }
static void second() { note(3); }
__attribute__((constructor)) static void start() { std::atexit(first); std::atexit(second); }
__attribute__((destructor)) static void plain() { note(4); }
__attribute__((destructor)) static void also() { note(5); }
__attribute__((destructor(101))) static void early() { note(6); }
__attribute__((destructor(200))) static void later() { note(7); }
extern "C" int touch() { return made.number; }
"""
OTHER = """
extern "C" void note(int);
struct Static { int number; ~Static() { note(number); } };
static Static made{11};
__attribute__((destructor)) static void plain() { note(14); }
__attribute__((destructor(150))) static void middle() { note(15); }
extern "C" int other() { return made.number; }
"""


def test_the_order_is_that_of_dlclose(compile, workshop, in_child):
    paths = [compile(text, "c++", flags="-fPIC") for text in (SOURCE, OTHER)]
    notes = workshop.shared("int seen[64], count; void note(int x) { seen[count++] = x; }", "libnotes.so")
    library = workshop.directory / "libboth.so"
    subprocess.run(["g++", "-shared", *paths, notes, "-o", library], check=True)

    def call():
        noted = ctypes.CDLL(str(notes), ctypes.RTLD_GLOBAL)
        seen, count = (ctypes.c_int * 64).in_dll(noted, "seen"), ctypes.c_int.in_dll(noted, "count")

        def taken():
            found = list(seen[: count.value])
            count.value = 0
            return found

        opened = ctypes.CDLL(str(library))
        opened.touch()
        dlclose(opened._handle)
        theirs = taken()
        loaded = rtlinker.load(*paths)
        loaded.touch()
        loaded.unload()
        return theirs, taken()

    theirs, ours = in_child(call)
    assert sorted(theirs) == [1, 2, 3, 4, 5, 6, 7, 11, 14, 15]
    assert ours == theirs
