"""Several modules by one store, several threads, copies of the process (T29, T30, T31, T37, T39, T40)."""

import os
import shutil
import threading

import pytest

import rtlinker
from rtlinker import hot
from tests.support.hot import Worker, until

ORDER = """
#include <pthread.h>
int a(void); int b(void);
static volatile int stop; static long wrong, turns; static pthread_t threads[4];
static void *look(void *unused) {
    while (!stop) {
        int x = a(), y = b();
        if (x > y) __atomic_add_fetch(&wrong, 1, 0);
        __atomic_add_fetch(&turns, 1, 0);
    }
    return 0;
}
void begin(void) { for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, look, 0); }
long end(void) { stop = 1; for (int i = 0; i < 4; i++) pthread_join(threads[i], 0); return wrong; }
long count(void) { return turns; }
"""


def test_native_threads_never_see_a_new_version_and_then_an_old_one(compile, in_child):
    looker = compile(ORDER, flags="-O2")
    count = 40
    a = [compile(f"int a(void) {{ return {number}; }}", flags="-g0", name=f"a{number}.o") for number in range(count)]
    b = [compile(f"int b(void) {{ return {number}; }}", flags="-g0", name=f"b{number}.o") for number in range(count)]

    def run():
        first, second = hot.load(a[0], name="a"), hot.load(b[0], name="b")
        third = hot.load(looker)
        third.begin()
        for number in range(1, count):
            seen = third.count()
            first.paths, second.paths = (a[number],), (b[number],)
            hot.reload(first, second)
            until(lambda seen=seen: third.count() > seen + 100)
        wrong = third.end()
        return wrong, first.version, first.soft_purge(), second.soft_purge()

    assert in_child(run) == (0, count, True, True)


def test_two_threads_that_reload_take_turns_and_one_s_failure_is_its_own(compile, in_child):
    good = [compile(f"int f(void) {{ return {number}; }}") for number in (1, 2)]
    bad = compile("int gone(void); int f(void) { return gone(); }")

    def run():
        module = hot.load(good[0])

        def reload(paths):
            outcomes = []
            for turn in range(20):
                try:
                    outcomes.append(module.reload(paths[turn % len(paths)], forced=True).version > 0)
                except rtlinker.UndefinedSymbolsError:
                    outcomes.append(False)
            return outcomes

        workers = [Worker(lambda: reload(good)), Worker(lambda: reload([bad]))]
        return [set(worker.wait()) for worker in workers], module.f() in {1, 2}, module.version

    assert in_child(run) == ([{True}, {False}], True, 21)


@pytest.mark.parametrize("broken", ["constructor", "undefined", "layout"])
def test_three_modules_change_all_or_none(compile, in_child, broken):
    names = ("a", "b", "c")
    old = {
        name: compile(f"int state_{name} = 1; int {name}(void) {{ return 1; }}", name=f"{name}1.o") for name in names
    }
    new = {
        name: compile(f"int state_{name} = 1; int {name}(void) {{ return 2; }}", name=f"{name}2.o") for name in names
    }
    worse = {
        "constructor": "void abort(void); __attribute__((constructor)) static void start(void) { abort(); }",
        "undefined": "int gone(void); int more(void) { return gone(); }",
        "layout": "long state_c = 1;",
    }[broken]
    state = "" if broken == "layout" else "int state_c = 1;"
    bad = compile(f"{state} {worse} int c(void) {{ return 2; }}", name="bad.o")

    def run():
        modules = [hot.load(old[name], name=name) for name in names]
        for module in modules:
            module.paths = (new[module.name],)
        modules[2].paths = (bad,)
        try:
            hot.reload(*modules)
        except rtlinker.LinkError as error:
            kind = type(error).__name__
        before = [module.function(module.name)() for module in modules], [module.version for module in modules]
        modules[2].paths = (new["c"],)
        hot.reload(*modules)
        return kind, before, [module.function(module.name)() for module in modules]

    kinds = {"constructor": "CrashError", "undefined": "UndefinedSymbolsError", "layout": "IncompatibleLayoutError"}
    assert in_child(run) == (kinds[broken], ([1, 1, 1], [1, 1, 1]), [2, 2, 2])


