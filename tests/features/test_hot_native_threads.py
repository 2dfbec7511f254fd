"""Threads that linked code starts are counted from before they exist until they have left it, however they end."""

import ctypes
import os
import threading
import time

import pytest

import rtlinker
from rtlinker.host import dynamic
from rtlinker.host.stacks import threads_seen
from rtlinker.hot.registry import Registry, native_threads
from rtlinker.x86_64.registry import CXX_START
from tests.support.child import mapped

C = """
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <threads.h>
#include <unistd.h>
int rtl_quiescent(void);
static int go[2], ready[2];
static pthread_t thread;
void prepare(void) { if (pipe(go) || pipe(ready)) abort(); }
void await(void) { char c; if (read(ready[0], &c, 1) < 0) abort(); }
void let_go(void) { if (write(go[1], "", 1) < 0) abort(); }
static void arrive(void) { char c = 1; if (write(ready[1], &c, 1) < 0 || read(go[0], &c, 1) < 0) abort(); }
static void *body(void *p) { arrive(); return p; }
static void *leaves(void *p) { arrive(); pthread_exit(p); }
static void *says(void *p) { arrive(); if (rtl_quiescent() != 1) abort(); arrive(); return p; }
static void *deep(void *p) { pthread_cleanup_push(free, malloc(10)); arrive(); pthread_cleanup_pop(1); return p; }
static void *spin(void *p) { while (*(volatile char *)p); return 0; }
static int c11(void *p) { arrive(); return 42; }
static void *(*const bodies[])(void *) = {body, leaves, says, deep};
int start(int which) { return pthread_create(&thread, 0, bodies[which], &thread); }
int busy(char *go) { return pthread_create(&thread, 0, spin, go); }
int start_c11(void) { return thrd_create((thrd_t *)&thread, c11, 0); }
int join_c11(void) { int r; thrd_join((thrd_t)thread, &r); return r; }
int join(void) {
  void *r = 0;
  return pthread_join(thread, &r) ? -1 : r == PTHREAD_CANCELED ? 2 : r == &thread;
}
void cancel(void) { pthread_cancel(thread); }
int quiescent_here(void) { return rtl_quiescent(); }
int fails(void) {
  pthread_attr_t with; pthread_attr_init(&with); pthread_attr_setstacksize(&with, 1ul << 46);
  int code = pthread_create(&thread, &with, body, 0);
  return code != 0;
}
"""


def loaded(path, registry):
    return rtlinker.load(path, symbols=registry.definitions())


def names(library, threads):
    return [(thread.kind, (library.linker.describe(thread.start) or "").partition("+")[0]) for thread in threads]


def started(library, number):
    """Start a thread that waits; the number is that of its body."""
    library.prepare()
    assert library.start(number) == 0
    library.function("await", "void(void)")()


def test_a_thread_is_told_with_number_start_time_and_epoch(compile, in_child):
    path = compile(C)

    def call():
        registry = Registry()
        registry.set_epoch(3)
        before = time.monotonic()
        library = loaded(path, registry)
        started(library, 0)
        registry.set_epoch(4)
        (thread,) = registry.threads()
        right = (
            os.path.exists(f"/proc/self/task/{thread.tid}"),
            before <= thread.since <= time.monotonic(),
            names(library, [thread]),
            library.linker.describe(thread.caller).partition("+")[0],
            (thread.epoch, thread.declared),
            native_threads() == (thread,),
        )
        library.let_go()
        return right, library.join(), registry.threads(), native_threads()

    right, joined, after, none = in_child(call)
    assert right == (True, True, [("pthread_create", "body")], "start", (3, False), True)
    assert (joined, after, none) == (1, (), ())


@pytest.mark.parametrize(("number", "answer"), [(1, 1), (3, 2)], ids=["pthread_exit", "cancelled"])
def test_a_thread_that_leaves_otherwise_is_counted_out_too(compile, in_child, number, answer):
    path = compile(C)

    def call():
        registry = Registry()
        library = loaded(path, registry)
        started(library, number)
        during = len(registry.threads())
        if answer == 2:
            library.cancel()
        else:
            library.let_go()
        return during, library.join(), registry.threads()

    assert in_child(call) == (1, answer, ())


def test_the_entries_of_a_closed_module_wait_for_its_threads(compile, in_child):
    path = compile(C)

    def call():
        registry = Registry()
        library = loaded(path, registry)
        started(library, 2)
        at = registry.words
        registry.close()
        before = mapped(at)
        library.let_go()
        library.function("await", "void(void)")()
        library.let_go()
        library.join()
        Registry().close()
        return before, mapped(at)

    assert in_child(call) == ("rw-p", "")


