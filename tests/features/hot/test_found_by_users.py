"""What people who tried to break hot reload have found, and what is so instead."""

import os
import threading

import pytest

import rtlinker
from rtlinker import hot
from tests.support.hot import Worker


@pytest.mark.parametrize("where", ["constructor", "load hook"])
def test_a_reload_within_a_reload_is_refused_and_the_outer_one_goes_on(compile, in_child, where):
    begin = {
        "constructor": "__attribute__((constructor)) static void begin(void) { called(); }",
        "load hook": "int __rtl_on_load(const void *load) { return called(); }",
    }
    first, second, third = (
        compile(f"int called(void); {begin[where]} int f(void) {{ return {number}; }}") for number in (1, 2, 3)
    )

    def run():
        modules, seen = [], []

        def called():
            for act in [each for module in modules for each in (module.close, module.rollback, module.soft_purge)]:
                with pytest.raises(rtlinker.errors.ReloadError, match="under way") as refusal:
                    act()
                seen.append(refusal.value.hint is not None)
            for module in modules:
                with pytest.raises(rtlinker.errors.ReloadError, match="under way"):
                    module.reload(third)
            return 0

        module = hot.load(first, symbols={"called": (called, "int()")})
        modules.append(module)
        module.reload(second)
        return seen, module.f(), module.version

    assert in_child(run) == ([True, True, True], 2, 2)


def test_closing_within_a_migration_is_refused_and_the_state_goes_on(compile, in_child):
    first = compile("struct state { int x; } state = {1}; int f(void) { return state.x; }")
    second = compile("struct state { int x, more; } state = {1}; int f(void) { return state.x; }")

    def run():
        module = hot.load(first)
        module["state"].value.x = 7

        def migrate(old, new):
            with pytest.raises(rtlinker.errors.ReloadError, match="under way"):
                module.close()
            new.value.x = old.value.x + 1

        module.reload(second, migrate={"state": migrate}, assume_no_live=["state"])
        return module.f()

    assert in_child(run) == 8


def test_a_variable_that_is_gone_or_moved_is_not_read_where_it_was(compile, in_child):
    first = compile(
        "int n = 1; struct s { int x; } s = {5}; int f(void) { return n + s.x; }", flags="-g -fdata-sections"
    )
    second = compile("struct s { int w, x; } s = {5}; int f(void) { return s.x; }", flags="-g -fdata-sections")

    def run():
        module = hot.load(first)
        number, record, view = module.n, module.s, module.s.value
        module.reload(second, migrate={"s": hot.by_name}, assume_no_live=["s"])
        seen = []
        for _ in range(2):  # before the memory is freed and after it
            for read in (lambda: number.value, lambda: record.value, lambda: view.x):
                with pytest.raises(rtlinker.LinkError, match="replaced by a reload"):
                    read()
            with pytest.raises(rtlinker.LinkError, match="replaced by a reload"):
                number.value = 5
            seen.append(module.s.value.x)
            module.purge()
        module.reload(first, migrate={"s": hot.by_name}, assume_no_live=["s"])
        return seen, module.n.value

    assert in_child(run) == ([5, 5], 1)


def test_a_variable_that_lives_on_is_read_by_who_has_it_across_reloads_and_rollbacks(compile, in_child):
    first, second = (compile(f"int n = 1; int f(void) {{ return n += {step}; }}") for step in (1, 10))

    def run():
        module = hot.load(first)
        number = module.n
        module.reload(second)
        module.f()
        seen = [number.value]
        module.rollback()
        number.value += 100
        seen.append(module.f())
        module.close()
        with pytest.raises(rtlinker.LinkError, match="unloaded"):
            str(number.value)
        return seen

    assert in_child(run) == [11, 112]


@pytest.mark.parametrize("edit", ["static to global", "global to static", "to another file"])
def test_state_that_is_lost_though_its_name_lives_on_is_told(compile, in_child, edit):
    local, shared, none = (f"{head} int {{}}(void) {{{{ return {body}; }}}}" for head, body in (
        ("static int n = 5;", "++n"), ("int n = 5;", "++n"), ("", "0"),
    ))  # fmt: skip
    sources = {
        "static to global": [(local, none), (shared, none)],
        "global to static": [(shared, none), (local, none)],
        "to another file": [(local, none), (none, local)],
    }
    first, second = ([compile(source.format(name)) for name, source in zip("fg", texts)] for texts in sources[edit])

    def run():
        module = hot.load(*first)
        module.f(), module.f()
        report = module.reload(*second)
        return report.fresh, report.dropped, "dropped" in str(report)

    assert in_child(run) == (("n",), ("n = 7",), True)


