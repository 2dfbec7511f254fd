"""An image that something may still enter is kept when it is unloaded, says why, and goes when it can."""

import ctypes
import os
import signal

import pytest

import rtlinker
from tests.support.child import mapped

HANDLER = """
#include <signal.h>
static void (*before)(int);
static void handler(int n) { }
void install(void) { before = signal(SIGUSR1, handler); }
void restore(void) { signal(SIGUSR1, before); }
#ifdef TIDY
__attribute__((destructor)) static void tidy(void) { restore(); }
#endif
"""
THREAD = """
#include <pthread.h>
#include <unistd.h>
static int ends[2];
static pthread_t thread;
static void *wait(void *p) { char c; return (void *)read(ends[0], &c, 1); }
static void *spin(void *p) { for (volatile char *go = p; *go; ); return 0; }
int start(void) { return pipe(ends) || pthread_create(&thread, 0, wait, 0) ? -1 : ends[1]; }
int busy(char *go) { return pthread_create(&thread, 0, spin, go); }
unsigned long id(void) { return thread; }
void stop(void) { close(ends[1]); pthread_join(thread, 0); }
"""


def test_a_signal_handler_keeps_its_image_until_it_is_replaced(compile, in_child):
    path, other = compile(HANDLER), compile("int f(void) { return 1; }")

    def call():
        library = rtlinker.load(path)
        library.install()
        address = library.address("install")
        library.unload()
        kept = library.pinned, mapped(address), library.closed
        os.kill(os.getpid(), signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        rtlinker.load(other)
        return kept, library.pinned, mapped(address)

    assert in_child(call) == ((("handles SIGUSR1",), "r-xp", True), (), "")


def test_a_handler_that_was_taken_back_keeps_nothing(compile, in_child):
    path = compile(HANDLER, flags="-DTIDY")

    def call():
        library = rtlinker.load(path)
        library.install()
        library.unload()
        return library.pinned

    assert in_child(call) == ()


def test_a_thread_that_waits_keeps_its_image_until_it_ends(compile, in_child):
    path = compile(THREAD)

    def call():
        library = rtlinker.load(path)
        end, address, thread = library.start(), library.address("start"), library.id()
        library.unload()
        kept = len(library.pinned), "may run in it" in library.pinned[0], mapped(address)
        os.close(end)
        _join(thread)
        while library.pinned:
            library.unload()
        return kept, mapped(address)

    assert in_child(call) == ((1, True, "r-xp"), "")


def _join(thread):
    ctypes.CDLL(None).pthread_join(ctypes.c_ulong(thread), None)


def test_a_thread_that_runs_keeps_its_image(compile, in_child):
    path = compile(THREAD)

    def call():
        library, go = rtlinker.load(path), bytearray(b"\1")
        library.busy(go)
        thread = library.id()
        library.unload()
        kept = bool(library.pinned)
        go[0] = 0
        _join(thread)
        while library.pinned:
            library.unload()
        return kept

    assert in_child(call) is True


def test_a_thread_that_ended_keeps_nothing(compile, in_child):
    path = compile(THREAD)

    def call():
        library = rtlinker.load(path)
        library.start()
        library.stop()
        library.unload()
        return library.pinned

    assert in_child(call) == ()


def test_what_a_kept_image_uses_is_kept_with_it(compile, in_child):
    used = compile("void called(int n) { }")
    user = compile(
        "#include <signal.h>\nextern void called(int);\nstatic void handler(int n) { called(n); }\n"
        "void install(void) { signal(SIGUSR1, handler); }"
    )

    def call():
        linker = rtlinker.Linker()
        for path in (used, user):
            linker.load_object(path)
            linker.resolve()
        address = linker.lookup("called")
        ctypes.CFUNCTYPE(None)(linker.lookup("install"))()
        linker.close()
        os.kill(os.getpid(), signal.SIGUSR1)
        kept = len(linker.pinned), mapped(address)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        linker.close()
        return kept, linker.pinned, mapped(address)

    assert in_child(call) == ((2, "r-xp"), (), "")


def test_handlers_of_fork_and_quick_exit_go_with_the_image(compile, in_child):
    path = compile(
        "#include <pthread.h>\n#include <stdlib.h>\nextern void note(int);\n"
        "static void forked(void) { note(1); } static void quick(void) { note(2); }\n"
        "void start(void) { pthread_atfork(forked, 0, 0); at_quick_exit(quick); }"
    )

    def call():
        seen = []
        library = rtlinker.load(path, symbols={"note": (seen.append, "void(int)")})
        library.start()
        before = _fork()
        library.unload()
        return before, len(seen), _fork(), len(seen), library.pinned

    assert in_child(call) == (7, 1, 7, 1, ())


def _fork():
    """The exit code of a child that leaves by quick_exit."""
    child = os.fork()
    if not child:
        ctypes.CDLL(None).quick_exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_thread_of_a_constructor_that_died_keeps_the_image(compile, in_child):
    path = compile(THREAD + "__attribute__((constructor)) static void c(void) { start(); __builtin_trap(); }")

    def call():
        linker = rtlinker.Linker()
        linker.load_object(path)
        with pytest.raises(rtlinker.CrashError) as caught:
            linker.resolve()
        return len(linker.pinned), linker.images, linker.lookup("busy"), mapped(caught.value.address)

    assert in_child(call) == (1, [], None, "r-xp")


DEEP = """
#define _GNU_SOURCE
#include <alloca.h>
#include <string.h>
#include <unistd.h>
static int wait_at[2], ready[2];
void prepare(void) { pipe(wait_at); pipe(ready); }
void await(void) { char c; read(ready[0], &c, 1); }
void go_on(void) { write(wait_at[1], "", 1); }
void deep(long size) {
  char *room = alloca(size), c = 1;
  memset(room, 0, size);
  write(ready[1], &c, 1);
  read(wait_at[0], room, 1);
}
"""
DEEP_USER = """
#include <pthread.h>
void deep(long);
static void *enter(void *size) { deep((long)size); return 0; }
unsigned long begin(long size) {
  pthread_t thread; pthread_attr_t with; pthread_attr_init(&with); pthread_attr_setstacksize(&with, size + (1 << 20));
  pthread_create(&thread, &with, enter, (void *)size);
  return thread;
}
"""


@pytest.mark.parametrize("mebibytes", [2, 20])
def test_a_thread_deep_in_a_library_keeps_the_image_it_returns_to(compile, shared, in_child, mebibytes):
    path = compile(DEEP_USER, flags="-g -O1 -fno-optimize-sibling-calls")
    library_path = shared(DEEP, "libdeep.so")

    def call():
        outside = ctypes.CDLL(str(library_path))
        outside.prepare()
        library = rtlinker.load(path, libraries=[str(library_path)])
        thread = library.begin(mebibytes << 20)
        outside["await"]()
        library.unload()
        kept = len(library.pinned)
        outside.go_on()
        _join(thread)
        while library.pinned:
            library.unload()
        return kept

    assert in_child(call) == 1
