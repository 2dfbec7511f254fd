"""A constructor that dies of a signal undoes the load: CrashError says which and where, and the process goes on."""

import ctypes
import faulthandler
import os
import signal
import threading

import pytest

import rtlinker
from tests.support.child import mapped, memory_map

HEAD = """
#define _GNU_SOURCE
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
extern void note(int);
volatile int zero, *null;
int deep(int n) { volatile char room[4096]; room[0] = n; return deep(n + 1) + room[0]; }
void file(void) { char *p = mmap(0, 4096, 3, MAP_SHARED, memfd_create("f", 0), 0); p[0] = 1; }
"""
WAYS = {
    "*null = 1": signal.SIGSEGV,
    "deep(1)": signal.SIGSEGV,
    "((void (*)(void))8)()": signal.SIGSEGV,
    "file()": signal.SIGBUS,
    "zero = 10 / zero": signal.SIGFPE,
    "__builtin_trap()": signal.SIGILL,
    "abort()": signal.SIGABRT,
    "assert(zero)": signal.SIGABRT,
    'asm volatile("std; fld1; fld1\\n ud2")': signal.SIGILL,
}
CONSTRUCTOR = "__attribute__((constructor)) static void bad(void) { %s; }"


def load(path, seen):
    return rtlinker.load(path, symbols={"note": (seen.append, "void(int)")})


def _code_without_file():
    return sum(1 for mapping in memory_map() if "x" in mapping.letters and not mapping.path)


def crash(path, seen=None):
    """The error, after the load was undone."""
    with pytest.raises(rtlinker.CrashError) as caught:
        load(path, [] if seen is None else seen)
    return caught.value


@pytest.mark.parametrize("way", WAYS)
def test_a_crash_is_an_error_and_nothing_is_left(compile, in_child, way):
    path = compile(HEAD + CONSTRUCTOR % way, flags="-O0", name="bad.o")

    def call():
        handlers = [signal.getsignal(number) for number in range(1, 32)]
        crash(path)
        before = _code_without_file()
        errors = [crash(path) for _ in range(20)]
        grown = _code_without_file() - before
        gone = not mapped(errors[0].address) or "libc" in str(errors[0])
        same = handlers == [signal.getsignal(number) for number in range(1, 32)]
        return errors[0], grown, gone, same

    error, grown, gone, same = in_child(call)
    assert (error.signal, grown, same) == (WAYS[way], 0, True)
    assert error.headline == f"a constructor died of {WAYS[way].name}"
    assert dict(error.facts)["constructor"] == f"bad+0x0 ({path})"
    assert gone


def test_a_crash_in_an_init_section_names_the_function(compile, in_child):
    path = compile('.section .init,"ax"\nud2\n', "asm", name="piece.o")
    error = in_child(crash, path)
    assert dict(error.facts)["constructor"] == "_init+0x0 (of all .init sections)"
    assert dict(error.facts)["at"].endswith(f" .init+0x0 ({path})")


def test_an_uncaught_exception_of_cxx_ends_the_load(compile, in_child):
    path = compile("#include <exception>\nstruct S { S() { std::terminate(); } } s;", "c++")

    def call():
        with pytest.raises(rtlinker.CrashError) as caught:
            rtlinker.load(path, libraries=["stdc++"])
        return caught.value.signal

    assert in_child(call) == signal.SIGABRT


def test_what_was_registered_runs_even_if_it_crashes_too(compile, in_child):
    path = compile(
        HEAD
        + "static void one(void) { note(1); } static void two(void) { note(2); *null = 0; }\n"
        + "static void three(void) { note(3); }\n"
        + "__attribute__((constructor(101))) static void good(void) { atexit(one); atexit(two); atexit(three); }\n"
        + "__attribute__((destructor)) static void never(void) { note(9); }\n"
        + CONSTRUCTOR % "*null = 1"
    )

    def call():
        seen = []
        crash(path, seen)
        return seen

    assert in_child(call) == [3, 2, 1]


def test_floating_point_and_signal_mask_are_as_before(compile, in_child):
    path = compile(
        HEAD
        + CONSTRUCTOR
        % "sigset_t all; sigfillset(&all); sigdelset(&all, 4); sigprocmask(0, &all, 0); int m = 0x7f80; asm volatile("
        '"ldmxcsr %0; ud2" :: "m"(m))'
    )

    def call():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        crash(path)
        return before == signal.pthread_sigmask(signal.SIG_BLOCK, []), 2.0 / 3.0

    assert in_child(call) == (True, 2.0 / 3.0)


def test_other_handlers_and_threads_keep_theirs(compile, in_child):
    path = compile(HEAD + CONSTRUCTOR % "*null = 1")

    def call():
        faulthandler.enable()
        errors = []
        thread = threading.Thread(target=lambda: errors.append(crash(path).signal))
        thread.start()
        thread.join()
        errors.append(crash(path).signal)
        return errors

    assert in_child(call) == [11, 11]


def test_a_crash_of_another_thread_is_not_the_constructors(compile):
    body = "pthread_t t; pthread_create(&t, 0, (void *(*)(void *))file, 0); pthread_join(t, 0)"
    assert _dies_of(compile(HEAD + CONSTRUCTOR % body), faulthandler.disable) == signal.SIGBUS
    assert _dies_of(compile(HEAD + CONSTRUCTOR % body), faulthandler.enable) == signal.SIGBUS


def _dies_of(path, prepare):
    """The signal that a child dies of which loads the object."""
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        prepare()
        try:
            load(path, [])
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def test_a_forked_child_of_a_constructor_dies_by_itself(compile, in_child):
    path = compile(
        HEAD
        + CONSTRUCTOR
        % "int status; pid_t child = fork(); if (!child) *null = 1; waitpid(child, &status, 0); note(WTERMSIG(status))"
    )

    def call():
        faulthandler.disable()
        seen = []
        load(path, seen)
        return seen

    assert in_child(call) == [signal.SIGSEGV]


