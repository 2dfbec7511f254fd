"""Which version a call reaches: the newest across objects, its own within one (T1-T4, T28, T33, T34, T45)."""

import threading

import pytest

from rtlinker import hot
from tests.support.hot import LATEST, Worker, until


def test_a_handle_runs_the_newest_version_at_one_address(compile, in_child):
    paths = [compile(f"int value(void) {{ return {number}; }}") for number in (1, 2, 3)]

    def run():
        module = hot.load(paths[0])
        handle, address = module.value, module.value.address
        seen = [handle()]
        for path in paths[1:]:
            module.reload(path)
            seen.append(handle())
        return seen, module.value is handle, module.value.address == address == module.address("value"), module.version

    assert in_child(run) == ([1, 2, 3], True, True, 3)


@pytest.mark.parametrize(
    "flags", ["-O2", "-O0", "-O2 -fPIC", "-O2 -fPIC -fno-plt", "-O2 -fno-pic", "-O2 -mcmodel=large"]
)
def test_another_module_reaches_the_newest_version_and_stays_as_it_is(compile, in_child, flags):
    first = compile("int a(void) { return 1; }", flags=flags)
    second = compile("int a(void) { return 2; }", flags=flags)
    user = compile("int a(void); int (*kept)(void) = a; int b(void) { return 10 * a() + kept(); }", flags=flags)

    def run():
        module, other = hot.load(first), hot.load(user)
        before = other.b(), bytes_of(other)
        module.reload(second)
        return before[0], other.b(), before[1] == bytes_of(other)

    assert in_child(run) == (11, 22, True)


def bytes_of(module):
    from ctypes import string_at

    start, end = module.current.text
    return string_at(start, end - start)


def test_objects_of_one_module_reach_each_other_s_newest_version(compile, in_child):
    user = compile("int a(void); int b(void) { return 10 + a(); }")
    versions = [compile(f"int a(void) {{ return {number}; }}") for number in (1, 2)]

    def run():
        module = hot.load(user, versions[0])
        before = module.b()
        report = module.reload(user, versions[1])
        return before, module.b(), report.changed

    assert in_child(run) == (11, 12, ("a",))


STAYS = """
void pause(void);
__attribute__((noinline)) static int inner(void) {{ return {number}; }}
__attribute__((noinline)) int outer(void) {{ return {number}; }}
int both(void) {{ int before = inner() + 10 * outer(); pause(); return 100 * before + inner() + 10 * outer(); }}
"""


@pytest.mark.parametrize("flags", ["-O2", "-O0 -fPIC", "-O2 -fPIC -fno-plt", "-O1 -fno-pic -mcmodel=medium"])
def test_calls_within_an_object_stay_in_their_version_until_they_return(compile, in_child, flags):
    paths = [compile(STAYS.format(number=number), flags=flags) for number in (1, 2)]

    def run():
        inside, go_on = threading.Event(), threading.Event()

        def pause():
            inside.set()
            go_on.wait(30)

        module = hot.load(paths[0], symbols={"pause": pause})
        worker = Worker(module.both)
        inside.wait(30)
        report = module.reload(paths[1])
        go_on.set()
        return worker.wait(), module.both(), len(report.in_flight), "both()" in report.in_flight[0]

    assert in_child(run) == (1111, 2222, 1, True)


LOOP = (
    LATEST
    + """
struct state {{ int turns; int seen[8]; }};
void turn(int);
int server(struct state *state);
RTL_LATEST(server);
int server(struct state *state) {{
    state->seen[state->turns++] = {number};
    turn(state->turns);
    return state->turns < 4 ? {again}(state) : {number};
}}
struct state state;
"""
)


def test_a_loop_through_rtl_latest_switches_at_its_next_turn_with_its_state(compile, in_child):
    paths = [compile(LOOP.format(number=number, again="server_latest"), flags="-O2") for number in (1, 2)]

    def run():
        reports = []

        def turn(number):
            if number == 2:
                reports.append(module.reload(paths[1]))

        module = hot.load(paths[0], symbols={"turn": turn})
        last = module.server(module.address("state"))
        return last, list(module["state"].value.seen)[:4], len(reports[0].in_flight)

    assert in_child(run) == (2, [1, 1, 2, 2], 1)


def test_a_loop_that_calls_itself_stays_in_its_version_and_the_report_says_so(compile, in_child):
    paths = [compile(LOOP.format(number=number, again="server"), flags="-O2") for number in (1, 2)]

    def run():
        reports = []

        def turn(number):
            if number == 2:
                reports.append(module.reload(paths[1]))

        module = hot.load(paths[0], symbols={"turn": turn})
        last = module.server(module.address("state"))
        seen = list(module["state"].value.seen)[:4]
        return last, seen, "server()" in reports[0].in_flight[0], [each.state for each in module.versions()]

    assert in_child(run) == (1, [1, 1, 1, 1], True, ["old", "current"])


def test_rtl_latest_of_a_function_that_nobody_has_is_undefined(compile, in_child):
    path = compile(LATEST + "int gone(void); RTL_LATEST(gone); int f(void) { return gone_latest(); }")

    def run():
        try:
            hot.load(path)
        except Exception as error:
            return type(error).__name__, [symbol.name for symbol in error.symbols], hot.domain.numbers

    assert in_child(run) == ("UndefinedSymbolsError", ["__rtl_latest_gone"], {})


