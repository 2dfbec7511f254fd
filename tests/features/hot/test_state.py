"""Variables live on at their address, by what they are and not by the compiler's numbers (T13, T14, T22, ...)."""

import threading

import pytest

from rtlinker import hot
from tests.support.hot import Worker

FUNCTIONS = {
    "f": "int f(void) { static int count = 100; return ++count; }",
    "g": "int g(void) { static int count = 200; return ++count; }",
    "h": "int h(void) { static int count = 300; return ++count; }",
}


@pytest.mark.parametrize("flags", ["-O2 -fdata-sections", "-O0 -fdata-sections", "-O2 -fPIC -fdata-sections"])
@pytest.mark.parametrize("order", ["fgh", "hfg", "gf", "ghf", "hgf"])
def test_static_locals_keep_their_values_when_functions_come_and_move(compile, in_child, flags, order):
    first = compile(FUNCTIONS["f"] + FUNCTIONS["g"], flags=flags)
    second = compile("".join(FUNCTIONS[name] for name in order), flags=flags)

    def run():
        module = hot.load(first)
        module.f(), module.f(), module.g()
        report = module.reload(second)
        return module.f(), module.g(), module.h() if "h" in order else 301, sorted(report.kept), report.fresh

    fresh = ("h::count",) if "h" in order else ()
    assert in_child(run) == (103, 202, 301, ["f::count", "g::count"], fresh)


def test_without_sections_for_each_variable_what_cannot_move_apart_is_refused(compile, in_child):
    first = compile(FUNCTIONS["f"] + FUNCTIONS["g"], flags="-O2")
    second = compile(FUNCTIONS["h"] + FUNCTIONS["f"] + FUNCTIONS["g"], flags="-O2")

    def run():
        module = hot.load(first)
        module.f()
        try:
            module.reload(second)
        except hot.IncompatibleLayoutError as error:
            return sorted(error.names), "-fdata-sections" in error.hint, module.f(), module.version

    assert in_child(run) == (["f::count", "g::count", "h::count"], True, 102, 1)


def test_without_sections_variables_that_lie_as_before_live_on(compile, in_child):
    sources = [f"static int a, b; int step(void) {{ return {extra} ++a * 100 + ++b; }}" for extra in ("", "1000000 +")]
    paths = [compile(source, flags="-O2") for source in sources]

    def run():
        module = hot.load(paths[0])
        module.step()
        module.reload(paths[1])
        return module.step()

    assert in_child(run) == 1000202


def test_without_debug_information_numbered_variables_are_refused_not_guessed(compile, in_child):
    first = compile(FUNCTIONS["f"] + FUNCTIONS["g"], flags="-O2 -g0 -fdata-sections")
    second = compile(FUNCTIONS["h"] + FUNCTIONS["f"] + FUNCTIONS["g"], flags="-O2 -g0 -fdata-sections")

    def run():
        module = hot.load(first)
        f = module.function("f", "int(void)")
        f()
        try:
            module.reload(second)
        except hot.IncompatibleLayoutError as error:
            return "-g" in error.hint, f(), module.version

    assert in_child(run) == (True, 102, 1)


def test_without_debug_information_a_lone_name_is_identity_enough(compile, in_child):
    source = """
    int extra(void) {{ return {}; }} static int s; int g(void) {{ return ++s; }}
    int f(void) {{ static int count; return ++count; }}
    """
    paths = [compile(source.format(number), flags="-O2 -g0 -fdata-sections") for number in (1, 2)]

    def run():
        module = hot.load(paths[0])
        f, g = (module.function(name, "int(void)") for name in "fg")
        f(), f(), g()
        report = module.reload(paths[1])
        return f(), g(), any("count" in text for text in report.unverified)

    assert in_child(run) == (3, 2, True)


GLOBALS = """
int counter = 5; static long hidden = 7; int common; char *text = "abc"; int *pointer = &counter;
{extra}
int *where(void) {{ return &counter; }}
long bump(void) {{ hidden++; common++; (*pointer)++; return {factor} * (hidden * 10000 + common * 100 + counter); }}
char *words(void) {{ return text; }}
"""


@pytest.mark.parametrize(
    "flags", ["-O2 -fcommon -fdata-sections", "-O0 -fPIC -fcommon -fdata-sections", "-fno-pic -fcommon -fdata-sections"]
)
def test_variables_keep_address_and_value(compile, in_child, flags):
    first = compile(GLOBALS.format(extra="", factor=1), flags=flags)
    second = compile(GLOBALS.format(extra="int fresh = 9; int get(void) { return fresh++; }", factor=-1), flags=flags)

    def run():
        module = hot.load(first)
        module.bump()
        addresses = [module.address(name) for name in ("counter", "hidden", "common", "pointer")]
        report = module.reload(second)
        same = addresses == [module.address(name) for name in ("counter", "hidden", "common", "pointer")]
        return same, module.bump(), module.get(), module.words(), module.words() and sorted(report.kept), report.fresh

    kept = ["common", "counter", "hidden", "pointer", "text"]
    assert in_child(run) == (True, -(9 * 10000 + 2 * 100 + 7), 9, "abc", kept, ("fresh",))


def test_new_globals_join_old_statics_without_sections_of_their_own(compile, in_child):
    sources = [
        "static int count; int bump(void) { return ++count; }",
        "int fresh; static int count; int bump(void) { return ++count * 10 + ++fresh; }",
    ]
    paths = [compile(source, flags="-O2") for source in sources]

    def run():
        module = hot.load(paths[0])
        module.bump()
        module.reload(paths[1])
        return module.bump(), module.bump()

    assert in_child(run) == (21, 32)


