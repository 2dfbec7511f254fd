"""Unloading runs what has to run, in the order of dlclose: destructors, atexit, destructors with priorities."""

import subprocess
import sys

import pytest

import rtlinker
from tests.support.compile import run

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

    assert in_child(call) == ([], [3, 2, 1, 4, 5])


def test_static_objects_of_cxx_are_constructed_and_destroyed(compile, in_child):
    path = compile(STATIC, "c++", flags="-fno-exceptions")

    def call():
        seen = []
        with rtlinker.load(path, symbols={"note": (seen.append, "void(int)")}) as library:
            library.f()
            before = list(seen)
        return before, seen

    assert in_child(call) == ([1], [1, 2])


ORDER = """
#include <stdio.h>
#include <stdlib.h>
#define SAY(name, text) static void name(void) { puts(text); }
SAY(one, "atexit 1") SAY(two, "atexit 2") SAY(plain, "fini_array") SAY(late, "fini_array 101") SAY(old, "dtors")
__attribute__((section(".fini_array"))) static void (*p)(void) = plain;
__attribute__((section(".fini_array.00101"))) static void (*l)(void) = late;
__attribute__((section(".dtors.60000"), used)) static void (*o)(void) = old;
__attribute__((destructor)) static void attribute(void) { puts("destructor"); }
void final(void) { puts("fini"); }
asm(".section .fini,\\"ax\\"\\n call final\\n .text");
__attribute__((constructor)) static void start(void) { atexit(one); atexit(two); }
"""
WANTED = "destructor\nfini_array\natexit 2\natexit 1\ndtors\nfini_array 101\nfini\n"


@pytest.mark.parametrize("then", ["", "; library.unload()", "; library.unload(); library.unload()"])
def test_destructors_run_once_and_in_order_at_unload_and_at_exit(compile, then):
    path = compile(ORDER, flags="-fno-toplevel-reorder")
    text = f"import rtlinker; library = rtlinker.load({str(path)!r}){then}"
    ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, WANTED), ran.stderr


def test_a_crtbegin_of_the_link_runs_what_was_registered_with_its_own_handle(compile, in_child):
    begin, end = (run("gcc", f"-print-file-name={name}").strip() for name in ("crtbeginS.o", "crtendS.o"))
    path = compile(STATIC, "c++", flags="-fno-exceptions")

    def call():
        seen = []
        with rtlinker.load(begin, path, end, symbols={"note": (seen.append, "void(int)")}):
            before = list(seen)
        return before, seen

    assert in_child(call) == ([1], [1, 2])
