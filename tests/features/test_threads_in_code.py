"""Threads that are in linked code, or will return to it, are found and named; where nothing is known, that is said."""

import ctypes
import os
import struct
import threading

import rtlinker
from rtlinker.host.roots import pointers_into
from rtlinker.host.stacks import UNSEEN, threads_seen, unused_stack
from rtlinker.hot.registry import Registry

SORT = """
#include <stdlib.h>
#include <unistd.h>
int ready[2], go[2];
void prepare(void) { if (pipe(ready) || pipe(go)) abort(); }
static int once;
static int cmp(const void *a, const void *b) {
  char c = 1;
  if (!once++) { if (write(ready[1], &c, 1) < 0 || read(go[0], &c, 1) < 0) abort(); }
  return *(const int *)a - *(const int *)b;
}
int sort(int *values, int count) { qsort(values, count, sizeof *values, cmp); return values[0]; }
void await(void) { char c; if (read(ready[0], &c, 1) < 0) abort(); }
void let_go(void) { if (write(go[1], "", 1) < 0) abort(); }
"""


def span_of(library):
    (live,) = library.linker.images
    code = live.image.layout.segments[0]
    start = live.image.address + code.offset
    return start, start + code.size


def seen_in(spans):
    """Those threads that may be in it, by number; a thread that runs is looked at again."""
    while True:
        threads = threads_seen(spans)
        if all(thread.state != "running" for thread in threads):
            return {thread.tid: thread for thread in threads if thread.may_be_in}


def test_a_sort_whose_comparison_waits_is_seen_in_it(compile, in_child):
    path = compile(SORT)

    def call():
        library = rtlinker.load(path)
        span, numbers = span_of(library), []
        values = (ctypes.c_int * 4)(3, 1, 2, 0)
        sort = library.function("sort", "int(void *, int)")
        library.prepare()

        def work():
            numbers.append(threading.get_native_id())
            sort(ctypes.addressof(values), 4)

        thread = threading.Thread(target=work)
        thread.start()
        library.function("await", "void(void)")()
        seen = seen_in([span])
        (one,) = seen.values()
        names = [library.linker.describe(address).partition("+")[0] for address in one.returns]
        library.let_go()
        thread.join()
        while os.path.exists(f"/proc/self/task/{numbers[0]}"):
            os.sched_yield()
        return [*seen] == numbers, one.state, names, one.says(library.linker.describe), seen_in([span]), list(values)

    right, state, names, says, after, values = in_child(call)
    assert right
    assert state == "blocked"
    assert names == ["cmp", "sort"]
    assert " returns to cmp+0x" in says
    assert after == {}
    assert values == [0, 1, 2, 3]


def test_the_calling_thread_is_seen_when_linked_code_called_it(compile, in_child):
    path = compile("int seen(void); int outer(void) { return seen() + 1; }")

    def call():
        found = []

        def seen():
            found.append(seen_in([span]))
            return 4

        library = rtlinker.load(path, symbols={"seen": (seen, "int(void)")})
        span = span_of(library)
        answer = library.outer()
        (thread,) = found[0].values()
        return answer, thread.tid == threading.get_native_id(), thread.state, len(thread.returns), seen_in([span])

    assert in_child(call) == (5, True, "calling", 1, {})


STACKS = """
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
int ready[2], go[2];
static char other[65536];
void arrive(int n) { char c = 1; if (write(ready[1], &c, 1) < 0 || read(go[0], &c, 1) < 0) abort(); }
void prepare(void) {
  if (pipe(ready) || pipe(go)) abort();
  struct sigaction action = {.sa_handler = arrive, .sa_flags = SA_ONSTACK};
  sigaction(SIGUSR1, &action, 0);
}
void await(void) { char c; if (read(ready[0], &c, 1) < 0) abort(); }
void let_go(void) { if (write(go[1], "", 1) < 0) abort(); }
void interrupt(void) {
  stack_t stack = {.ss_sp = other, .ss_size = sizeof other};
  sigaltstack(&stack, 0); raise(SIGUSR1);
  stack.ss_flags = SS_DISABLE; sigaltstack(&stack, 0);
}
"""


