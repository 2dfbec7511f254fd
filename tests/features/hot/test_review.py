"""Cases that a strict review found: who leads to which version, and what keeps old code."""

import ctypes
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

import rtlinker
from rtlinker import hot
from tests.support.hot import Worker
from tests.support.interrupts import Interrupter

ADDRESSES = """
typedef int (*F)(void);
int f(void) { return 1; }
int equal(void) {
    volatile F p[16];
    for (int i = 0; i < 16; i++) p[i] = 0;
    p[0] = f; p[1] = f; p[2] = f; p[3] = f; p[4] = f; p[5] = f; p[6] = f; p[7] = f;
    p[8] = f; p[9] = f; p[10] = f; p[11] = f; p[12] = f; p[13] = f; p[14] = f; p[15] = f;
    for (int i = 1; i < 16; i++) if (p[i] != p[0]) return 0;
    return 1;
}
"""


def test_an_immediate_address_is_no_call_whatever_byte_is_before_it(compile, in_child):
    """`movq $f, -24(%rbp)` has e8, the opcode of a call, in front of the address."""
    file = compile(ADDRESSES, flags="-O0 -fno-pic -g0")
    assert b"\x48\xc7\x45\xe8" in file.read_bytes()

    def run():
        return hot.load(file, into=hot.Domain()).function("equal", "int(void)")()

    assert in_child(run) == 1


RETURNING = "int f(void (*wait)(void)) {{ wait(); return {0}; }} int other(void) {{ return {0}; }}"


def test_a_function_that_comes_back_while_its_old_self_runs_is_there(compile, in_child):
    first, third = (compile(RETURNING.format(number), name=f"{number}.o") for number in (1, 3))
    second = compile("int other(void) { return 2; }", name="2.o")

    def run():
        module = hot.load(first, into=hot.Domain())
        entered, leave = threading.Event(), threading.Event()

        @ctypes.CFUNCTYPE(None)
        def wait():
            entered.set()
            leave.wait()

        address = ctypes.cast(wait, ctypes.c_void_p).value
        old = module.function("f", "int(void *)")
        worker = Worker(lambda: old(address))
        entered.wait()
        module.reload(second, allow=["f"])
        module.reload(third)
        leave.set()
        answers = [worker.wait()]
        module.domain.sweep()
        return [*answers, module.function("f", "int(void *)")(address)]

    assert in_child(run) == [1, 3]


SHARED_SECTION = """
struct B { virtual int a(); virtual int b(); int x; };
extern "C" const int table[4]; extern "C" const int table[4] = {%d, 2, 3, 4};
int B::a() { return 1; } int B::b() { return 2; }
extern "C" int get(int i) { return *(const volatile int *)&table[i]; }
extern "C" B *make() { static B b; return &b; }
"""


def test_constants_in_the_section_of_a_virtual_table_are_the_new_versions(compile, in_child):
    files = [
        compile(SHARED_SECTION % number, "c++", "-O2 -fno-pic", compiler="clang++", name=f"{number}.o")
        for number in (1, 77)
    ]

    def run():
        module = hot.load(files[0], into=hot.Domain(), libraries=["stdc++"])
        get = module.function("get", "int(int)")
        before = get(0)
        module.reload(files[1])
        return before, get(0)

    assert in_child(run) == (1, 77)


CONSTANT_TABLE = """
typedef struct {{ int (*step)(void); int (*other)(void); }} ops;
static int step(void) {{ return {0}; }} static int other(void) {{ return 0; }}
static const ops table = {{step, other}};
const ops *current;
void start(void) {{ if (!current) current = &table; }}
void stop(void) {{ current = 0; }}
int run(void) {{ return current->step(); }}
"""


def test_a_constant_table_of_static_functions_keeps_their_version_while_it_is_pointed_to(compile, in_child):
    files = [compile(CONSTANT_TABLE.format(number), flags="-O1 -fPIC", name=f"{number}.o") for number in (1, 2)]

    def run():
        module = hot.load(files[0], into=hot.Domain(), keep=0)
        module.start()
        module.reload(files[1])
        answers = [module.soft_purge(), module.run()]
        module.stop()
        answers.append(module.soft_purge())
        module.start()
        return [*answers, module.run()]

    assert in_child(run) == [False, 1, True, 2]


LOCAL_CLASS = """
namespace { struct B { virtual int a(); int x; }; int B::a() { return %d; } }
extern "C" { void *keep; }
extern "C" void make() { if (!keep) keep = new B; }
extern "C" int old() { B *b = (B *)keep; asm volatile("" : "+r"(b)); return b->a(); }
extern "C" int fresh() { B *b = new B; asm volatile("" : "+r"(b)); return b->a(); }
"""