CLASSES = """
struct Base { virtual int f() { return 1; } virtual ~Base() {} };
struct Gone : Base { int f() override { return 2; } };
static Base *one;
extern "C" int make() { one = new Gone; return 0; }
extern "C" int drop() { delete one; one = nullptr; return 0; }
extern "C" int call() { return one->f(); }
"""


@pytest.mark.parametrize("flags", ["-g", "-O2 -fPIC", "-O0"])
def test_a_class_that_is_gone_is_refused_while_an_object_of_it_lives(compile, in_child, flags):
    first = compile(CLASSES, "c++", flags)
    second = compile(CLASSES.replace("Gone", "Other"), "c++", flags)

    def run():
        module = hot.load(first)
        unused = module.prepare(second).version
        module.function("make", "int()")()
        with pytest.raises(hot.IncompatibleLayoutError, match="has an object of it") as refusal:
            module.reload(second)
        called = module.function("call", "int()")()
        module.function("drop", "int()")()
        module.reload(second, assume_no_live=["Gone"])  # what is left in freed memory may look like an object
        module.make()
        return unused, refusal.value.names, called, module.call(), module.version

    assert in_child(run) == (2, ("Gone",), 2, 2, 2)


@pytest.mark.parametrize("flags", ["", "-fdata-sections"])
def test_a_variable_that_needs_a_rounder_address_than_it_has_is_refused(compile, in_child, flags):
    source = "struct s {{ int x[24]; }}; {0} struct s one = {{{{1}}}}, two = {{{{2}}}}; int f(void) {{ return {1}; }}"
    first, second = (compile(source.format(*texts), flags=flags) for texts in (("", 1), ("_Alignas(64)", "two.x[0]")))

    def copy(old, new):
        new.value.x[0] = old.value.x[0]

    def run():
        module = hot.load(first)
        module.two.value.x[0] = 5
        module.reload(first, forced=True)
        with pytest.raises(hot.IncompatibleLayoutError, match="alignment") as refusal:
            module.reload(second)
        module.reload(second, migrate={"one": copy, "two": copy})
        rest = module.address("one") % 64, module.address("two") % 64
        return bool({"one", "two"} & {*refusal.value.names}), module.f(), rest, module.version

    assert in_child(run) == (True, 5, (0, 0), 3)


NOTED = """
extern "C" void ended(int);
struct Noted { int number; Noted(int number) : number(number) {} ~Noted() { ended(number); number = -1; } };
"""
FIRST = 'extern "C" int f() { static Noted array[2] = {1, 2}; return array[0].number; }'
SECOND = 'extern "C" int g() { static Noted array[2] = {3, 4}; return array[0].number; }'


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("flags", ["-O0 -fdata-sections", "-O2 -fdata-sections"])
def test_an_array_is_destroyed_by_its_own_destructor_though_another_has_that_name_now(
    compile, in_child, compiler, flags
):
    first = compile(NOTED + FIRST, "c++", flags, compiler)
    second = compile(NOTED + SECOND + FIRST, "c++", flags, compiler)

    def run():
        seen = []
        module = hot.load(first, symbols={"ended": (seen.append, "void(int)")})
        module.function("f", "int()")()
        module.reload(second)
        module.f()
        module.close()
        return seen

    assert in_child(run) == [2, 1]


def test_an_array_that_lives_on_does_not_keep_the_old_version(compile, in_child):
    first, second = (compile(NOTED + FIRST + f"int h() {{ return {n}; }}", "c++", "-fdata-sections") for n in (1, 2))

    def run():
        seen = []
        module = hot.load(first, symbols={"ended": (seen.append, "void(int)")})
        module.function("f", "int()")()
        module.reload(second)
        module.purge()
        module.close()
        return seen

    assert in_child(run) == [2, 1]


def test_an_object_that_is_constructed_anew_is_destroyed_once(compile, in_child):
    texts = ("Noted one(1);", "Noted one(1); Noted two(2);")
    first, second = (compile(NOTED + text, "c++", "-fdata-sections") for text in texts)

    def run():
        seen = []
        module = hot.load(first, symbols={"ended": (seen.append, "void(int)")})
        module.reload(second, constructors="run")
        module.close()
        return seen

    assert in_child(run) == [2, 1]