@pytest.mark.parametrize("sent", [signal.SIGABRT, signal.SIGFPE])
def test_an_ignored_signal_from_outside_is_still_ignored(compile, in_child, sent):
    path = compile(
        HEAD + CONSTRUCTOR % f"int s; pid_t me = getpid(), child = fork(); if (!child) _exit(kill(me, {int(sent)}));"
        " waitpid(child, &s, 0); note(s)"
    )

    def call():
        faulthandler.disable()
        signal.signal(sent, signal.SIG_IGN)
        seen = []
        load(path, seen)
        return seen, signal.getsignal(sent)

    assert in_child(call) == ([0], signal.SIG_IGN)


def test_a_signal_from_outside_still_ends_the_process(compile):
    body = "pid_t me = getpid(), child = fork(); if (!child) _exit(kill(me, SIGABRT)); for (;;) pause()"
    assert _dies_of(compile(HEAD + CONSTRUCTOR % body), faulthandler.disable) == signal.SIGABRT


def test_a_crash_inside_of_python_is_pythons(compile):
    path = compile("extern void back(void); __attribute__((constructor)) static void c(void) { back(); }")

    def dies_of(callback):
        child = os.fork()
        if not child:
            faulthandler.disable()
            try:
                rtlinker.load(
                    path, symbols={"back": callback if hasattr(callback, "argtypes") else (callback, "void(void)")}
                )
            finally:
                os._exit(0)
        return os.WTERMSIG(os.waitpid(child, 0)[1])

    assert dies_of(lambda: ctypes.string_at(8)) == signal.SIGSEGV
    assert dies_of(lambda: ctypes.CDLL(None).abort()) == signal.SIGABRT
    assert dies_of(ctypes.CFUNCTYPE(None)(lambda: ctypes.CDLL(None).abort())) == signal.SIGABRT


def test_a_callback_may_load_what_crashes(compile, in_child):
    bad = compile(HEAD + CONSTRUCTOR % "*null = 1")
    path = compile(
        "extern void back(void); int *volatile null;\n"
        "__attribute__((constructor(200))) static void c(void) { back(); }\n"
        "__attribute__((constructor(300))) static void d(void) { *null = 1; }"
    )

    def call():
        seen = []
        with pytest.raises(rtlinker.CrashError) as caught:
            rtlinker.load(path, symbols={"back": (lambda: seen.append(crash(bad).signal), "void(void)")})
        return seen, dict(caught.value.facts)["constructor"]

    seen, constructor = in_child(call)
    assert seen == [11]
    assert constructor.startswith("d+0x0")


def test_a_handler_that_a_constructor_installs_stays(compile, in_child):
    path = compile(
        HEAD
        + "static void mine(int n) { note(n); }\n"
        + CONSTRUCTOR % "signal(SIGFPE, mine)"
        + "\n__attribute__((destructor)) static void d(void) { signal(SIGFPE, SIG_DFL); }"
    )

    def call():
        seen = []
        library = load(path, seen)
        signal.raise_signal(signal.SIGFPE)
        library.unload()
        return seen, library.pinned

    assert in_child(call) == ([8], ())


def test_a_failed_resolve_keeps_the_object_waiting(compile, in_child):
    path = compile(CONSTRUCTOR % "__builtin_trap()")

    def call():
        linker = rtlinker.Linker()
        linker.load_object(path)
        for _ in range(2):
            with pytest.raises(rtlinker.CrashError):
                linker.resolve()
        linker.unload(path)
        linker.resolve()
        return linker.images

    assert in_child(call) == []


def test_the_command_line_reports_the_crash_as_ever(compile, rtlinker_command):
    path = compile("int f(void) { return 1; }" + CONSTRUCTOR % "__builtin_trap()")
    ran = rtlinker_command("load", path, "f")
    assert ran.code == 128 + signal.SIGILL
    assert "the called code died of SIGILL" in ran.stderr


def test_a_constructor_sees_its_callers_as_without_rescue(compile, in_child):
    source = """
    #include <execinfo.h>
    int depth; void *frames[200];
    __attribute__((constructor)) static void begin(void) { depth = backtrace(frames, 200); }
    """
    path = compile(source, flags="-g")

    def call(rescue):
        linker = rtlinker.Linker(rescue=rescue)
        linker.load_object(path)
        linker.resolve()
        library = rtlinker.Library(linker, "seen")
        return library["depth"].value, library["frames"].value[library["depth"].value - 1]

    (without, first), (with_rescue, same) = (in_child(call, rescue) for rescue in (False, True))
    assert with_rescue >= without > 10
    assert first == same, "both end where the program began"


def test_a_child_forked_while_another_thread_constructs_is_rescued_too(compile, in_child):
    slow = compile("extern void wait_here(void); __attribute__((constructor)) static void begin(void) { wait_here(); }")
    bad = compile(HEAD + CONSTRUCTOR % "*null = 1", flags="-O0", name="bad.o")

    def call():
        go, inside = threading.Event(), threading.Event()

        def wait_here():
            inside.set()
            go.wait()

        thread = threading.Thread(target=lambda: rtlinker.load(slow, symbols={"wait_here": (wait_here, "void(void)")}))
        thread.start()
        inside.wait()
        try:
            return [in_child(lambda: [crash(bad).signal for _ in range(2)]) for _ in range(2)]
        finally:
            go.set()
            thread.join()

    assert in_child(call) == [[signal.SIGSEGV] * 2] * 2