def test_a_thread_on_its_signal_stack_is_seen_in_what_was_interrupted(compile, shared, in_child):
    path = compile("void interrupt(void); int step(int n) { interrupt(); return n + 1; }")
    outside = shared(STACKS, "libstacks.so")

    def call():
        library = rtlinker.load(path, libraries=[str(outside)])
        other = ctypes.CDLL(str(outside))
        other.prepare()
        span, answers = span_of(library), []
        thread = threading.Thread(target=lambda: answers.append(library.step(4)))
        thread.start()
        other["await"]()
        (seen,) = seen_in([span]).values()
        other.let_go()
        thread.join()
        return [library.linker.describe(address).partition("+")[0] for address in seen.returns], answers

    assert in_child(call) == (["step"], [5])


COROUTINE = """
#include <stdlib.h>
#include <ucontext.h>
static ucontext_t main_context, context;
static int count;
static void body(void) { for (;;) { count++; swapcontext(&context, &main_context); } }
void start(void) {
  getcontext(&context); context.uc_stack.ss_sp = malloc(65536); context.uc_stack.ss_size = 65536; context.uc_link = 0;
  makecontext(&context, body, 0);
}
int resume(void) { swapcontext(&main_context, &context); return count; }
"""


def test_a_suspended_coroutine_is_found_by_the_pointers_on_its_stack(compile, in_child):
    path = compile(COROUTINE)

    def call():
        library = rtlinker.load(path)
        span = span_of(library)
        (live,) = library.linker.images
        image = (live.image.address, live.image.address + live.image.layout.size)
        library.start()
        first = library.resume()
        threads = threads_seen([span])
        hits = pointers_into([span], exclude=[image, *unused_stack(threads)])
        names = {(library.linker.describe(hit.value) or "").partition("+")[0] for hit in hits}
        return "body" in names, any(thread.returns for thread in threads), first, library.resume()

    assert in_child(call) == (True, False, 1, 2)


def test_a_process_that_must_not_be_looked_at_says_so(compile, in_child):
    path = compile(SORT)

    def call():
        library = rtlinker.load(path)
        go = threading.Event()
        thread = threading.Thread(target=go.wait)
        thread.start()
        if not os.getuid():
            os.setresuid(65534, 65534, 65534)
        ctypes.CDLL(None).prctl(4, 0)
        states = {seen.state for seen in threads_seen([span_of(library)])}
        memory = ctypes.create_string_buffer(span_of(library)[0].to_bytes(8, "little") * 2)
        at = range(ctypes.addressof(memory), ctypes.addressof(memory) + 16)
        hits = [hit for hit in pointers_into([span_of(library)], unaligned=True) if hit.address in at]
        go.set()
        thread.join()
        return states, len(hits)

    assert in_child(call) == ({"unknown"}, 2)


def deny_opening():
    """Have every open of this process fail from now on, /proc's files too (seccomp(2))."""
    load, equal, answer = 0x20, 0x15, 0x06  # of the number of the call; openat is 257
    program = [(load, 0, 0, 0), (equal, 0, 1, 257), (answer, 0, 0, 0x50001), (answer, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *each) for each in program))
    filter = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code)))
    prctl = ctypes.CDLL(None).prctl
    zeros = [ctypes.c_ulong(0)] * 3
    assert not prctl(38, ctypes.c_ulong(1), *zeros)
    assert not prctl(22, ctypes.c_ulong(2), filter, *zeros[1:])


def test_without_proc_threads_are_unknown_and_what_is_counted_is_not(compile, in_child):
    path = compile(
        "#include <pthread.h>\n#include <stdlib.h>\nstatic pthread_t t;\n"
        "static void end(void) { } static void *spin(void *p) { while (*(volatile char *)p); return 0; }\n"
        "int start(char *go) { atexit(end); return pthread_create(&t, 0, spin, go); }\n"
        "void stop(void) { pthread_join(t, 0); }"
    )

    def call():
        registry, go = Registry(), bytearray(b"\1")
        library = rtlinker.load(path, symbols=registry.definitions())
        library.start(go)
        deny_opening()
        seen = threads_seen([span_of(library)])
        counted = len(registry.threads()), len(registry.pending())
        go[0] = 0
        library.stop()
        return [each.state for each in seen], UNSEEN in seen, counted, registry.threads()

    assert in_child(call) == (["unknown", "unknown"], True, (1, 1), ())
