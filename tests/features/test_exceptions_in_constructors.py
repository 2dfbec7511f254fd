"""A constructor that throws undoes the load; a destructor that throws keeps no other from running."""

import pytest

import rtlinker
from tests.support.child import mapped

THROWS = """
#include <stdexcept>
extern "C" void note(int);
struct Counted { int number; Counted(int n) : number(n) { note(n); } ~Counted() { note(-number); } };
static Counted first(1);
struct Thrower { Thrower() { Counted local(2); throw std::runtime_error("not today"); } } thrower;
static Counted never(3);
extern "C" int here() { return 1; }
"""
LEAVES = """
extern "C" void note(int);
extern "C" int atexit(void (*)(void));
__attribute__((constructor)) static void begin() {
  atexit([] { note(1); });
  atexit([] { note(2); throw 2; });
  atexit([] { note(3); });
}
__attribute__((destructor)) static void end() { note(4); throw 4; }
__attribute__((destructor)) static void other_end() { note(5); }
extern "C" int here() { return 1; }
"""


def test_a_constructor_that_throws_undoes_the_load(compile, in_child):
    path = compile(THROWS, "c++")

    def call():
        noted = []
        linker = rtlinker.Linker()
        linker.define("note", noted.append, "void(int)")
        linker.load_library("libstdc++.so.6")
        linker.load_object(path)
        linker.resolve(start=False)
        address = linker.lookup("here")
        assert mapped(address) == "r-xp"
        with pytest.raises(rtlinker.ForeignExceptionError) as raised:
            linker.start()
        assert str(raised.value).endswith("function  a constructor")
        return raised.value.what, noted, mapped(address), linker.lookup("here")

    assert in_child(call) == ("not today", [1, 2, -2, -1], "", None)


def test_load_raises_it(compile, in_child):
    path = compile(THROWS, "c++")

    def call():
        for _ in range(3):
            with pytest.raises(rtlinker.ForeignExceptionError) as raised:
                rtlinker.load(path, libraries=["stdc++"], symbols={"note": (lambda number: None, "void(int)")})
        return raised.value.headline

    assert in_child(call) == "C++ exception std::runtime_error: not today"


def test_destructors_that_throw_keep_no_other_from_running(compile, in_child):
    path = compile(LEAVES, "c++")

    def call():
        noted = []
        library = rtlinker.load(path, libraries=["stdc++"], symbols={"note": (noted.append, "void(int)")})
        address = library.here.address
        with pytest.raises(rtlinker.ForeignExceptionError) as raised:
            library.unload()
        return raised.value.what, raised.value.function, sorted(noted), noted[:3], mapped(address)

    assert in_child(call) == ("4", "a destructor", [1, 2, 3, 4, 5], [5, 4, 3], "")


def test_the_command_line_prints_it(compile, rtlinker_command):
    helper = compile("void note(int n) {}")
    ended = rtlinker_command("load", compile(THROWS, "c++"), "here", "-w", helper, "-l", "stdc++")
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr == "error: C++ exception std::runtime_error: not today\n  function  a constructor\n"


def test_a_program_whose_constructor_throws_is_ended(compile, rtlinker_command):
    path = compile("struct T { T() { throw 1; } } t; int main() { return 0; }", "c++")
    assert rtlinker_command("load", path, "main", "-l", "stdc++").code == 128 + 6