def test_a_thread_of_c11_is_counted(compile, in_child):
    path = compile(C)

    def call():
        registry = Registry()
        library = loaded(path, registry)
        library.prepare()
        assert library.start_c11() == 0
        library.function("await", "void(void)")()
        found = names(library, registry.threads())
        library.let_go()
        return found, library.join_c11(), registry.threads()

    assert in_child(call) == ([("thrd_create", "c11")], 42, ())


def test_a_thread_that_could_not_be_made_does_not_count(compile, in_child):
    path = compile(C)

    def call():
        registry = Registry()
        return loaded(path, registry).fails(), registry.threads()

    assert in_child(call) == (1, ())


def test_a_thread_declares_that_it_has_left_older_versions(compile, in_child):
    path = compile(C)

    def call():
        registry = Registry()
        registry.set_epoch(3)
        library = loaded(path, registry)
        (live,) = library.linker.images
        span = live.image.address, live.image.address + live.image.layout.size
        started(library, 2)
        registry.set_epoch(4)
        (before,) = registry.threads()
        library.let_go()
        library.function("await", "void(void)")()
        (after,) = registry.threads()
        library.let_go()
        nobody = library.quiescent_here()
        library.join()
        may = [thread.may_be_in(*span, epoch) for thread in (before, after) for epoch in (3, 4, 5)]
        return (before.epoch, before.declared), (after.epoch, after.declared), nobody, may

    may = [True, True, True, False, False, True]
    assert in_child(call) == ((3, False), (4, True), 0, may)


def test_a_thread_that_runs_in_static_code_is_named_by_both_ways_of_looking(compile, in_child):
    path = compile(C)

    def call():
        registry, go = Registry(), bytearray(b"\1")
        library = loaded(path, registry)
        library.busy(go)
        while not registry.threads()[0].tid:
            os.sched_yield()
        (thread,) = registry.threads()
        (live,) = library.linker.images
        seen = {each.tid: each for each in threads_seen([(live.image.address, live.image.address + 4096)])}
        state = seen[thread.tid].state
        go[0] = 0
        library.join()
        return names(library, [thread]), state in {"running", "blocked"}, seen[thread.tid].may_be_in, registry.threads()

    assert in_child(call) == ([("pthread_create", "spin")], True, True, ())


def test_in_a_forked_child_threads_that_are_gone_do_not_count(compile, in_child):
    path = compile(C)

    def call():
        registry = Registry()
        library = loaded(path, registry)
        started(library, 0)

        def inner():
            before = registry.threads()
            started(library, 0)
            during = len(registry.threads())
            library.let_go()
            return before, during, library.join(), registry.threads()

        inside = in_child(inner)
        here = len(registry.threads())
        library.let_go()
        library.join()
        return inside, here, registry.threads()

    assert in_child(call) == (((), 1, 1, ()), 1, ())


FORKING = """
#include <pthread.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
int check(void);
static void *forks(void *p) {
  pid_t child = fork();
  if (!child) _exit(check());
  waitpid(child, p, 0);
  return 0;
}
int fork_in_thread(void) {
  int status = -1;
  pthread_t t; pthread_create(&t, 0, forks, &status); pthread_join(t, 0);
  return WEXITSTATUS(status);
}
"""


def test_the_thread_that_forked_goes_on_in_the_child_under_its_new_number(compile, in_child):
    path = compile(FORKING)

    def call():
        registry = Registry()

        def check():
            numbers = [thread.tid for thread in registry.threads()]
            return 7 if numbers == [threading.get_native_id()] == [os.getpid()] else 8

        library = rtlinker.load(path, symbols=dict(registry.definitions(), check=(check, "int(void)")))
        return library.fork_in_thread(), registry.threads()

    assert in_child(call) == (7, ())


KEYS = """
#include <pthread.h>
#include <unistd.h>
int count(void);
static pthread_key_t keys[40];
static int seen[4], rounds;
static void destroy(void *p) { seen[rounds++] = count(); if (rounds < 4) pthread_setspecific(keys[39], p); }
static void *body(void *p) { pthread_setspecific(keys[39], p); return 0; }
int run(void) {
  for (int i = 0; i < 40; i++) pthread_key_create(&keys[i], destroy);
  pthread_t t; pthread_create(&t, 0, body, keys); pthread_join(t, 0);
  for (int i = 0; i < 40; i++) pthread_key_delete(keys[i]);
  return seen[0] * 1000 + seen[1] * 100 + seen[2] * 10 + rounds;
}
"""


