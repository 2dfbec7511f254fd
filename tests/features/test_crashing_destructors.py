"""A destructor that dies of a signal ends neither Python nor the unload: the others run, and the error comes last."""

import subprocess
import sys

import pytest

import rtlinker
from tests.support.child import mapped

SOURCE = """
#include <stdlib.h>
extern void note(int);
volatile int zero;
static void late(void) { note(3); }
static void bad(void) { note(2); %s }
__attribute__((destructor)) static void first(void) { note(1); }
__attribute__((section(".fini_array.00200"), used)) static void (*p)(void) = %s;
__attribute__((section(".fini_array.00101"), used)) static void (*l)(void) = late;
__attribute__((constructor)) static void start(void) { %s }
int plain(void) { return 7; }
"""
ENDS = {
    "SIGSEGV": "*(volatile int *)8 = 1;",
    "SIGFPE": "zero = 10 / zero;",
    "SIGABRT": "abort();",
    "SIGILL": "__builtin_trap();",
}
IN_ARRAY = "bad", ""
AT_EXIT = "first", "atexit(late); atexit(bad);"


@pytest.mark.parametrize("signal", ENDS)
def test_a_destructor_that_dies_is_a_crash_error_at_the_end_of_the_unload(compile, in_child, signal):
    path = compile(SOURCE % (ENDS[signal], *IN_ARRAY), name="bad.o")
    plain = compile("int plain(void) { return 8; }")

    def call():
        seen = []
        library = rtlinker.load(path, symbols={"note": (seen.append, "void(int)")})
        place = library.address("plain")
        with pytest.raises(rtlinker.CrashError) as caught:
            library.unload()
        with pytest.raises(rtlinker.LinkError):
            library.function("plain", "int(void)")
        library.unload()
        again = rtlinker.load(plain).plain()
        return caught.value, seen, library.pinned, library.closed, mapped(place), again

    error, seen, pinned, closed, letters, again = in_child(call)
    assert error.headline == f"a destructor died of {signal}"
    assert dict(error.facts)["destructor"] == f"bad+0x0 ({path})"
    assert (seen, pinned, closed, letters, again) == ([1, 2, 3], (error.headline,), True, "r-xp", 8)


def test_one_that_was_registered_with_atexit_keeps_no_other_from_running(compile, in_child):
    path = compile(SOURCE % (ENDS["SIGSEGV"], *AT_EXIT))

    def call():
        seen = []
        library = rtlinker.load(path, symbols={"note": (seen.append, "void(int)")})
        with pytest.raises(rtlinker.CrashError) as caught:
            library.unload()
        return seen, caught.value.headline

    assert in_child(call) == ([1, 2, 3, 1, 3], "a destructor died of SIGSEGV")


def test_other_images_of_the_linker_are_freed(compile, in_child):
    path, other = compile(SOURCE % (ENDS["SIGABRT"], *IN_ARRAY)), compile("int other(void) { return 2; }")

    def call():
        linker = rtlinker.Linker()
        linker.define("note", 0)
        linker.define("note", lambda number: None, "void(int)")
        for each in (other, path):
            linker.load_object(each)
            linker.resolve()
        places = [live.image.address for live in linker.images]
        with pytest.raises(rtlinker.CrashError):
            linker.close()
        return [bool(mapped(place)) for place in places]

    assert in_child(call) == [False, True]


def test_the_exception_of_a_with_block_wins_and_tells_of_the_crash(compile, in_child):
    path = compile(SOURCE % (ENDS["SIGSEGV"], *IN_ARRAY))

    def call():
        with pytest.raises(KeyError) as caught, rtlinker.load(path, symbols={"note": (lambda _: None, "void(int)")}):
            raise KeyError
        return caught.value.__notes__

    (note,) = in_child(call)
    assert note.startswith("unloaded: a destructor died of SIGSEGV\n")


def test_python_ends_as_usual_when_a_destructor_dies_at_its_end(compile):
    path = compile(SOURCE % (ENDS["SIGSEGV"], *IN_ARRAY))
    text = f"""if True:
        import atexit, rtlinker
        atexit.register(print, "last")
        symbols = {{"note": (lambda number: print(number, flush=True), "void(int)")}}
        library = rtlinker.load({str(path)!r}, symbols=symbols)
    """
    ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "1\n2\n3\nlast\n")
    assert "CrashError: a destructor died of SIGSEGV" in ran.stderr


def test_without_rescue_the_signal_is_left_alone(compile):
    path = compile(SOURCE % (ENDS["SIGABRT"], *IN_ARRAY))
    text = f"""if True:
        import rtlinker
        linker = rtlinker.Linker(rescue=False)
        linker.define("note", lambda number: None, "void(int)")
        linker.load_object({str(path)!r})
        linker.resolve()
        linker.close()
    """
    ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert ran.returncode == -6


def test_unloading_leaves_the_handlers_of_python_as_they_were(compile):
    path = compile(SOURCE % ("", *IN_ARRAY))
    text = f"""if True:
        import faulthandler, os, rtlinker
        faulthandler.enable()
        rtlinker.load({str(path)!r}, symbols={{"note": (lambda _: None, "void(int)")}}).unload()
        os.kill(os.getpid(), 11)
    """
    ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert ran.returncode == -11
    assert "Fatal Python error: Segmentation fault" in ran.stderr
