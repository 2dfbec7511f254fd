"""What linked code registers for later is told, changed, taken back, and run once, whatever libc does with it."""

import ctypes
import os
import time

import pytest

import rtlinker
from rtlinker.hot.registry import Registry

C = """
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
void note(int);
extern int __cxa_atexit(void (*)(void *), void *, void *);
static void first(void) { note(1); }
static void second(void *p) { note(*(int *)p); }
static void third(int status, void *p) { note(status + *(int *)p); }
static int two = 2, three = 3;
void plain(void) { atexit(first); }
void all(void) { atexit(first); __cxa_atexit(second, &two, 0); on_exit(third, &three); }
static void again(void) { note(4); atexit(first); }
void nested(void) { atexit(again); }
static void q1(void) { note(11); }
static void q2(void) { note(12); }
void quick(void) { at_quick_exit(q1); at_quick_exit(q2); }
static void before(void) { note(21); }
static void parent(void) { note(22); }
static void child(void) { note(23); }
static void before2(void) { note(31); }
static void child2(void) { note(33); }
void forks(void) { pthread_atfork(before, parent, child); pthread_atfork(before2, 0, child2); }
void replaced(void) { note(99); }
"""
NOTES = """
#include <unistd.h>
static int end = -1;
void note_to(int descriptor) { end = descriptor; }
void note(int n) { char c = n; if (write(end, &c, 1) < 0) _exit(66); }
"""


@pytest.fixture
def notes(shared):
    return str(shared(NOTES, "libnotes.so"))


class Notes:
    """What native code notes, also in forked children and when Python is gone."""

    def __init__(self, path):
        self.reader, writer = os.pipe()
        ctypes.CDLL(path).note_to(writer)
        os.set_blocking(self.reader, False)

    def taken(self):
        try:
            return list(os.read(self.reader, 100))
        except BlockingIOError:
            return []


def around(noted, before, parent, child):
    """Whether notes are `before`, and then the two others interleaved somehow."""
    rest = noted[len(before) :]
    return (
        noted[: len(before)] == before
        and [n for n in rest if n in parent] == parent
        and [n for n in rest if n not in parent] == child
    )


def loaded(path, notes, registry, **more):
    wanted = {name for name in registry.definitions() if name != "rtl_quiescent"}
    return rtlinker.load(path, libraries=[notes], symbols=registry.definitions(wanted), **more)


def exits(function, *arguments):
    """The exit code of a forked child that leaves by a C function that ends the process."""
    child = os.fork()
    if not child:
        function(*arguments)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def described(library, registrations):
    return [(each.kind, (library.linker.describe(each.function) or "").partition("+")[0]) for each in registrations]


def span_of(library):
    (live,) = library.linker.images
    return live.image.address, live.image.address + live.image.layout.size


def test_handlers_run_once_at_exit_the_latest_first(compile, notes, in_child):
    path = compile(C)

    def call():
        out, registry = Notes(notes), Registry()
        library = loaded(path, notes, registry)
        library.all()
        code = exits(ctypes.CDLL(None).exit, 7)
        return code, out.taken()

    assert in_child(call) == (7, [10, 2, 1])


def test_what_was_run_at_the_end_of_the_module_is_not_run_at_exit(compile, notes, in_child):
    path = compile(C)

    def call():
        out, registry = Notes(notes), Registry()
        library = loaded(path, notes, registry)
        library.all()
        library.nested()
        registry.run()
        ran = out.taken()
        registry.close()
        library.unload()
        return ran, exits(ctypes.CDLL(None).exit, 0), out.taken(), registry.pending()

    assert in_child(call) == ([4, 1, 3, 2, 1], 0, [], ())


