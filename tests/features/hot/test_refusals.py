"""What is refused, and that nothing has changed then (T6 to T12, T23, T24, T27, T32, T41, T42)."""

import gc
import os
import shutil

import pytest

import rtlinker
from rtlinker import hot
from tests.support.hot import LATEST


def maps():
    """What the process has mapped, but for memory like that of Python's own heap; every image has other pages, too."""
    with open("/proc/self/maps") as file:
        lines = [line for line in file if "[heap]" not in line]
    return [line.split()[0] for line in lines if len(line.split()) > 5 or "rw-p" not in line]


def refused(module, *paths, **options):
    """The refusal of a reload, and whether it left no mapping behind; it is tried before, as memory is Python's too."""
    for _ in range(3):
        try:
            module.reload(*paths, **options)
        except rtlinker.LinkError:
            gc.collect()
    before = maps()
    try:
        module.reload(*paths, **options)
    except rtlinker.LinkError as error:
        found = error.with_traceback(None)
    else:
        raise AssertionError("the reload was not refused")
    gc.collect()
    return found, before == maps()


def test_undefined_symbols_are_all_named_and_nothing_is_left(compile, in_child):
    first = compile("int f(void) { return 1; }")
    second = compile(
        "int gone(void); int lost(void); int more(void) { return 5; } int f(void) { return gone() + lost(); }"
    )

    def run():
        module = hot.load(first)
        error, same = refused(module, second)
        return sorted(symbol.name for symbol in error.symbols), same, module.f(), module.version, len(module.versions())

    assert in_child(run) == (["gone", "lost"], True, 1, 1, 1)


def test_an_object_that_is_cut_off_anywhere_is_refused(compile, in_child, tmp_path):
    first, second = (compile(f"int f(void) {{ return {number}; }}") for number in (1, 2))
    whole = second.read_bytes()

    def run():
        module = hot.load(first)
        path = tmp_path / "cut.o"
        seen = set()
        for part in range(64):
            path.write_bytes(whole[: len(whole) * part // 64])
            error, _ = refused(module, path)
            seen.add(type(error).__name__)
            assert module.f() == 1
        wrong = bytearray(whole)
        wrong[18] = 0x28
        path.write_bytes(wrong)
        error, _ = refused(module, path)
        seen.add(type(error).__name__)
        path.write_bytes(whole)
        module.reload(path)
        return seen, module.f()

    assert in_child(run) == ({"BadObjectError"}, 2)


def test_a_clash_in_the_second_module_leaves_the_first_as_it_was(compile, in_child):
    a = [compile(f"int a(void) {{ return {number}; }}", name=f"a{number}.o") for number in (1, 2)]
    b = [
        compile("int b(void) { return 1; }", name="b1.o"),
        compile("int b(void) { return 2; } int a(void) { return 3; }", name="b2.o"),
    ]

    def run():
        first, second = hot.load(a[0], name="a"), hot.load(b[0], name="b")
        first.paths, second.paths = (a[1],), (b[1],)
        try:
            hot.reload(first, second)
        except rtlinker.DuplicateSymbolError as error:
            return error.name, first.a(), second.b(), first.version, second.version

    assert in_child(run) == ("a", 1, 1, 1, 1)


SIGNATURES = [
    "struct S { int x; };\nvoid f(struct S *s) { s->x++; }",
    "struct S { int x; };\nint f(struct S *s, long n) { return s->x += n; }",
]


def test_a_changed_signature_is_refused_with_both_prototypes_and_places(compile, in_child):
    first = compile(SIGNATURES[0], name="server.o")
    second = compile(SIGNATURES[1], name="new.o")
    user = compile("struct S; void f(struct S *); void call(struct S *s) { f(s); }", name="main.o")

    def run():
        module = hot.load(first)
        other = hot.load(user)
        handle = module.f
        error, _ = refused(module, second)
        text = str(error)
        assert isinstance(error, hot.IncompatibleSignatureError)
        return [
            error.functions,
            "void f(struct S *s)" in text and "server.c:2" in text,
            "int f(struct S *s, long int n)" in text and "new.c:2" in text,
            "module main" in text and "Python handle" in text,
            handle is module.f and other.version == 1,
        ]

    assert in_child(run) == [("f",), True, True, True, True]


def test_an_allowed_signature_leaves_the_old_function_to_old_callers(compile, in_child):
    first = compile("int f(int a) { return a; }")
    second = compile("long f(int a, long b) { return 1000 + a + b; }")
    user = compile("int f(int); int call(int a) { return f(a); }")

    def run():
        module, other = hot.load(first), hot.load(user)
        handle = module.f
        module.reload(second, allow=["f"])
        try:
            handle(1)
        except hot.StaleSignatureError as error:
            stale = "long int f(int a, long int b)" in str(error) or "long f(int a, long b)" in str(error)
        states = [(each.number, each.state) for each in module.versions()]
        purged = module.soft_purge()
        reasons = module.versions()[0].reasons
        return (
            stale,
            other.call(5),
            module.f(1, 2),
            states,
            purged,
            any("calls f as version 1" in text for text in reasons),
        )

    assert in_child(run) == (True, 5, 1003, [(1, "old"), (2, "current")], False, True)


LAYOUT = "struct st {{ {fields} }}; struct st g_state = {{ 1, 2 }}; int sum(void) {{ return {sum}; }}"


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ("int a; int inserted; int b;", "'inserted' @4 new"),
        ("int b; int a;", "'a'"),
        ("int a; short b;", "'b'"),
        ("int a; struct { unsigned short x, y; } b;", "'b"),
    ],
)
def test_a_changed_layout_is_refused_field_by_field(compile, in_child, fields, change):
    first = compile(LAYOUT.format(fields="int a; int b;", sum="g_state.a + g_state.b"))
    second = compile(f"struct st {{ {fields} }}; struct st g_state; int sum(void) {{ return sizeof g_state; }}")

    def run():
        module = hot.load(first)
        error, same = refused(module, second)
        return type(error).__name__, "g_state" in error.names, str(error), same, module.sum()

    kind, named, text, same, still = in_child(run)
    assert (kind, named, same, still) == ("IncompatibleLayoutError", True, True, 3)
    assert change in text


