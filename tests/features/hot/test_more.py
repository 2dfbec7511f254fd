"""longjmp, rollbacks, removals under way, a class's identity, callers that change along (T9, T12, T20, T32, T38)."""

import threading
from ctypes import string_at

import pytest

import rtlinker
from rtlinker import hot
from tests.features.test_threads_in_code import deny_opening
from tests.support.hot import LATEST, Worker, purge_all, until

JUMPS = """
#include <setjmp.h>
void hook(void);
void leave(jmp_buf place, int value);
static jmp_buf place;
int enter(int how) {{ int seen = setjmp(place); if (seen) return seen + {0}000; hook(); leave(place, how); return -1; }}
"""
LEAVES = "#include <setjmp.h>\nvoid leave(jmp_buf place, int value) {{ longjmp(place, value + {0}); }}"


def test_longjmp_leaves_new_frames_into_old_ones_and_the_call_is_over(compile, in_child):
    files = [(compile(JUMPS.format(n)), compile(LEAVES.format(10 * n))) for n in (1, 2)]

    def run():
        def hook():
            if module.version == 1:
                module.reload(*files[1])

        module = hot.load(*files[0], symbols={"hook": (hook, "void(void)")})
        seen = module.enter(3), module.enter(3)
        return seen, hot.domain.calls.running, purge_all(module), module.enter(4)

    assert in_child(run) == ((1023, 2023), {}, True, 2024)


def test_a_rollback_runs_the_version_before_with_the_state_of_now(compile, in_child):
    source = "int n; int f(void) {{ return {0}00 + ++n; }} {1}"
    more = {1: "", 2: "int new(void) { return 5; }"}
    paths = [compile(source.format(*each), flags="-fdata-sections") for each in more.items()]

    def run():
        module = hot.load(paths[0])
        seen = [module.f()]
        module.reload(paths[1])
        seen.append(module.f())
        handle = module.new
        report = module.rollback()
        seen.append(module.f())
        try:
            handle()
        except hot.SymbolRemovedError as error:
            removed = error.name
        return seen, report.version, module.version, removed, module.running()

    assert in_child(run) == ([101, 202, 103], 1, 1, "new", {"f": 1})


def test_rollbacks_go_back_one_version_after_the_other_as_far_as_they_are_kept(compile, in_child):
    paths = [compile(f"int f(void) {{ return {number}; }}", name=f"f{number}.o") for number in (1, 2, 3, 4)]

    def run():
        module = hot.load(paths[0], keep=2)
        for path in paths[1:]:
            module.reload(path)
        seen = []
        for _ in range(2):
            module.rollback()
            seen.append((module.version, module.f()))
        try:
            module.rollback()
        except rtlinker.ReloadError as error:
            seen.append(dict(error.facts)["reason"])
        module.reload(paths[3])
        return seen, module.version, module.f()

    assert in_child(run) == ([(3, 3), (2, 2), "it was freed"], 5, 4)


def test_there_is_no_rollback_to_a_version_that_was_freed(compile, in_child):
    paths = [compile(f"int f(void) {{ return {number}; }}") for number in (1, 2)]

    def run():
        module = hot.load(paths[0])
        refused = []
        for path in (None, paths[1]):
            if path is not None:
                module.reload(path)
                module.purge()
            try:
                module.rollback()
            except rtlinker.ReloadError as error:
                refused.append((error.stage, dict(error.facts)["reason"]))
        return refused, module.f(), module.version

    assert in_child(run) == ([("rollback", "there was none"), ("rollback", "it was freed")], 2, 2)


SORT = """
#include <stdlib.h>
void pause_here(void);
{0}
int sorted(void) {{ int n[4] = {{ 3, 1, 2, 0 }}; {1} return n[0] * 1000 + n[1] * 100 + n[2] * 10 + n[3]; }}
"""
COMPARE = "int cmp(const void *a, const void *b) { pause_here(); return *(const int *)a - *(const int *)b; }"


def test_a_sort_goes_on_with_a_comparison_that_was_removed_meanwhile_or_the_removal_is_refused(compile, in_child):
    first = compile(SORT.format(COMPARE, "qsort(n, 4, sizeof *n, cmp);"))
    static = compile(SORT.format("static " + COMPARE, "qsort(n, 4, sizeof *n, cmp);"))
    second = compile(SORT.format("", ""))
    gone = compile("int other(void) { return 1; }")

    def run():
        found = []
        for path, new in ((static, second), (first, gone)):
            inside, go_on = threading.Event(), threading.Event()

            def pause(inside=inside, go_on=go_on):
                inside.set()
                go_on.wait(30)

            module = hot.load(path, into=hot.Domain(), symbols={"pause_here": (pause, "void(void)")})
            worker = Worker(module.sorted)
            inside.wait(30)
            try:
                module.reload(new)
                found.append(module.sorted())
            except hot.RemovedError as error:
                found.append("in sorted()" in str(error))
            go_on.set()
            found.append(worker.wait())
        return found

    assert in_child(run) == [3120, 123, True, 123]