THREADS = """
__thread int mine = {value}; static __thread int own; {extra}
int bump(void) {{ return {factor} * (++mine * 100 + ++own); }}
"""


@pytest.mark.parametrize("flags", ["-O2 -fPIC -ftls-model=global-dynamic", "-O2", "-O2 -fPIC"])
def test_thread_local_variables_live_on_in_every_thread(compile, in_child, flags):
    first = compile(THREADS.format(value=1, extra="", factor=1), flags=flags)
    extra = "__thread int fresh = 5; int more(void) { return ++fresh; }"
    second = compile(THREADS.format(value=1, extra=extra, factor=-1), flags=flags)

    def run():
        module = hot.load(first)
        ready, go_on = threading.Barrier(9), threading.Barrier(9)

        def work(turns):
            for _ in range(turns):
                module.bump()
            ready.wait(30)
            go_on.wait(30)
            return module.bump(), module.more()

        workers = [Worker(lambda turns=turns: work(turns)) for turns in range(8)]
        ready.wait(30)
        module.reload(second)
        go_on.wait(30)
        return [worker.wait() for worker in workers], module.bump()

    expected = [(-((2 + turns) * 100 + 1 + turns), 6) for turns in range(8)]
    assert in_child(run) == (expected, -201)


CXX = """
#include <cstdio>
extern "C" void note(int);
struct S {{ int value; S() : value(7) {{ note(1); }} ~S() {{ note({number}0); }} }};
S &instance() {{ static S s; return s; }}
template <class T> int &counter() {{ static int n; return n; }}
inline int shared = 1;
extern "C" int use() {{ return {number} * (instance().value++ * 100 + ++counter<int>() + 10 * shared++); }}
"""


def test_a_static_object_is_made_once_and_destroyed_once_by_the_newest_code(compile, in_child):
    flags = "-O1 -std=c++17 -fdata-sections"
    paths = [compile(CXX.format(number=number), "c++", flags=flags) for number in (1, 2)]

    def run():
        notes = []
        module = hot.load(paths[0], symbols={"note": (notes.append, "void(int)")})
        first = module.use()
        for turn in range(100):
            module.reload(paths[(turn + 1) % 2])
        last = module.use()
        module.reload(paths[1])
        again = module.use()
        module.close()
        return first, last, again, notes

    assert in_child(run) == (700 + 1 + 10, 800 + 2 + 20, 2 * (900 + 3 + 30), [1, 20])


def test_a_changed_initialiser_keeps_the_live_value_and_is_told(compile, in_child):
    paths = [
        compile(f"int cfg = {value}; int get(void) {{ return cfg; }}", flags="-fdata-sections") for value in (7, 8)
    ]

    def run():
        module = hot.load(paths[0])
        module["cfg"].value = 42
        report = module.reload(paths[1])
        kept = module.get()
        module.reload(paths[0])
        again = module.reload(paths[1], reset=["cfg"])
        return kept, [note for note in report.notes if "cfg" in note], module.get(), again.fresh

    assert in_child(run) == (42, ["cfg: initialiser 7 -> 8, the live value is kept"], 8, ("cfg",))


def test_a_variable_whose_writer_is_gone_is_told_with_its_live_value(compile, in_child):
    first = compile("static int cfg = 7; void set(int v) { cfg = v; } int get(void) { return cfg; }", flags="-O2")
    second = compile("static int cfg = 7; int get(void) { return cfg; }", flags="-O2")

    def run():
        module = hot.load(first)
        module.function("set")(42)
        try:
            module.prepare(second, strict=True, allow=["set"])
        except hot.UnverifiedError as error:
            refused = list(error.unverified)
        report = module.reload(second, allow=["set"])
        return refused, report.dropped

    text = "cfg = 42, removed by the compiler"
    refused, dropped = in_child(run)
    assert dropped == (text,)
    assert refused == [f"variable {text}"]


def test_a_vanished_variable_is_told_and_begins_anew_when_it_comes_back(compile, in_child):
    first = compile("int a = 1; int b = 2; int f(void) { return a++ + 10 * b++; }", flags="-fdata-sections")
    second = compile("int a = 1; int f(void) { return a++; }", flags="-fdata-sections")

    def run():
        module = hot.load(first)
        module.f()
        report = module.reload(second)
        last = module.f()
        again = module.reload(first)
        return report.dropped, last, again.fresh, module.f()

    assert in_child(run) == (("b = 3",), 2, ("b",), 23)


def test_another_module_s_variable_is_one_variable_for_both(compile, in_child):
    owner = [
        compile(f"int shared = 1; int add(void) {{ return shared += {n}; }}", flags="-fdata-sections") for n in (1, 10)
    ]
    user = compile("extern int shared; int look(void) { return shared; }")

    def run():
        module, other = hot.load(owner[0]), hot.load(user)
        module.add()
        module.reload(owner[1])
        module.add()
        return other.look(), module["shared"].value

    assert in_child(run) == (12, 12)


def test_constants_of_old_versions_stay_readable(compile, in_child):
    source = 'const char *kept; const char *text(void) {{ return "{}"; }} void keep(void) {{ kept = text(); }}'
    paths = [compile(source.format(word), flags="-fdata-sections") for word in ("first", "second", "third")]

    def run():
        module = hot.load(paths[0])
        module.reload(paths[1])
        module.keep()
        module.reload(paths[2])
        module.reload(paths[0])
        module.soft_purge()
        return module["kept"].value, module.text()

    assert in_child(run) == ("second", "first")