POINTERS = """
typedef int (*function)(void);
extern function table[2];
int exported(void) {{ return {number}; }}
function table[2] = {{ exported }};
static function *where = table;
function address(void) {{ return exported; }}
int same(void) {{ return table[0] == exported && where[0] == address(); }}
int through(void) {{ return table[0](); }}
"""


@pytest.mark.parametrize("flags", ["-O2", "-O0", "-O2 -fPIC", "-O2 -fno-pic", "-O2 -fPIC -fno-plt"])
def test_the_address_of_an_exported_function_is_equal_in_all_versions_and_leads_to_the_newest(compile, in_child, flags):
    paths = [compile(POINTERS.format(number=number), flags=flags) for number in (1, 2)]

    def run():
        module = hot.load(paths[0])
        address = module.function("address", "unsigned long(void)")
        before = address(), module.through()
        module.reload(paths[1])
        return before[1], module.through(), module.same(), address() == before[0]

    assert in_child(run) == (1, 2, 1, True)


def test_reload_from_a_callback_returns_into_the_old_frame_and_says_so(compile, in_child):
    source = "void hook(void); int f(void) {{ hook(); return {}; }}"
    paths = [compile(source.format(number)) for number in (1, 2)]

    def run():
        reports, states = [], []

        def hook():
            if not reports:
                reports.append(module.reload(paths[1], forced=True))
                module.soft_purge()
                states.extend(each.state for each in module.versions())

        module = hot.load(paths[0], symbols={"hook": hook})
        first = module.f()
        return first, module.f(), "f()" in reports[0].in_flight[0], states, module.soft_purge(), len(module.versions())

    assert in_child(run) == (1, 2, True, ["retained", "current"], True, 1)


CLOBBER = """
__attribute__((noinline)) int leaf(int a) {{ {body} return a + 1; }}
int caller(int a, int b, int c) {{ int x = b * 3, y = c * 5; int z = leaf(a); return x + y + z; }}
"""


def test_calls_of_an_object_are_redirected_only_where_the_compiler_s_flags_prove_it_safe(compile, in_child):
    clobbering = 'asm volatile("mov $-1, %%ecx; mov $-1, %%esi; mov $-1, %%edx" ::: "rcx", "rsi", "rdx");'
    plain, safe = (
        [compile(CLOBBER.format(body=body), flags=flags) for body in ("", clobbering)] for flags in ("-O2", "-O2 -fPIC")
    )

    def run():
        module = hot.load(plain[0])
        module.reload(plain[1])
        own = module.caller(1, 2, 3)
        try:
            hot.load(plain[0], name="unsafe", into=hot.Domain(), self_calls="latest")
        except hot.UnsafeRebindError as error:
            refused = str(error)
        other = hot.load(safe[0], name="safe", into=hot.Domain(), self_calls="latest")
        other.reload(safe[1])
        return own, "-fPIC" in refused, other.caller(1, 2, 3)

    assert in_child(run) == (23, True, 23)


def test_with_latest_a_call_within_an_object_reaches_the_newest_version(compile, in_child):
    paths = [compile(STAYS.format(number=number), flags="-O2 -fPIC") for number in (1, 2)]

    def run():
        def pause():
            if module.version == 1:
                module.reload(paths[1])

        module = hot.load(paths[0], symbols={"pause": pause}, self_calls="latest")
        return module.both()

    assert in_child(run) == 1121


def test_running_tells_what_a_call_reaches(compile, in_child):
    sources = [
        "int a(void) { return 1; } int b(void) { return 1; }",
        "int a(void) { return 2; } int c(void) { return 2; }",
    ]
    paths = [compile(source) for source in sources]

    def run():
        module = hot.load(paths[0])
        before = module.running()
        module.reload(paths[1])
        after = module.running()
        return before, after, {name: module.function(name)() for name in after}

    assert in_child(run) == ({"a": 1, "b": 1}, {"a": 2, "c": 2}, {"a": 2, "c": 2})


def test_an_old_signal_free_thread_sees_versions_in_order(compile, in_child):
    paths = [compile(f"int value(void) {{ return {number}; }}") for number in range(1, 6)]

    def run():
        module = hot.load(paths[0])
        seen, stop = [], threading.Event()

        def look():
            while not stop.is_set():
                seen.append(module.value())

        worker = Worker(look)
        for path in paths[1:]:
            until(lambda: seen and seen[-1] == module.version)
            module.reload(path)
        until(lambda: seen[-1] == 5)
        stop.set()
        worker.wait()
        return sorted(seen) == seen, seen[-1]

    assert in_child(run) == (True, 5)


def test_a_module_may_be_an_archive(compile, archive, in_child):
    paths = []
    for number in (1, 2):
        a = compile(f"int a(void) {{ return {number}; }}", name=f"a{number}.o")
        b = compile("int a(void); int b(void) { return 10 * a(); }", name=f"b{number}.o")
        paths.append(archive(f"both{number}.a", a, b))

    def run():
        module = hot.load(paths[0])
        first = module.b()
        module.reload(paths[1])
        with hot.load(whole_archives=[paths[0]], name="other", into=hot.Domain()) as other:
            return first, module.b(), other.b(), other.reload(forced=True).version

    assert in_child(run) == (10, 20, 10, 2)