KIND = """
#include <typeinfo>
struct Base {{ virtual int value(); virtual ~Base(); }};
struct Derived : Base {{ int value() override; }};
int Base::value() {{ return {0}; }} Base::~Base() {{}} int Derived::value() {{ return 10 * {0}; }}
extern "C" Base *make() {{ return new Derived; }}
extern "C" int kinds(Base *base, Base *other) {{
    int same = typeid(*base) == typeid(*other), derived = dynamic_cast<Derived *>(base) != nullptr;
    return same + 2 * derived + 4 * (base->value() == {0} * 10);
}}
"""


def test_objects_of_two_versions_are_of_one_class(compile, in_child):
    paths = [compile(KIND.format(number), "c++", flags="-fdata-sections") for number in (1, 2, 3)]

    def run():
        module = hot.load(paths[0])
        make = module.function("make", "unsigned long(void)")
        kinds = module.function("kinds", "int(unsigned long, unsigned long)")
        old = make()
        seen = []
        for path in paths[1:]:
            module.reload(path)
            seen.append(kinds(old, make()))
        return seen

    assert in_child(run) == [7, 7]


def test_an_address_beyond_reach_is_refused_and_nothing_of_the_set_is_seen(compile, in_child):
    first = [compile(f"int {name}(void) {{ return 1; }}", name=f"{name}1.o") for name in ("a", "b")]
    second = [
        compile("int a(void) { return 2; }", name="a2.o"),
        compile('__asm__(".globl b; .type b, @function; b: mov far_away, %eax; ret; .size b, .-b");', name="b2.o"),
    ]

    def run():
        modules = [hot.load(path, name=name, symbols={"far_away": 1 << 40}) for path, name in zip(first, "ab")]
        for module, path in zip(modules, second):
            module.paths = (path,)
        try:
            hot.reload(*modules)
        except rtlinker.RelocationOverflowError as error:
            return error.target, [module.version for module in modules], modules[0].a(), modules[1].b()

    target, versions, a, b = in_child(run)
    assert (versions, a, b) == ([1, 1], 1, 1)
    assert "far_away" in target


BY_NAME = [
    """
    struct in { short x; };
    struct st { int a; unsigned bits : 3; char name[8]; int many[2]; struct in inner[2]; void *self; };
    struct st state = { 1, 5, "name", { 7, 8 }, { { 3 }, { 4 } }, &state };
    int count = 70000; struct st both[2]; int f(void) { return 0; }
    """,
    """
    struct in { long y; long x; };
    struct st {
        long new; unsigned bits : 5; char name[16]; int many[3]; struct in inner[3]; long a; void *self;
    };
    struct st state = { 9 };
    long count; struct st both[3]; int f(void) { return 0; }
    """,
]


def test_by_name_copies_fields_in_structs_arrays_and_plain_values(compile, in_child):
    paths = [compile(source, flags="-fdata-sections") for source in BY_NAME]

    def run():
        module = hot.load(paths[0])
        old = module["state"].address
        module["both"].value[1].a = 12
        names = dict.fromkeys(["state", "count", "both"], hot.by_name)
        module.reload(paths[1], migrate=names, assume_no_live=["st", "in"])
        state, both = module["state"].value, module["both"].value
        inner = [(each.y, each.x) for each in state.inner]
        plain = state.new, state.a, state.bits, state.name, list(state.many), inner
        kept = string_at(module["state"].address + module["state"].size - 8, 8) == old.to_bytes(8, "little")
        return plain, module["count"].value, [each.a for each in both], kept

    expected = (9, 1, 5, "name", [7, 8, 0], [(0, 3), (0, 4), (0, 0)]), 70000, [0, 12, 0], True
    assert in_child(run) == expected


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("long state = 1L << 40;", "int state;", "does not fit"),
        ("int state[3];", "long state[2];", "an array became shorter"),
        ("union { int i; float f; } state;", "union { int i; double d; } state;", "a union changed"),
    ],
)
def test_by_name_refuses_what_does_not_fit(compile, in_child, old, new, reason):
    first, second = (compile(f"{text} int f(void) {{ return 0; }}", flags="-fdata-sections") for text in (old, new))

    def run():
        module = hot.load(first)
        try:
            module.reload(second, migrate={"state": hot.by_name})
        except rtlinker.ReloadError as error:
            return error.stage, reason in str(error), module.version
        return None

    assert in_child(run) == ("migrate", True, 1)