GROWN = [
    "struct st { int a; int b; }; struct st state = { 1, 2 }; int sum(void) { return state.a + state.b; }",
    "struct st { int a; long inserted; int b; }; struct st state = { 0, 5, 0 };"
    "int sum(void) { return state.a + state.b + state.inserted; }",
]


def test_a_migration_makes_the_new_value(compile, in_child):
    paths = [compile(source) for source in GROWN]

    def run():
        module = hot.load(paths[0])
        module["state"].value.a = 100
        module.reload(paths[1], migrate={"state": hot.by_name}, assume_no_live=["st"])
        grown = module.sum(), module["state"].value.inserted

        def back(old, new):
            new.value.a = old.value.a + 1
            new.value.b = old.value.b

        try:
            module.rollback()
        except rtlinker.ReloadError as error:
            hint = error.hint
        module.rollback(migrate={"state": back})
        return grown, "migrate" in hint, module.sum(), module.version

    assert in_child(run) == ((107, 5), True, 103, 1)


@pytest.mark.parametrize("answer", ["raise", b"short", 17])
def test_a_failing_migration_leaves_the_old_value_as_it_was(compile, in_child, answer):
    paths = [compile(source) for source in GROWN]

    def run():
        module = hot.load(paths[0])

        def migrate(old, new):
            old.value.a = 99
            if answer == "raise":
                raise ValueError("no way")
            return answer

        error, same = refused(module, paths[1], migrate={"state": migrate}, assume_no_live=["st"])
        return error.stage, same, module.sum(), module.version, type(error.__cause__).__name__

    assert in_child(run)[:4] == ("migrate", True, 3, 1)


def test_a_removed_function_that_somebody_refers_to_is_refused_with_who(compile, in_child):
    first = compile("int gone(void) { return 1; } int f(void) { return 1; }", name="lib.o")
    second = compile("int f(void) { return 2; }")
    user = compile("int gone(void); int call(void) { return gone(); }", name="main.o")

    def run():
        module = hot.load(first)
        hot.load(user)
        handle = module.gone
        error, _ = refused(module, second)
        text = str(error)
        module.reload(second, allow=["gone"])
        try:
            handle()
        except hot.SymbolRemovedError as removed:
            facts = removed.name, removed.removed, removed.last
        return error.names, "module main" in text, "Python handle" in text, facts, module.f()

    assert in_child(run) == (("gone",), True, True, ("gone", 2, 1), 2)