def test_modules_that_need_each_other_are_loaded_and_reloaded_together_and_apart(compile, in_child):
    def even(number):
        return f"int odd(int n); int even(int n) {{ return n ? odd(n - 1) : {number}; }}"

    def odd(number):
        return f"int even(int n); int odd(int n) {{ return n ? even(n - 1) : -{number}; }}"

    a = [compile(even(number), name=f"even{number}.o") for number in (1, 2, 3)]
    b = [compile(odd(number), name=f"odd{number}.o") for number in (1, 2, 3)]
    changed = compile("int odd(int n); long even(long n) { return n ? odd(n - 1) : 9; }", name="even4.o")

    def run():
        first, second = hot.load_together(a[0], b[0])
        seen = [first.even(4), second.odd(4)]
        first.reload(a[1])
        seen += [first.even(4), second.odd(3)]
        first.paths, second.paths = (a[2],), (b[2],)
        hot.reload(first, second)
        seen += [first.even(4), first.even(3)]
        try:
            first.reload(changed)
        except hot.IncompatibleSignatureError as error:
            return seen, "module odd1" in str(error)

    assert in_child(run) == ([1, -1, 2, 2, 3, -3], True)


@pytest.mark.parametrize("way", ["copy", "rename", "truncate and write"])
def test_a_file_may_be_replaced_in_any_way_while_calls_run(compile, in_child, tmp_path, way):
    versions = [compile(f"int f(void) {{ return {number}; }}") for number in (1, 2)]

    def replace(source, path):
        if way == "rename":
            shutil.copyfile(source, tmp_path / "fresh")
            (tmp_path / "fresh").rename(path)
        elif way == "copy":
            shutil.copyfile(source, path)
        else:
            content = source.read_bytes()
            with open(path, "r+b") as file:
                file.truncate(0)
                for at in range(0, len(content), 512):
                    file.write(content[at : at + 512])
                    file.flush()

    def run():
        path = tmp_path / "module.o"
        shutil.copyfile(versions[0], path)
        module = hot.load(path)
        stop = threading.Event()

        def look():
            seen = set()
            while not stop.is_set():
                seen.add(module.f())
            return seen

        workers = [Worker(look) for _ in range(3)]
        writer = Worker(lambda: [replace(versions[(turn + 1) % 2], path) for turn in range(30)])
        refused = 0
        while writer.is_alive():
            try:
                module.reload()
            except rtlinker.LinkError:
                refused += 1
        writer.wait()
        module.reload()
        stop.set()
        return [worker.wait() <= {1, 2} for worker in workers], module.f(), refused == 0 or way != "rename"

    assert in_child(run) == ([True] * 3, 1, True)


def test_a_forked_child_reloads_for_itself(compile, in_child):
    paths = [
        compile(f"int n; int f(void) {{ return {number} * 100 + ++n; }}", flags="-fdata-sections") for number in (1, 2)
    ]

    def run():
        module = hot.load(paths[0])
        stop = threading.Event()

        def look():
            while not stop.is_set():
                module.f()

        workers = [Worker(look) for _ in range(3)]
        until(lambda: module["n"].value > 100)
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            module["n"].value = 0
            module.reload(paths[1])
            os.write(writer, f"{module.f()} {module.version} {module.soft_purge()}".encode())
            os._exit(0)
        os.waitpid(child, 0)
        stop.set()
        for worker in workers:
            worker.wait()
        return os.read(reader, 100), module.version, module.f() // 100 > 0

    assert in_child(run) == (b"201 2 True", 1, True)


def test_without_proc_versions_are_freed_by_epochs(compile, in_child):
    import ctypes

    paths = [compile(f"int f(void) {{ return {number}; }}") for number in (1, 2)]

    def run():
        assert ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) == 0  # PR_SET_DUMPABLE
        module = hot.load(paths[0])
        for turn in range(20):
            module.reload(paths[(turn + 1) % 2])
        return module.soft_purge(), module.f(), len(module.versions())

    assert in_child(run) == (True, 1, 1)


def test_modules_that_need_new_variables_of_each_other_are_refused_with_their_names(compile, in_child):
    a = compile("int one = 1; int a(void) { return one; }", name="a.o")
    b = compile("extern int in_c; int in_b = 2; int b(void) { return in_c; }", name="b.o")
    c = compile("extern int in_b; int in_c = 3; int c(void) { return in_b; }", name="c.o")
    d = compile("extern int one, in_b; int d(void) { return one + in_b; }", name="d.o")
    e = compile("int in_b = 4; int b(void) { return in_b; }", name="e.o")

    def run():
        try:
            hot.load_together(a, b, c)
        except rtlinker.UndefinedSymbolsError as error:
            refused = [symbol.name for symbol in error.symbols], len(hot.domain.modules)
        modules = hot.load_together(d, e, a)  # in any order where there is one
        return refused, modules[0].d()

    assert in_child(run) == ((["in_c"], 0), 5)