def test_a_signature_changes_together_with_the_modules_that_call_it(compile, in_child):
    prices = [
        compile(f"{kind} price(void) {{ return {n}; }}", name=f"price{n}.o") for n, kind in ((1, "int"), (2, "long"))
    ]
    shops = [
        compile(f"{kind} price(void); int total(void) {{ return 10 * price(); }}", name=f"shop{kind}.o")
        for kind in ("int", "long")
    ]

    def run():
        price, shop = hot.load(prices[0]), hot.load(shops[0])
        price.paths = (prices[1],)
        refused = []
        for together in ((price,), (price, shop)):  # the shop's file is the one that it was loaded from
            try:
                hot.reload(*together)
            except hot.IncompatibleSignatureError as error:
                refused.append(shop.name in str(error))
        shop.paths = (shops[1],)
        reports = hot.reload(price, shop)
        return refused, shop.total(), any("all its callers are new" in note for note in reports[0].notes)

    assert in_child(run) == ([True, True], 20, True)


SPINS = (
    LATEST
    + """
#include <pthread.h>
long step(void);
static volatile int stop, said; static volatile long turns, last; static pthread_t thread;
static void *work(void *unused) {
    while (!stop) { last = step(); turns++; if (said) rtl_quiescent(); }
    return 0;
}
void begin(void) { pthread_create(&thread, 0, work, 0); }
void say(void) { said = 1; }
void end(void) { stop = 1; pthread_join(thread, 0); }
long count(void) { return turns; }
long newest(void) { return last; }
"""
)


def test_a_thread_that_spins_lets_go_of_old_versions_when_it_says_so(compile, in_child):
    spins = compile(SPINS, flags="-O2")
    steps = [compile(f"long step(void) {{ return {number}; }}", name=f"step{number}.o") for number in (1, 2)]

    def run():
        stepping, spinning = hot.load(steps[0]), hot.load(spins)
        spinning.begin()
        until(lambda: spinning.count() > 10)
        stepping.reload(steps[1])
        until(lambda: spinning.newest() == 2)
        spinning.say()
        purged = purge_all(stepping)
        seen = spinning.count()
        until(lambda: spinning.count() > seen + 10)
        spinning.end()
        return purged

    assert in_child(run) is True


def test_where_no_file_may_be_opened_bytes_are_reloaded_and_versions_freed(compile, in_child):
    contents = [compile(f"int f(void) {{ return {number}; }}").read_bytes() for number in (1, 2)]

    def run():
        module = hot.load(contents[0])  # what is imported late is imported now
        module.f()
        module.reload(contents[1])
        module.purge()
        deny_opening()
        seen = []
        for turn in range(10):
            module.reload(contents[turn % 2])
            seen.append(module.f())
        return seen, module.soft_purge(), len(module.versions())

    assert in_child(run) == ([1, 2] * 5, True, 1)


THREADED = "__thread struct st {{ {fields} }} state = {{ 1 }}; int f(void) {{ return state.a; }}"


def test_a_thread_local_variable_does_not_migrate_and_begins_anew_where_asked(compile, in_child):
    paths = [compile(THREADED.format(fields=fields), flags="-fdata-sections") for fields in ("int a;", "int a, b;")]

    def run():
        module = hot.load(paths[0])
        options = {"assume_no_live": ["st"]}
        module["state"].value.a = 5
        refused = []
        for change in ({}, {"migrate": {"state": hot.by_name}}):
            try:
                module.reload(paths[1], **options, **change)
            except rtlinker.ReloadError as error:
                refused.append((error.stage, error.args[0].splitlines()[0], "reset" in error.hint))
        before = module.f()
        module.reload(paths[1], reset=["state"], **options)
        anew = module.f()
        try:
            module.rollback()
        except rtlinker.ReloadError as error:
            refused.append((error.stage, "reset" in error.hint))
        module.rollback(reset=["state"])
        return refused, before, anew, module.f()

    refused, before, anew, last = in_child(run)
    assert [each[0] for each in refused] == ["check", "migrate", "rollback"]
    assert all(each[-1] for each in refused)
    assert (before, anew, last) == (5, 1, 5)


def test_a_variable_that_became_static_is_another_one_and_the_old_one_s_value_is_told(compile, in_child):
    source = "{0} int n = 1; int f(void) {{ return n++; }}"
    paths = [compile(source.format(kind), flags="-fdata-sections", name=f"{kind or 'n'}.o") for kind in ("", "static")]

    def run():
        module = hot.load(paths[0])
        module.f()
        report = module.reload(paths[1])
        return report.dropped, report.fresh, module.f()

    assert in_child(run) == (("n = 2",), ("n",), 1)