def test_pending_tells_what_would_call_into_a_piece_of_code(compile, notes, in_child):
    path = compile(C)

    def call():
        out, registry = Notes(notes), Registry()
        registry.set_epoch(5)
        before = time.monotonic()
        library = loaded(path, notes, registry)
        library.all()
        library.forks()
        library.quick()
        found = registry.pending(*span_of(library))
        return (
            described(library, found),
            {each.epoch for each in found},
            all(before <= each.since <= time.monotonic() for each in found),
            [library.linker.describe(each.caller).partition("+")[0] for each in found[:3]],
            [ctypes.c_int.from_address(each.argument).value if each.argument else 0 for each in found],
            registry.pending(1, 2),
            found[0].says(lambda address: library.linker.describe(address).partition("+")[0]),
            out.taken(),
        )

    kinds, epochs, when, callers, arguments, none, says, ran = in_child(call)
    assert kinds == [
        ("atexit", "first"),
        ("__cxa_atexit", "second"),
        ("on_exit", "third"),
        ("pthread_atfork", "before"),
        ("pthread_atfork", "parent"),
        ("pthread_atfork", "child"),
        ("pthread_atfork", "before2"),
        ("pthread_atfork", "child2"),
        ("at_quick_exit", "q1"),
        ("at_quick_exit", "q2"),
    ]
    assert (epochs, when, none, ran) == ({5}, True, (), [])
    assert callers[:2] == ["all", "all"]
    assert arguments == [0, 2, 3, 0, 0, 0, 0, 0, 0, 0]
    assert says == "atexit handler first"


def test_another_function_can_take_the_place_of_one_that_goes(compile, notes, in_child):
    path, newer = compile(C), compile(C.replace("note(1)", "note(41)").replace("note(23)", "note(42)"))

    def call():
        out, registry = Notes(notes), Registry()
        old = loaded(path, notes, registry)
        old.plain()
        old.forks()
        new = loaded(newer, notes, registry)
        names = ("first", "before", "parent", "child", "before2", "child2", "q1")
        changed = [registry.rebind(old.address(name), new.address(name)) for name in names]
        left = registry.pending(*span_of(old))
        old.unload()
        code = exits(ctypes.CDLL(None).exit, 0)
        return changed, left, code, around(out.taken(), [31, 21], [22], [42, 33, 41])

    assert in_child(call) == ([1, 1, 1, 1, 1, 1, 0], (), 0, True)


def test_handlers_of_fork_run_in_posix_order_on_both_sides(compile, notes, in_child):
    path = compile(C)

    def call():
        out, registry = Notes(notes), Registry()
        library = loaded(path, notes, registry)
        library.forks()
        exits(os._exit, 0)
        right = around(out.taken(), [31, 21], [22], [23, 33])
        registry.close()
        exits(os._exit, 0)
        return right, out.taken()

    assert in_child(call) == (True, [])


def test_handlers_of_quick_exit_run_once_each_the_latest_first(compile, notes, in_child):
    path = compile(C)

    def call():
        out, one, other = Notes(notes), Registry(), Registry()
        first, second = loaded(path, notes, one), loaded(path, notes, other)
        first.quick()
        second.quick()
        first.quick()
        quick_exit = ctypes.CDLL(None).quick_exit
        codes = [exits(quick_exit, 5)]
        seen = [out.taken()]
        one.withdraw(one.pending(first.address("q1"), first.address("q1") + 1))
        codes.append(exits(quick_exit, 6))
        seen.append(out.taken())
        one.close()
        codes.append(exits(quick_exit, 7))
        seen.append(out.taken())
        return codes, seen

    assert in_child(call) == ([5, 6, 7], [[12, 11, 12, 11, 12, 11], [12, 12, 11, 12], [12, 11]])


def test_what_was_withdrawn_never_runs(compile, notes, in_child):
    path = compile(C)

    def call():
        out, registry = Notes(notes), Registry()
        library = loaded(path, notes, registry)
        library.all()
        library.forks()
        registry.withdraw(registry.pending(*span_of(library)))
        library.unload()
        registry.run()
        return registry.pending(), exits(ctypes.CDLL(None).exit, 3), out.taken()

    assert in_child(call) == ((), 3, [])