def test_old_objects_of_a_class_in_an_anonymous_namespace_keep_their_methods(compile, in_child):
    files = [compile(LOCAL_CLASS % number, "c++", "-O1 -fPIC", name=f"{number}.o") for number in (1, 2)]

    def run():
        module = hot.load(files[0], into=hot.Domain(), libraries=["stdc++"], keep=0)
        module.make()
        module.reload(files[1])
        return module.soft_purge(), module.old(), module.fresh()

    assert in_child(run) == (False, 1, 2)


def test_an_interrupted_reload_has_happened_or_has_not(compile, in_child):
    files = [compile(f"int n = 1; int f(void) {{ return n + {number}; }}", name=f"{number}.o") for number in (1, 2)]
    directory = str(Path(hot.__file__).parent)
    watched = [f"{directory}/{name}.py" for name in ("transaction", "domain", "entries", "state", "retire")]

    def run():
        module = hot.load(files[0], into=hot.Domain())
        f = module.function("f", "int(void)")
        interrupter, wrong = Interrupter(watched), []
        turns = 0
        while interrupter.interrupts(lambda: module.reload(files[module.current.path == str(files[0])])):
            turns += 1
            number = 1 + (module.current.path == str(files[1]))
            if (f(), module.running()["f"]) != (1 + number, module.version):
                wrong.append(interrupter.last())
        return turns > 100, wrong, len(module.versions())

    assert in_child(run) == (True, [], 2)


GROWING = "struct state {{ int a{1}; }} s = {{ 4 }}; int f(void) {{ return s.a + {0}; }}"


def migrating(compile, use):
    """What `use(module)` gives while another thread is in the middle of a migration."""
    first = compile(GROWING.format(0, ""), name="first.o")
    second = compile(GROWING.format(10, ", b"), name="second.o")
    module = hot.load(first, into=hot.Domain())
    module.f  # noqa: B018 - while the migration runs, looking up waits
    entered, leave = threading.Event(), threading.Event()

    def move(old, new):
        entered.set()
        leave.wait()

    worker = Worker(lambda: module.reload(second, migrate={"s": move}, assume_no_live=["state"]))
    entered.wait()
    try:
        return use(module)
    finally:
        leave.set()
        worker.wait()


def test_a_copy_of_the_process_made_during_a_migration_calls_the_old_version(compile, in_child):
    def fork(module):
        child = os.fork()
        if not child:
            signal.alarm(20)
            os._exit(module.f())
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert in_child(migrating, compile, fork) == 4


def test_an_interrupt_of_a_call_that_waits_is_no_other_exception(compile, in_child):
    def interrupt(module):
        calls, f = module.domain.calls, module.f

        class Noted(dict):
            def pop(self, *key):
                result = super().pop(*key)
                exception = ctypes.py_object(KeyboardInterrupt)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.get_ident()), exception)
                return result

        noted = Noted(calls.running)
        f._domain = noted, calls.epoch, calls.gates
        try:
            f()
        except BaseException as error:
            return type(error), dict(noted)

    assert in_child(migrating, compile, interrupt) == (KeyboardInterrupt, {})


NASM = """section .data
table: dq f
section .text
global f
global get
f: mov eax, %d
 ret
get: mov rax, [rel table]
 ret
"""


def kept_by_memory(files, step):
    """What `step(module)` gives for the first version, whether that goes at once, and what `step` gives then."""
    module = hot.load(files[0], into=hot.Domain(), keep=0)
    first = step(module)
    module.reload(files[1])
    return first, module.soft_purge(), step(module)


def test_a_function_whose_address_is_named_by_its_section_is_not_freed_under_it(tmp_path, in_child):
    files = []
    for number in (1, 2):
        source = tmp_path / f"{number}.asm"
        source.write_text(NASM % number)
        files.append(source.with_suffix(".o"))
        subprocess.run(["nasm", "-felf64", source, "-o", files[-1]], check=True)

    def run():
        held = []

        def step(module):
            held[:] = held or [module.function("get", "void *(void)")()]
            return ctypes.CFUNCTYPE(ctypes.c_int)(held[0])()

        return kept_by_memory(files, step)

    assert in_child(run) == (1, False, 1)


LABELS = """
void *state;
int step(void) {{
    if (state) goto *state;
    state = &&second; return {0};
second: state = &&third; return {0} + 1;
third: return {0} + 2;
}}
"""

WIDE = "int f(void) {{ return {0}; }} int (*kept)(void); int step(void) {{ if (!kept) kept = f; return kept(); }}"