def test_a_misspelt_variable_among_the_options_is_told(compile, in_child):
    first, second = (compile(f"int count = {n}; int f(void) {{ return ++count; }}") for n in (1, 2))

    def run():
        module = hot.load(first)
        report = module.reload(second, reset=["conut"], migrate={"cuont": hot.by_name})
        return [note for note in report.notes if "no variable" in note]

    assert in_child(run) == [
        "migrate: no variable 'cuont' that both versions have",
        "reset: no variable 'conut' that both versions have",
    ]


def test_a_closed_module_says_so_whatever_it_is_asked(compile, in_child):
    path = compile("int f(void) { return 1; }")

    def run():
        module = hot.load(path)
        module.close()
        for ask in (lambda: module.version, module.running, module.names, module.prepare, module.rollback):
            with pytest.raises(rtlinker.LinkError, match="module was closed"):
                ask()
        return module.versions(), repr(module), "close" in dir(module)

    assert in_child(run) == ((), "<rtlinker.hot.Module 1, closed>", True)


def test_what_is_no_file_is_refused_as_such(compile, in_child):
    path = compile("int f(void) { return 1; }")

    def run():
        module = hot.load(path)
        for wrong in (None, 3, [path]):
            with pytest.raises(TypeError, match="path"):
                module.reload(wrong)
        return module.f()

    assert in_child(run) == 1


def test_variables_of_cxx_are_told_by_the_names_of_their_source(compile, in_child):
    source = 'namespace game {{ static int score; }} extern "C" int f() {{ return game::score += {}; }}'
    first, second = (compile(source.format(n), "c++") for n in (1, 2))

    def run():
        module = hot.load(first, libraries=["stdc++"])  # which has the demangler
        return module.reload(second).kept

    assert in_child(run) == ("game::score",)


def test_a_child_forked_while_another_thread_reloads_can_reload(compile, in_child):
    source = "int called(void); int __rtl_on_load(const void *load) {{ return called(); }} int f(void) {{ return {}; }}"
    first, second = (compile(source.format(n)) for n in (1, 2))

    def run():
        begun, done = threading.Event(), threading.Event()
        waits = []

        def called():
            if waits:
                begun.set()
                done.wait(60)
            return 0

        module = hot.load(first, symbols={"called": (called, "int()")})
        waits.append(True)
        worker = Worker(lambda: module.reload(second))
        begun.wait(60)
        child = os.fork()
        if not child:
            waits.clear()
            try:
                module.reload(second)
                os._exit(module.f())
            finally:
                os._exit(99)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        done.set()
        worker.wait()
        return status, module.f()

    assert in_child(run) == (2, 2)


def test_a_wrong_argument_of_load_leaves_no_module_behind(compile, in_child):
    path = compile("int f(void) { return 1; }")

    def run():
        domain = hot.Domain()
        for options in ({"keep": "two"}, {"keep": -1}, {"max_retained": None}):
            with pytest.raises(TypeError, match="how many versions"):
                hot.load(path, into=domain, **options)
        with pytest.raises(TypeError, match="nothing to load"):
            hot.load_together([], into=domain)
        return len(domain.modules), hot.load(path, into=domain).f()

    assert in_child(run) == (0, 1)


def test_a_handle_is_good_again_when_its_function_is_back(compile, in_child):
    first = compile("int gone(void) { return 7; } int f(int a) { return a; }")
    second = compile("long f(long a, long b) { return a + b; }")

    def run():
        module = hot.load(first)
        gone, f = module.gone, module.f
        module.reload(second, allow=["gone", "f"])
        seen = []
        for handle in (gone, f):
            try:
                handle(1) if handle is f else handle()
            except (hot.SymbolRemovedError, hot.StaleSignatureError) as error:
                seen.append(type(error).__name__)
        newer = module.f(1, 2)
        module.rollback()
        return seen, newer, gone(), f(5), module.gone is gone

    assert in_child(run) == (["SymbolRemovedError", "StaleSignatureError"], 3, 7, 5, True)


def test_static_variables_that_only_their_order_tells_apart_are_said_to_be_unverified(compile, in_child):
    source = """
    int f(int which) {{
        if (which) {{ static int n = 10; return {0} * ++n; }} else {{ static int n = 20; return {0} * ++n; }}
    }}
    """
    paths = [compile(source.format(number), flags="-fdata-sections") for number in (1, 2)]

    def run():
        module = hot.load(paths[0])
        module.f(1)
        report = module.reload(paths[1])
        return module.f(1), module.f(0), sum("order in the source" in text for text in report.unverified)

    assert in_child(run) == (24, 42, 2)