def test_a_thread_counts_while_destructors_of_the_modules_keys_run(compile, in_child):
    path = compile(KEYS)

    def call():
        registry = Registry()
        count = (lambda: len(registry.threads()), "int(void)")
        library = rtlinker.load(path, symbols=dict(registry.definitions(), count=count))
        return library.run(), registry.threads()

    assert in_child(call) == (1114, ())


CXX = """
#include <atomic>
#include <future>
#include <system_error>
#include <thread>
#include <sys/resource.h>
static std::atomic<int> go, running, destroyed;
struct Counted { Counted() { } Counted(const Counted &) { } ~Counted() { destroyed++; } };
static std::thread *one;
extern "C" void start() {
  Counted counted;
  one = new std::thread([counted] { running = 1; while (!go) std::this_thread::yield(); });
  while (!running) std::this_thread::yield();
}
extern "C" int finish() { go = 1; one->join(); delete one; return destroyed; }
extern "C" int later() { return std::async(std::launch::async, [] { return 5; }).get(); }
extern "C" int fails() {
  rlimit none = {0, 0};
  setrlimit(RLIMIT_NPROC, &none);
  Counted counted; int before = destroyed;
  try { std::thread never([counted] { }); never.join(); return -1; }
  catch (const std::system_error &error) { return destroyed > before; }
}
"""


def test_threads_of_the_cxx_library_are_counted(compile, in_child):
    path = compile(CXX, "c++", flags="-pthread")

    def call():
        registry = Registry()
        library = rtlinker.load(path, symbols=registry.definitions({CXX_START}))
        library.start()
        (thread,) = registry.threads()
        found = thread.kind, os.path.exists(f"/proc/self/task/{thread.tid}")
        start = library.linker.describe(thread.start)
        destroyed = library.finish()
        return found, "_M_run" in start, destroyed, library.later(), registry.threads()

    assert in_child(call) == (("std::thread", True), True, 3, 5, ())


def test_a_thread_of_the_cxx_library_that_could_not_be_made_does_not_count(compile, in_child):
    path = compile(CXX, "c++", flags="-pthread")

    def call():
        dynamic.open_library("libstdc++.so.6")
        registry = Registry()
        library = loaded(path, registry)
        if not os.getuid():
            os.setresuid(65534, 65534, 65534)  # there is no limit of threads for root
        return library.fails(), registry.threads()

    assert in_child(call) == (1, ())


def test_many_threads_from_many_threads_are_all_counted_out(compile, in_child):
    source = """
    #include <pthread.h>
    static int ran;
    static void *work(void *p) { __atomic_add_fetch(&ran, 1, 5); return 0; }
    static void *spawn(void *p) {
      for (int i = 0; i < 200; i++) { pthread_t t; if (!pthread_create(&t, 0, work, 0)) pthread_join(t, 0); }
      return 0;
    }
    int run(void) {
      pthread_t t[8];
      for (int i = 0; i < 8; i++) pthread_create(&t[i], 0, spawn, 0);
      for (int i = 0; i < 8; i++) pthread_join(t[i], 0);
      return ran;
    }
    """
    path = compile(source)

    def call():
        registry = Registry()
        return loaded(path, registry).run(), registry.threads()

    assert in_child(call) == (1600, ())


DESTRUCTOR = """

struct Owned { int *p = nullptr; ~Owned(); };
Owned::~Owned() { *p = VALUE; }
static thread_local Owned owned;
extern "C" void use(int *p) { owned.p = p; }
"""


def test_a_destructor_of_a_thread_can_be_rebound_to_the_newer_version(compile, in_child):
    old = compile(DESTRUCTOR, "c++", flags="-DVALUE=1 -g -w")
    new = compile(DESTRUCTOR, "c++", flags="-DVALUE=2 -g -w")

    def call():
        registry = Registry()
        one, other = rtlinker.load(old), rtlinker.load(new)
        go, used, result = threading.Event(), threading.Event(), (ctypes.c_int * 1)()

        def work():
            one.use(result)
            used.set()
            go.wait()

        thread = threading.Thread(target=work)
        thread.start()
        used.wait()
        (live,) = one.linker.images
        (pending,) = registry.pending(live.image.address, live.image.address + live.image.layout.size)
        changed = registry.rebind(pending.function, other.address("Owned::~Owned()"))
        right = pending.function == one.address("Owned::~Owned()")
        go.set()
        thread.join()
        while os.path.exists(f"/proc/self/task/{thread.native_id}"):
            os.sched_yield()
        return pending.kind, right, changed, result[0]

    assert in_child(call) == ("__cxa_thread_atexit", True, 1, 2)
