"""Backtraces, cancellation and exceptions pass through images, in whatever order images and the unwinder came."""

import os
import subprocess
import sys

import pytest

import rtlinker
from tests.support.child import CHECKOUT

FRAMES = """
#include <execinfo.h>
int __attribute__((noinline)) deeper(int n, void **frames) {
  int count = n ? deeper(n - 1, frames) : backtrace(frames, 256);
  __asm__ volatile("");
  return count;
}
int frames(int n) { void *found[256]; return deeper(n, found); }
void *last(void) { void *found[256]; return found[deeper(3, found) - 1]; }
"""
CANCELLED = """
#include <pthread.h>
#include <unistd.h>
static int order;
static int unwound[2];
extern "C" int cleaned(int which) { return unwound[which]; }
static void clean(void *) { unwound[0] = ++order; }
struct Local { ~Local() { unwound[1] = ++order; } };
static void *run(void *) {
  pthread_cleanup_push(clean, nullptr);
  Local local;
  for (;;) pause();
  pthread_cleanup_pop(0);
  return nullptr;
}
extern "C" int cancel(void) {
  pthread_t thread;
  void *result;
  if (pthread_create(&thread, nullptr, run, nullptr) || pthread_cancel(thread)) return -1;
  pthread_join(thread, &result);
  return result == PTHREAD_CANCELED;
}
"""
CANCELLED_C = """
#include <pthread.h>
#include <unistd.h>
int cleaned;
static void clean(void *p) { cleaned = 1; }
static void *run(void *p) {
  pthread_cleanup_push(clean, 0);
  pause();
  pthread_cleanup_pop(0);
  return 0;
}
int cancel(void) {
  pthread_t thread;
  void *result;
  if (pthread_create(&thread, 0, run, 0) || pthread_cancel(thread)) return -1;
  pthread_join(thread, &result);
  return result == PTHREAD_CANCELED;
}
"""


def in_fresh_process(program):
    """What a program prints in a Python that has no unwinder yet."""
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def test_backtrace_sees_every_frame_up_to_libc(compile, in_child):
    path = compile(FRAMES, flags=["-O2", "-fno-optimize-sibling-calls"])

    def call():
        library = rtlinker.load(path)
        counts = [library.frames(n) for n in (0, 1, 5)]
        return [count - counts[0] for count in counts], counts[0] > 5, library.linker.describe(library.last())

    deltas, deep, last = in_child(call)
    assert (deltas, deep) == ([0, 1, 5], True)
    assert last is None or "libc" in last or "python" in last


def test_cancelling_a_thread_runs_handlers_and_destructors(compile, in_child):
    path = compile(CANCELLED, "c++")

    def call():
        library = rtlinker.load(path, libraries=["stdc++"])
        return library.cancel(), library.cleaned(1), library.cleaned(0)

    assert in_child(call) == (1, 1, 2)


def test_cancelling_a_thread_of_c_runs_handlers_in_a_process_without_an_unwinder(compile):
    path = compile(CANCELLED_C)  # C without -fexceptions pushes handlers by setjmp
    shown = in_fresh_process(
        f"import rtlinker; l = rtlinker.load({str(path)!r}); print(l.cancel(), l['cleaned'].value)"
    )
    assert shown == "1 1\n"


def test_a_plain_object_needs_no_unwinder(compile):
    path = compile("int add(int a, int b) { return a + b; }")
    shown = in_fresh_process(
        f"import rtlinker; print(rtlinker.load({str(path)!r}).add(2, 3))\n"
        "print('libgcc_s' in open('/proc/self/maps').read())"
    )
    assert shown == "5\nFalse\n"


def test_an_image_loaded_before_the_unwinder_is_passed_through_later(compile):
    middle = compile("int apply(int (*f)(int), int x) { return f(x) + 1; }", flags=["-O1", "-fexceptions"])
    outer = compile(
        'extern "C" int apply(int (*)(int), int);'
        "static int thrower(int x) { throw x; }"
        'extern "C" int outer(int x) { try { return apply(thrower, x); } catch (int y) { return -y; } }',
        "c++",
    )
    program = f"""
import rtlinker
from rtlinker.live import frames
first = rtlinker.load({str(middle)!r})
gone = rtlinker.load({str(middle)!r})
gone.unload()
assert not frames._unwinder and len(frames._tables) == 1
second = rtlinker.load({str(outer)!r}, libraries=["stdc++"], symbols={{"apply": first.address("apply")}})
print(second.outer(5))
second.unload()
first.unload()
assert not frames._tables
print(rtlinker.load({str(middle)!r}).apply(abs, -3))
"""
    assert in_fresh_process(program) == "-5\n4\n"


def test_an_unwinder_that_a_library_brings_is_found_at_the_first_call(compile):
    middle = compile("int apply(int (*f)(int), int x) { return f(x) + 1; }")
    program = f"""
import ctypes, rtlinker
from rtlinker.live import frames
library = rtlinker.load({str(middle)!r})
assert not frames._unwinder
ctypes.CDLL("libgcc_s.so.1")
library.apply(abs, -3)
print(bool(frames._unwinder))
"""
    assert in_fresh_process(program) == "True\n"


THROWER = 'struct Error { int number; }; extern "C" void thrower(int x) { throw Error{x}; }'
CATCHER = """
struct Error { int number; };
extern "C" void thrower(int);
extern "C" int catcher(int x) { try { thrower(x); } catch (const Error &error) { return error.number + 1; } return 0; }
"""


@pytest.mark.parametrize("flags", [["-O1"], ["-O1", "-fno-pic"], ["-O1", "-mcmodel=large"]], ids="".join)
def test_exceptions_cross_libraries_that_were_loaded_apart(compile, in_child, flags):
    thrower, catcher = compile(THROWER, "c++", flags=flags), compile(CATCHER, "c++", flags=flags)

    def call():
        first = rtlinker.load(thrower, libraries=["stdc++"])
        symbols = {"thrower": first.address("thrower")}
        with rtlinker.load(catcher, libraries=["stdc++"], symbols=symbols) as second:
            caught = second.catcher(4)
        with pytest.raises(rtlinker.ForeignExceptionError, match="Error"):
            first.thrower(1)
        return caught

    assert in_child(call) == 5


def test_exceptions_cross_two_resolves_of_one_linker(compile, in_child):
    thrower, catcher = compile(THROWER, "c++"), compile(CATCHER, "c++")

    def call():
        with rtlinker.Linker() as linker:
            linker.load_library("libstdc++.so.6")
            for path in (thrower, catcher):
                linker.load_object(path)
                linker.resolve()
            from rtlinker.bind.call import Function
            from rtlinker.bind.prototype import parse_prototype

            return Function(linker.lookup("catcher"), parse_prototype("int(int)"))(6)

    assert in_child(call) == 7