@pytest.mark.parametrize(
    ("source", "flags", "answers"),
    [(LABELS, "-O2", (10, False, 11)), (WIDE, "-O0 -fno-pic -mcmodel=large", (10, False, 10))],
    ids=["a label", "large-model code"],
)
def test_an_address_that_code_takes_without_an_entry_keeps_its_version(compile, in_child, source, flags, answers):
    files = [compile(source.format(number), flags=flags, name=f"{number}.o") for number in (10, 20)]

    assert in_child(kept_by_memory, files, lambda module: module.function("step", "int(void)")()) == answers


def test_going_back_behind_another_signature_is_refused_while_somebody_calls_by_it(compile, in_child):
    ours = ["int f(int a) { return a; }", "int f(long *a) { return *a; }"]
    theirs = ["int f(int); int g(void) { return f(5); }", "int f(long *); int g(void) { long x = 7; return f(&x); }"]
    a, b = ([compile(source, name=f"{name}{at}.o") for at, source in enumerate(each)]
            for name, each in (("a", ours), ("b", theirs)))  # fmt: skip

    def run():
        domain = hot.Domain()
        first, second = hot.load(a[0], name="a", into=domain), hot.load(b[0], name="b", into=domain)
        first.paths, second.paths = (a[1],), (b[1],)
        hot.reload(first, second, allow=["f"])
        with pytest.raises(rtlinker.ReloadError, match="f with its new signature, called by b"):
            first.rollback()
        return second.g(), first.version

    assert in_child(run) == (7, 2)


def test_going_back_behind_another_signature_brings_the_old_entry_back(compile, in_child):
    files = [compile(source) for source in ("int f(int a) { return a + 1; }", "int f(long *a) { return *a; }")]

    def run():
        module = hot.load(files[0], into=hot.Domain())
        address = module.address("f")
        module.reload(files[1], allow=["f"])
        newer = module.f
        module.rollback()
        with pytest.raises(hot.StaleSignatureError):
            newer(0)
        answers = [module.address("f") == address, module.f(4), module.running()]
        module.reload(files[1], allow=["f"], forced=True)
        number = ctypes.c_long(9)
        return [*answers, module.f(ctypes.addressof(number))]

    assert in_child(run) == [True, 5, {"f": 1}, 9]


def test_a_module_is_not_closed_from_inside_a_call_that_another_module_began(compile, in_child):
    source = "int {0}(void (*call)(void)) {{ call(); return alive; }}"
    life = "static int alive = 1; __attribute__((destructor)) static void die(void) {{ alive = 0; }}"
    files = [compile(life.format() + source.format(name), name=f"{name}.o") for name in ("f", "g")]

    def run():
        domain, told = hot.Domain(), []
        inner, outer = hot.load(files[0], into=domain), hot.load(files[1], into=domain)
        f, g = inner.function("f", "int(void *)"), outer.function("g", "int(void *)")

        @ctypes.CFUNCTYPE(None)
        def close():
            try:
                inner.close()
            except rtlinker.LinkError as error:
                told.append(str(error).splitlines()[0])

        call = ctypes.CFUNCTYPE(None)(lambda: told.append(f(ctypes.cast(close, ctypes.c_void_p).value)))
        g(ctypes.cast(call, ctypes.c_void_p).value)
        inner.close()
        return told

    assert in_child(run) == ["module is in use", 1]


def test_a_refused_version_leaves_thread_local_variables_as_they_were(compile, in_child):
    source = "__thread int t = 1; int g = 1; int get(void) { return t * 100 + g; }"
    hook = "int __rtl_on_load(const void *told) { t = 9; g = 9; return 1; }"
    files = [compile(source, name="1.o"), compile(source + hook, name="2.o")]

    def run():
        module = hot.load(files[0], into=hot.Domain())
        with pytest.raises(rtlinker.ReloadError):
            module.reload(files[1])
        return module.get()

    assert in_child(run) == 101


def test_an_interrupted_rollback_has_happened_or_has_not(compile, in_child):
    files = [compile(f"int f(void) {{ return {number}; }}", name=f"{number}.o") for number in (1, 2)]
    directory = str(Path(hot.__file__).parent)
    watched = [f"{directory}/{name}.py" for name in ("rollback", "domain", "entries", "state", "retire")]

    def run():
        module = hot.load(files[0], into=hot.Domain())
        f = module.function("f", "int(void)")
        module.reload(files[1])
        interrupter, wrong, turns = Interrupter(watched), [], 0
        while interrupter.interrupts(module.rollback):
            turns += 1
            if (str(f()), module.running()["f"]) != (Path(module.current.path).stem, module.version):
                wrong.append(interrupter.last())
            if module.version == min(version.number for version in module.versions()):
                module.reload(files[module.current.path == str(files[0])])
        return turns > 50, wrong

    assert in_child(run) == (True, [])
