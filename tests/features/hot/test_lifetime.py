"""Old code goes exactly when nobody can be in it, and nothing enters freed memory (T15 to T21, T25, T26, T43)."""

import ctypes
import gc
import os
import signal
import subprocess
import sys
import threading

import pytest

import rtlinker
from rtlinker import hot
from tests.support.hot import LATEST, Worker, purge_all, until

ROUNDS = int(os.environ.get("RTLINKER_ROUNDS", "300"))


def test_a_handler_of_atexit_runs_once_in_the_newest_code(compile):
    source = """
    #include <stdlib.h>
    #include <stdio.h>
    static void bye(void) {{ puts("bye {0}"); }} void begin(void) {{ atexit(bye); }} int f(void) {{ return {0}; }}
    """
    paths = [compile(source.format(number)) for number in (1, 2, 3, 4)]
    program = f"""
from rtlinker import hot
module = hot.load({str(paths[0])!r})
module.begin()
for path in {[str(path) for path in paths[1:]]!r}:
    module.reload(path)
print(module.f(), module.soft_purge(), flush=True)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "4 True\nbye 4\n", "")


def test_a_handler_that_only_the_old_version_has_keeps_it(compile):
    first = compile(
        "#include <stdlib.h>\n#include <stdio.h>\n"
        'static void bye(void) { puts("bye 1"); } void begin(void) { atexit(bye); }'
    )
    second = compile("void begin(void) {}")
    program = f"""
from rtlinker import hot
module = hot.load({str(first)!r})
module.begin()
module.reload({str(second)!r})
print(module.soft_purge(), module.versions()[0].reasons, flush=True)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    lines = ran.stdout.splitlines()
    assert ran.returncode == 0
    assert lines[0].startswith("False ") and "atexit handler bye" in lines[0] and "registered by version 1" in lines[0]
    assert lines[1:] == ["bye 1"]


def test_a_signal_handler_keeps_its_version_and_says_so(compile, in_child):
    source = """
    #include <signal.h>
    static volatile int seen; static void handle(int number) {{ seen += {0}; }}
    void install(void) {{ signal(SIGUSR1, handle); }} int get(void) {{ return seen; }}
    """
    paths = [compile(source.format(number), flags="-fdata-sections") for number in (1, 100)]

    def run():
        module = hot.load(paths[0])
        module.install()
        module.reload(paths[1])
        purged = module.soft_purge()
        reasons = module.versions()[0].reasons
        os.kill(os.getpid(), signal.SIGUSR1)
        before = module.get()
        module.install()
        os.kill(os.getpid(), signal.SIGUSR1)
        return purged, any("SIGUSR1" in text for text in reasons), before, module.get(), module.soft_purge()

    assert in_child(run) == (False, True, 1, 101, True)


COMPARE = """
#include <stdlib.h>
void pause_here(void);
static int cmp(const void *a, const void *b) {{ pause_here(); return *(const int *)a - *(const int *)b; }}
int sorted(void) {{
    int n[4] = {{ 3, 1, 2, {0} }}; qsort(n, 4, sizeof *n, cmp);
    return n[0] * 1000 + n[1] * 100 + n[2] * 10 + n[3];
}}
"""


def test_a_comparison_under_way_keeps_its_version_until_it_returns(compile, in_child):
    paths = [compile(COMPARE.format(number)) for number in (0, 9)]

    def run():
        inside, go_on = threading.Event(), threading.Event()

        def pause():
            inside.set()
            go_on.wait(30)

        module = hot.load(paths[0], symbols={"pause_here": (pause, "void(void)")})
        worker = Worker(module.sorted)
        inside.wait(30)
        module.reload(paths[1])
        purged, reasons = module.soft_purge(), module.versions()[0].reasons
        try:
            module.purge(timeout=0.01)
        except hot.StillInUseError as error:
            told = error.reasons
        go_on.set()
        result = worker.wait()
        purge_all(module)
        return purged, "sorted()" in reasons[0], "sorted()" in told[0], result, len(module.versions()), module.sorted()

    assert in_child(run) == (False, True, True, 123, 1, 1239)


THREAD = """
#include <pthread.h>
#include <unistd.h>
static volatile int stop; static pthread_t thread; static volatile long turns;
static void *work(void *unused) {{ while (!stop) {{ turns++; {wait} }} return 0; }}
void begin(void) {{ pthread_create(&thread, 0, work, 0); }}
void end(void) {{ stop = 1; pthread_join(thread, 0); }}
long count(void) {{ return turns + {number} * 0; }}
int version(void) {{ return {number}; }}
"""