def test_some_can_be_run_and_the_others_wait(compile, notes, in_child):
    path = compile(C)

    def call():
        out, registry = Notes(notes), Registry()
        library = loaded(path, notes, registry)
        library.all()
        registry.run(registry.pending(library.address("second"), library.address("second") + 1))
        first = out.taken()
        registry.run()
        return first, out.taken()

    assert in_child(call) == ([2], [3, 1])


def test_thousands_are_run_in_order(compile, in_child):
    source = """
    #include <stdlib.h>
    static int ran, wrong;
    extern int __cxa_atexit(void (*)(void *), void *, void *);
    static void take(void *n) { ran++; wrong += (long)n != 3000 - ran; }
    void make(void) { for (long n = 0; n < 3000; n++) __cxa_atexit(take, (void *)n, 0); }
    int right(void) { return wrong ? -1 : ran; }
    """
    path = compile(source)

    def call():
        registry = Registry()
        library = rtlinker.load(path, symbols=registry.definitions())
        library.make()
        registry.run()
        return library.right(), registry.pending()

    assert in_child(call) == (3000, ())


def test_an_exception_of_a_handler_does_not_keep_the_others(compile, notes, in_child):
    source = """
    #include <cstdlib>
    #include <stdexcept>
    extern "C" void note(int);
    static void first() { note(1); }
    static void throws() { throw std::runtime_error("no"); }
    extern "C" void make() { atexit(first); atexit(throws); atexit(first); }
    """
    path = compile(source, "c++")

    def call():
        out, registry = Notes(notes), Registry()
        library = loaded(path, notes, registry)
        library.make()
        with pytest.raises(rtlinker.ForeignExceptionError) as caught:
            registry.run()
        return caught.value.what, out.taken(), registry.pending()

    assert in_child(call) == ("no", [1, 1], ())


def test_statics_of_cxx_are_registered_too_and_destroyed_once(compile, notes, in_child):
    source = """
    extern "C" void note(int);
    struct Counted { int n; Counted(int n) : n(n) { } ~Counted() { note(n); } };
    static Counted early(1);
    extern "C" void late() { static Counted once(2); }
    """
    path = compile(source, "c++", flags="-g")

    def call():
        out, registry = Notes(notes), Registry()
        library = loaded(path, notes, registry)
        library.late()
        library.late()
        kinds = [each.kind for each in registry.pending(*span_of(library))]
        registry.close()
        library.unload()
        return kinds, out.taken()

    assert in_child(call) == (["__cxa_atexit"] * 2, [2, 1])


def test_what_is_pending_when_python_ends_is_run_then(compile, notes, tmp_path):
    import subprocess
    import sys

    from tests.support.child import CHECKOUT

    path = compile(C)
    program = f"""
import ctypes, rtlinker
from rtlinker.hot.registry import Registry
registry = Registry()
print_it = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda n: print("ran", n, flush=True))
symbols = dict(registry.definitions(), note=ctypes.cast(print_it, ctypes.c_void_p).value)
rtlinker.load({str(path)!r}, symbols=symbols).all()
print("ends", flush=True)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={"PYTHONPATH": str(CHECKOUT)}
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "ends\nran 3\nran 2\nran 1\n", "")


def test_registering_and_closing_ten_thousand_times_leaves_nothing(compile, notes, in_child):
    path = compile(C)

    def call():
        from rtlinker.hot.records import routines, word_at
        from rtlinker.x86_64.registry import NEXT, WORDS
        from tests.support.child import memory_map

        out, registry = Notes(notes), Registry()
        library = loaded(path, notes, registry)
        for _ in range(10_000):
            library.plain()
            library.quick()
            library.forks()
            registry.withdraw(registry.pending())
        count, at = 0, word_at(routines().words + WORDS["HEAD"]).value
        while at:
            count, at = count + 1, word_at(at + 8 * NEXT).value
        before = len(memory_map())
        for _ in range(100):
            Registry().close()
        return count, len(memory_map()) <= before + 2, out.taken()

    assert in_child(call) == (5, True, [])
