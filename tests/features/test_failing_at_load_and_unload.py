"""What fails in code that a load or an unload runs is raised there, and by no later call."""

import pytest

import rtlinker

RESOLVER = """
extern void note(int);
static int one(void) { return 1; }
static int (*choose(void))(void) { %s; return one; }
int pick(void) __attribute__((ifunc("choose")));
int call(void) { return pick(); }
"""
CXX_RESOLVER = """
typedef int Function();
static int one() { return 1; }
extern "C" Function *choose() { %s return one; }
extern "C" int pick() __attribute__((ifunc("choose")));
extern "C" int call() { return pick(); }
"""
LEAVES_THREAD = """
extern "C" void note(int);
struct Counted { int number; Counted(int n) : number(n) {} ~Counted() { note(number); } };
thread_local Counted first(1), second(2);
extern "C" int touch() { return first.number + second.number; }
"""
PLAIN = "int plain(void) { return 7; }"


def fail(number):
    raise ValueError(number)


SYMBOLS = {"note": (fail, "void(int)")}


def plain_works(path):
    return rtlinker.load(path).plain() == 7


@pytest.mark.parametrize("rescue", [True, False])
def test_a_callbacks_exception_in_a_resolver_is_raised_by_the_load(compile, in_child, rescue):
    path, plain = compile(RESOLVER % "note(3)"), compile(PLAIN, flags="-g")

    def call():
        linker = rtlinker.Linker(rescue=rescue)
        linker.load_object(path)
        linker.define("note", fail, "void(int)")
        with pytest.raises(ValueError, match="3"):
            linker.resolve()
        return plain_works(plain)

    assert in_child(call)


def test_a_resolver_that_dies_is_a_crash_error_which_names_it(compile, in_child):
    path = compile(RESOLVER % "*(volatile int *)8 = 1", name="bad.o")

    def call():
        with pytest.raises(rtlinker.CrashError) as caught:
            rtlinker.load(path, symbols=SYMBOLS)
        return caught.value

    error = in_child(call)
    assert error.headline == "a resolver died of SIGSEGV"
    assert dict(error.facts)["resolver"] == f"choose+0x0 ({path})" or "pick+0x0" in dict(error.facts)["resolver"]
    assert str(path) in dict(error.facts)["at"]


def test_a_resolver_may_throw_and_catch(compile, in_child):
    path = compile(CXX_RESOLVER % "try { throw 1; } catch (int) { }", "c++")

    def call():
        return rtlinker.load(path).function("call", "int(void)")()

    assert in_child(call) == 1


def test_an_exception_that_leaves_a_resolver_undoes_the_load(compile, in_child):
    path = compile(CXX_RESOLVER % "throw 5;", "c++")

    def call():
        with pytest.raises(rtlinker.ForeignExceptionError) as caught:
            rtlinker.load(path)
        return caught.value.function

    assert in_child(call) == "a resolver"


def test_resolvers_choose_what_they_return_with_and_without_rescue(compile, in_child):
    path = compile(RESOLVER % "")

    def call(rescue):
        linker = rtlinker.Linker(rescue=rescue)
        linker.load_object(path)
        linker.define("note", fail, "void(int)")
        linker.resolve()
        return rtlinker.Library(linker, "chosen").call()

    assert [in_child(call, rescue) for rescue in (True, False)] == [1, 1]


def test_a_callbacks_exception_in_a_thread_local_destructor_is_raised_by_the_unload(compile, in_child):
    path, plain = compile(LEAVES_THREAD, "c++"), compile(PLAIN, flags="-g")

    def call():
        seen = []

        def note(number):
            seen.append(number)
            raise ValueError(number)

        library = rtlinker.load(path, symbols={"note": (note, "void(int)")})
        library.touch()
        with pytest.raises(ValueError, match="2"):
            library.unload()
        return seen, library.pinned, plain_works(plain)

    assert in_child(call) == ([2, 1], (), True)


@pytest.mark.parametrize("ends", ["__builtin_trap();", "throw 1;", ""])
def test_thread_local_destructors_that_fail_do_not_hide_why_a_constructor_failed(compile, in_child, ends):
    source = """
    extern "C" void note(int);
    struct Bad { int x; Bad() : x(1) {} ~Bad() noexcept(false) { note(1); %s } };
    struct Good { int x; Good() : x(1) {} ~Good() { note(2); } };
    thread_local Good good; thread_local Bad bad;
    __attribute__((constructor)) static void begin() { good.x = bad.x; throw 9; }
    """
    path, plain = compile(source % ends, "c++"), compile(PLAIN, flags="-g")

    def call():
        seen = []

        def note(number):
            seen.append(number)
            raise ValueError(number)

        with pytest.raises(rtlinker.ForeignExceptionError) as caught:
            rtlinker.load(path, symbols={"note": (note, "void(int)")})
        return caught.value.what, seen, plain_works(plain)

    assert in_child(call) == ("9", [1, 2], True)


def test_what_exit_handlers_raise_after_a_failed_constructor_reaches_no_later_call(compile, in_child):
    source = """
    extern void note(int); extern int atexit(void (*)(void));
    static void last(void) { note(1); }
    __attribute__((constructor)) static void begin(void) { atexit(last); __builtin_trap(); }
    """
    path, plain = compile(source), compile(PLAIN, flags="-g")

    def call():
        with pytest.raises(rtlinker.CrashError):
            rtlinker.load(path, symbols=SYMBOLS)
        return plain_works(plain)

    assert in_child(call)