@pytest.mark.parametrize("wait", ["", "usleep(1000);"])
def test_a_thread_of_c_keeps_the_version_it_runs_in(compile, in_child, wait):
    paths = [compile(THREAD.format(wait=wait, number=number), flags="-fdata-sections") for number in (1, 2)]

    def run():
        module = hot.load(paths[0])
        module.begin()
        until(lambda: module.count() > 3)
        report = module.reload(paths[1])
        purged, reasons = module.soft_purge(), module.versions()[0].reasons
        module.end()
        purge_all(module)
        return len(report.in_flight), purged, "thread" in reasons[0], len(module.versions()), module.version

    assert in_child(run) == (1, False, True, 1, 2)


COROUTINE = """
#include <ucontext.h>
static ucontext_t main_context, other; static char stack[65536]; static int steps;
static void body(void) {{ for (;;) {{ steps += {0}; swapcontext(&other, &main_context); }} }}
void begin(void) {{
    getcontext(&other); other.uc_stack.ss_sp = stack; other.uc_stack.ss_size = sizeof stack;
    makecontext(&other, body, 0);
}}
int resume(void) {{ swapcontext(&main_context, &other); return steps; }}
"""


def test_a_suspended_coroutine_keeps_its_version(compile, in_child):
    paths = [compile(COROUTINE.format(number), flags="-fdata-sections") for number in (1, 100)]

    def run():
        module = hot.load(paths[0])
        module.begin()
        module.resume()
        module.reload(paths[1])
        purged, reasons = module.soft_purge(), module.versions()[0].reasons
        return purged, bool(reasons), module.resume(), module.resume()

    assert in_child(run) == (False, True, 2, 3)


JUMP = """
#include <stdexcept>
#include <setjmp.h>
extern "C" void hook(void);
extern "C" int inner(int n) {{ hook(); if (n) throw std::runtime_error("inner {0}"); return {0}; }}
"""
CATCH = """
#include <stdexcept>
extern "C" int inner(int);
extern "C" int outer(int n) { try { return inner(n); } catch (std::runtime_error &error) { return error.what()[6]; } }
"""


def test_exceptions_pass_entries_and_old_frames_in_both_directions(compile, in_child):
    paths = [compile(JUMP.format(number), "c++") for number in (1, 2)]
    catcher = compile(CATCH, "c++")

    def run():
        turns = []

        def hook():
            if not turns:
                turns.append(module.reload(paths[1]))

        module = hot.load(paths[0], symbols={"hook": (hook, "void(void)")})
        other = hot.load(catcher)
        first, second = other.outer(1), other.outer(1)
        try:
            module.inner(1)
        except rtlinker.ForeignExceptionError as error:
            what = error.what
        purge_all(module)
        return chr(first), chr(second), what, hot.domain.calls.running

    assert in_child(run) == ("1", "2", "inner 2", {})


TLS = """
struct S {{ ~S(); int value = 1; }}; extern "C" void note(int); S::~S() {{ note({0}); }}
static thread_local S s;
extern "C" int use() {{ return s.value++ + 10 * {0}; }}
"""


def test_a_thread_local_object_is_destroyed_once_by_live_code(compile, in_child):
    paths = [compile(TLS.format(number), "c++", flags="-fdata-sections") for number in (1, 2)]

    def run():
        notes = []
        module = hot.load(paths[0], symbols={"note": (notes.append, "void(int)")})
        used, go_on = threading.Event(), threading.Event()

        def work():
            value = module.use()
            used.set()
            go_on.wait(30)
            return value, module.use()

        worker = Worker(work)
        used.wait(30)
        module.reload(paths[1])
        module.soft_purge()
        go_on.set()
        values = worker.wait()
        until(lambda: notes)  # the thread ends behind Python's part of it
        return values, notes

    assert in_child(run) == ((11, 22), [2])


def memory():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what is free in the heap is nobody's
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4


def mappings():
    with open("/proc/self/maps") as file:
        return sum("[heap]" not in line for line in file)