def test_a_native_call_of_a_removed_function_ends_with_its_name(compile):
    first = compile("int gone(void) { return 1; } int f(void) { return 1; }", name="lib.o")
    second = compile("int f(void) { return 2; }")
    user = compile("int gone(void); int call(void) { return gone(); }", name="main.o")
    import signal
    import subprocess
    import sys

    program = f"""
from rtlinker import hot
module, other = hot.load({str(first)!r}), hot.load({str(user)!r})
module.reload({str(second)!r}, allow=["gone"])
other.call()
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == -signal.SIGABRT
    assert "gone was removed from lib by version 2" in ran.stderr


def test_a_removed_function_that_nobody_refers_to_just_goes_and_may_come_back(compile, in_child):
    first = compile("int gone(void) { return 1; } int f(void) { return 1; }")
    second = compile("int f(void) { return 2; }")

    def run():
        module = hot.load(first)
        report = module.reload(second)
        try:
            module.function("gone")
        except hot.SymbolRemovedError:
            module.reload(first)
            return report.removed, module.gone()

    assert in_child(run) == (("gone",), 1)


HOOK = (
    LATEST + "int state = 1; int get(void) {{ return state; }}"
    "int __rtl_on_load(const struct rtl_load *load) {{ {body} }}"
)


def test_a_load_hook_that_refuses_takes_back_what_it_wrote(compile, in_child):
    first = compile(
        HOOK.format(body="state += load->version * 10 + load->previous; return 0;"), flags="-fdata-sections"
    )
    second = compile(HOOK.format(body="state = 99; return load->previous;"), flags="-fdata-sections")

    def run():
        module = hot.load(first)
        error, same = refused(module, second)
        return error.stage, same, module.get(), module.version

    assert in_child(run) == ("start", True, 11, 1)


@pytest.mark.parametrize("body", ["*(volatile int *)0 = 1;", "abort();"])
def test_a_constructor_that_crashes_takes_back_what_it_wrote(compile, in_child, body):
    first = compile("int state = 5; int get(void) { return state; }", flags="-fdata-sections")
    second = compile(
        f"void abort(void); int state = 5; int get(void) {{ return state; }} int fresh;"
        f"__attribute__((constructor)) static void start(void) {{ state = 77; {body} }}",
        flags="-fdata-sections",
    )

    def run():
        module = hot.load(first)
        error, same = refused(module, second, constructors="run")
        return type(error).__name__, same, module.get(), module.version

    assert in_child(run) == ("CrashError", True, 5, 1)


def test_a_handler_that_a_refused_version_registered_is_withdrawn(compile, in_child):
    first = compile("int f(void) { return 1; }")
    second = compile(
        LATEST
        + "int atexit(void (*)(void)); void note(int); static void bye(void) { note(1); } int f(void) { return 2; }"
        "int __rtl_on_load(const struct rtl_load *load) { atexit(bye); return 1; }"
    )

    def run():
        notes = []
        module = hot.load(first, symbols={"note": (notes.append, "void(int)")})
        refused(module, second)
        module.close()
        return notes

    assert in_child(run) == []


CONSTRUCTOR = """
int a = 1; {more} __attribute__((constructor)) static void start(void) {{ {body} }} int get(void) {{ return a; }} {use}
"""


@pytest.mark.parametrize(
    ("more", "body", "expected"),
    [
        ("", "a = 50;", "skipped"),
        ("int fresh;", "fresh = 3;", "run"),
        ("void note(int);", "note(7);", "run"),
        ("int fresh;", "a = 50; fresh = 3;", "refused"),
        ("int fresh; static void __attribute__((noinline)) deep(void) { fresh = 2; a = 3; }", "deep();", "refused"),
    ],
)
def test_constructors_run_again_only_where_they_write_nothing_that_lives_on(compile, in_child, more, body, expected):
    first = compile("int a = 1; int get(void) { return a; }", flags="-fdata-sections")
    use = "int look(void) { return fresh; }" if "fresh" in more else ""
    second = compile(CONSTRUCTOR.format(more=more, body=body, use=use), flags="-fdata-sections")

    def run():
        notes = []
        module = hot.load(first, symbols={"note": (notes.append, "void(int)")})
        module["a"].value = 20
        try:
            module.reload(second)
        except hot.ConstructorPolicyError as error:
            return "refused" if "start" in error.constructors[0] else error.constructors
        ran = notes or ("fresh" in more and module.look())
        return "run" if ran and module.get() == 20 else "skipped" if module.get() == 20 else module.get()

    assert in_child(run) == expected


def test_reload_compares_content_not_time(compile, in_child, tmp_path):
    first, second = (compile(f"int f(void) {{ return {number}; }}") for number in (1, 2))

    def run():
        path = tmp_path / "module.o"
        shutil.copyfile(first, path)
        module = hot.load(path)
        seen = [module.reload().unchanged]
        os.utime(path)
        seen.append(module.reload().unchanged)
        shutil.copyfile(second, path)
        seen.append(module.reload().unchanged)
        shutil.copyfile(first, path)
        seen.append(module.reload().unchanged)
        return seen, module.f(), module.version

    assert in_child(run) == ([True, True, False, False], 1, 3)


VIRTUAL = """
struct Base {{ virtual int value(); {more} virtual int last(); virtual ~Base(); int field = 3; }};
int Base::value() {{ return {number}; }} int Base::last() {{ return 10 * {number}; }} Base::~Base() {{}} {define}
extern "C" Base *make() {{ return new Base; }}
extern "C" int ask(Base *base) {{ return base->value() + base->last(); }}
extern "C" int kin(Base *base) {{ return dynamic_cast<Base *>(base) == base; }}
"""


def test_objects_of_an_old_version_run_the_new_version_s_virtual_functions(compile, in_child):
    paths = [
        compile(VIRTUAL.format(number=number, more="", define=""), "c++", flags="-fdata-sections") for number in (1, 2)
    ]

    def run():
        module = hot.load(paths[0])
        make = module.function("make", "unsigned long(void)")
        ask, kin = (module.function(name, "int(unsigned long)") for name in ("ask", "kin"))
        old = make()
        before = ask(old)
        module.reload(paths[1])
        return before, ask(old), ask(make()), kin(old)

    assert in_child(run) == (11, 22, 22, 1)


def test_an_inserted_virtual_function_is_refused(compile, in_child):
    first = compile(VIRTUAL.format(number=1, more="", define=""), "c++", flags="-fdata-sections")
    second = compile(
        VIRTUAL.format(number=2, more="virtual int middle();", define="int Base::middle() { return 0; }"), "c++",
        flags="-fdata-sections",
    )  # fmt: skip

    def run():
        module = hot.load(first)
        error, same = refused(module, second)
        return type(error).__name__, "Base::middle() is new" in str(error), same, module.version

    assert in_child(run) == ("IncompatibleLayoutError", True, True, 1)


def test_a_handle_of_a_closed_module_says_so(compile, in_child):
    path = compile("int n; int f(void) { return 1; }")

    def run():
        module = hot.load(path)
        handle, datum = module.f, module["n"]
        module.close()
        module.close()
        seen = []
        names = lambda: module.function("f"), lambda: module.address("f")
        for use in (handle, names[0], lambda: datum.value, module.reload, names[1]):
            try:
                use()
            except rtlinker.LinkError as error:
                seen.append(type(error).__name__)
        return seen

    assert in_child(run) == ["ClosedModuleError", "ClosedModuleError", "LinkError", "LinkError", "ClosedModuleError"]


def test_a_sticky_module_refuses(compile, in_child):
    paths = [compile(f"int f(void) {{ return {number}; }}") for number in (1, 2)]

    def run():
        module = hot.load(paths[0])
        module.stick()
        error, _ = refused(module, paths[1])
        module.unstick()
        module.reload(paths[1])
        return type(error).__name__, module.f()

    assert in_child(run) == ("StickyError", 2)


def test_prepare_says_what_a_reload_would_do_and_does_nothing(compile, in_child):
    first = compile("int a = 1; int f(void) { return a; } int g(void) { return 1; }", flags="-fdata-sections")
    second = compile(
        "int a = 1; int b; int f(void) { return a + ++b; } int h(void) { return 1; }", flags="-fdata-sections"
    )

    def run():
        module = hot.load(first)
        module.prepare(second)
        before = maps()
        report = module.prepare(second)
        return (
            report.version,
            report.changed,
            report.added,
            report.removed,
            report.kept,
            report.fresh,
            maps() == before,
            module.version,
        )

    assert in_child(run) == (2, ("f",), ("h",), ("g",), ("a",), ("b",), True, 1)


def test_a_prototype_given_by_hand_is_checked_when_debug_information_comes(compile, in_child):
    first = compile("int f(int a) { return a; }", flags="-g0")
    second = compile("long f(long a, double b) { return a + b; }")

    def run():
        module = hot.load(first)
        handle = module.function("f", "int(int)")
        error, _ = refused(module, second)
        return type(error).__name__, "int f(int)" in str(error), handle(3)

    assert in_child(run) == ("IncompatibleSignatureError", True, 3)


def test_a_call_of_a_function_that_is_removed_meanwhile_ends_in_the_old_one(compile, in_child):
    first = compile("void hook(void); int gone(void) { hook(); return 7; } int f(void) { return 1; }")
    second = compile("int f(void) { return 2; }")

    def run():
        module = hot.load(first, symbols={"hook": (lambda: module.reload(second, allow=["gone"]), "void(void)")})
        last = module.gone()
        hot.domain.sweep()
        return last, module.f(), hot.domain.later

    assert in_child(run) == (7, 2, {})