def test_reloads_leave_memory_mappings_and_descriptors_flat(compile, in_child):
    source = (
        "static int count; int f(void) {{ return {0} * 1000 + ++count % 7; }}"
        'const char *text(void) {{ return "version {0}"; }}'
    )
    paths = [compile(source.format(number), flags="-fdata-sections -g0") for number in (1, 2)]

    def run():
        module = hot.load(paths[0])
        f = module.function("f", "int(void)")
        stop = threading.Event()

        def look():
            while not stop.is_set():
                f()

        workers = [Worker(look) for _ in range(8)]
        for turn in range(200):
            module.reload(paths[(turn + 1) % 2])
        before = memory(), mappings(), len(os.listdir("/proc/self/fd"))
        for turn in range(ROUNDS):
            module.reload(paths[(turn + 1) % 2])
        stop.set()
        for worker in workers:
            worker.wait()
        purged = module.soft_purge()
        after = memory(), mappings(), len(os.listdir("/proc/self/fd"))
        return after[0] - before[0], after[1] - before[1], after[2] - before[2], purged, len(module.versions())

    grown, maps, files, purged, versions = in_child(run)
    assert grown <= 1024
    assert (maps <= 2, files, purged, versions) == (True, 0, True, 1)


ESCAPE = """
typedef int (*function)(void);
function kept[64]; static int number(void) {{ return {0}; }} static function get(void) {{ return number; }}
void keep(int at) {{ kept[at] = get(); }} int call(int at) {{ return kept[at](); }}
void forget(int at) {{ kept[at] = 0; }}
"""


def test_a_stored_pointer_to_a_static_function_keeps_its_version_until_it_is_gone(compile, in_child):
    paths = [compile(ESCAPE.format(number), flags="-O2 -fdata-sections") for number in (1, 2)]

    def run():
        module = hot.load(paths[0])
        module.keep(0)
        module.reload(paths[1])
        purged, reasons = module.soft_purge(), module.versions()[0].reasons
        called = module.call(0)
        module.forget(0)
        purge_all(module)
        return purged, "number" in reasons[0], called, len(module.versions())

    assert in_child(run) == (False, True, 1, 1)


def test_too_many_kept_versions_end_reloads_before_memory_does(compile, in_child):
    paths = [compile(ESCAPE.format(number), flags="-O2 -fdata-sections") for number in (1, 2)]

    def run():
        module = hot.load(paths[0], max_retained=10)
        for turn in range(60):
            module.keep(turn)
            try:
                module.reload(paths[(turn + 1) % 2])
            except hot.NotPurgedError as error:
                return turn, len(error.reasons) > 0, module.call(0), module.call(turn)
        return None

    turn, told, first, last = in_child(run)
    assert (turn < 30, told, first, last in {1, 2}) == (True, True, 1, True)


UNIQUE = """
template <class T> struct Box {{ static int value; static int &get() {{ static int inner = 5; return inner; }} }};
template <class T> int Box<T>::value = 3;
inline int &counter() {{ static int n = 0; return n; }}
extern "C" int use() {{ return {0} * (Box<int>::value++ + 10 * Box<int>::get()++ + 100 * counter()++); }}
"""


def test_unique_variables_live_on_and_the_module_still_goes_whole(compile, in_child):
    paths = [compile(UNIQUE.format(number), "c++", flags="-fdata-sections") for number in (1, -1)]

    def run():
        seen = []
        for _ in range(4):
            module = hot.load(paths[0])
            first = module.use()
            module.reload(paths[1])
            second = module.use()
            module.close()
            hot.domain.sweep()
            seen.append(mappings())
        return first, second, seen[-1] <= seen[1], hot.domain.closing

    assert in_child(run) == (53, -(4 + 60 + 100), True, [])


QUIET = (
    LATEST
    + """
#include <pthread.h>
int turn(void); RTL_LATEST(turn);
static volatile int stop; static pthread_t thread; static volatile long turns;
int turn(void) {{ turns++; return {0}; }}
static void *work(void *unused) {{ while (!stop) {{ turn_latest(); rtl_quiescent(); }} return 0; }}
void begin(void) {{ pthread_create(&thread, 0, work, 0); }}
void end(void) {{ stop = 1; pthread_join(thread, 0); }}
long count(void) {{ return turns; }}
"""
)


def test_a_thread_that_stays_in_old_code_keeps_it_even_when_it_calls_new_code(compile, in_child):
    paths = [compile(QUIET.format(number), flags="-fdata-sections") for number in (1, 2)]

    def run():
        module = hot.load(paths[0])
        module.begin()
        until(lambda: module.count() > 10)
        module.reload(paths[1])
        seen = module.count()
        until(lambda: module.count() > seen + 10)
        purged = module.soft_purge()
        seen = module.count()
        until(lambda: module.count() > seen + 10)
        module.end()
        purge_all(module)
        return purged, len(module.versions())

    assert in_child(run) == (False, 1)
