"""Which variables the constructors of an object may change."""

from __future__ import annotations

import builtins

import pytest

from rtlinker.elf.reader import read_object
from rtlinker.hot.constructed import constructors

C = """
int plain = 1; static int hidden = 2; int read_only_here = 3; static long table[4] = {1, 2, 3, 4};
__thread int mine = 5; const int constant = 6; static int untouched = 7; static int deep = 8; int *where = &untouched;
static char buffer[64];
static int by_callback = 9; static int at_exit_only = 10; extern int foreign; void outside(char *);
int atexit(void (*)(void)); void each(void (*)(void));
static __attribute__((noinline)) void inner(int x) { deep += x; if (x > 5) inner(x - 1); }
static __attribute__((noinline)) void callback(void) { by_callback++; }
static __attribute__((noinline)) void goodbye(void) { at_exit_only++; }
__attribute__((constructor)) static void first(void) { plain = read_only_here + constant; hidden++; inner(plain); }
__attribute__((constructor(101))) static void second(void) {
  table[plain & 3] = 1; outside(buffer); mine = 3; foreign = 1; }
__attribute__((constructor)) static void third(void) { atexit(goodbye); }
__attribute__((constructor)) static void fourth(void) { each(callback); }
__attribute__((constructor)) static void fifth(void) { extern void (*pointer)(void); pointer(); }
int use(void) { return untouched + *where + table[plain & 3]; }
"""

FLAGS = ["-O0", "-O2", "-O2 -fPIC", "-O0 -fPIC", "-O2 -fno-pic", "-O2 -fdata-sections -ffunction-sections", "-O1 -fPIE"]


def found_in(path):
    object = read_object(path.read_bytes(), "a.o")
    return object, {constructor.name: constructor for constructor in constructors(object)}


def named(constructor, how=None):
    return {touched.name.partition(".")[0] for touched in constructor.touched if how in (None, touched.how)}


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_what_constructors_of_c_write(compile, compiler, flags):
    object, found = found_in(compile(C, flags=f"{flags} -g0", compiler=compiler))
    assert {name.partition(".")[0] for name in found} == {"first", "second", "third", "fourth", "fifth"}
    assert named(found["first"], "written") == {"plain", "hidden", "deep"}
    assert named(found["first"]) == {"plain", "hidden", "deep"}
    assert found["first"].functions in (("first", "inner"), ("first",))
    assert {"table", "buffer", "mine", "foreign"} <= named(found["second"])
    if "-fdata-sections" in flags:  # else the neighbours of an array with an index may be meant
        assert named(found["second"]) == {"table", "buffer", "mine", "foreign"}
    assert found["second"].calls == ("outside",)
    assert named(found["third"]) == set()
    assert named(found["fourth"]) == {"by_callback"}
    assert [name for name in found if found[name].indirect] == ["fifth"]
    for constructor in found.values():
        assert constructor.exact
        assert object.function_at(constructor.section, constructor.offset) == constructor.name
        for touched in constructor.touched:
            if touched.section > 0:
                symbols = [object.symbols.symbol(index) for index in range(len(object.symbols))]
                there = [s for s in symbols if (s.section, s.value) == (touched.section, touched.offset)]
                assert touched.name in {symbol.name for symbol in there}


CXX = """
struct Thing { int a, b; Thing(int x); ~Thing(); }; int counted = 4; static int never = 5;
__attribute__((noinline)) Thing::Thing(int x) : a(x), b(x + 1) { counted++; } Thing::~Thing() { never++; }
static Thing one(3); Thing two(4); int compute(); int computed = compute(); static int fixed = 6;
inline int lazily() { static Thing inner(7); return inner.a; } int use() { return lazily() + fixed; }
struct Virtual { virtual ~Virtual() {} virtual int go() { return 1; } int k = 2; }; Virtual object;
"""


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_what_the_initialiser_of_a_cxx_unit_touches(compile, compiler, flags):
    _, found = found_in(compile(CXX, "c++", f"{flags} -g0", compiler=compiler))
    (constructor,) = found.values()
    touched = {"_ZL3one": "one", "two": "two", "computed": "computed", "counted": "counted", "object": "object"}
    names = {touched.get(each.name, each.name) for each in constructor.touched}
    assert names | {"object"} == set(touched.values())  # clang sees that nothing is to be done for it
    assert "_Z7computev" in constructor.calls
    assert not any(each.name.startswith("_ZTV") for each in constructor.touched)


def test_old_arrays_of_constructors(compile):
    source = """int set; void go(void) { set = 1; }
    void (*const entry)(void) __attribute__((section(".ctors"))) = go;"""
    _, found = found_in(compile(source, flags="-O1 -g0"))
    assert [*found] == ["go"]
    assert named(found["go"]) == {"set"}


def test_an_object_without_constructors_has_none(compile):
    _, found = found_in(compile("int f(void) { return 1; }"))
    assert found == {}


@pytest.mark.parametrize("flags", FLAGS)
def test_without_capstone_more_is_named_and_nothing_less(compile, monkeypatch, flags):
    path = compile(C, flags=f"{flags} -g0")
    _, exact = found_in(path)
    real = builtins.__import__

    def without(name, *rest):
        if name == "capstone":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    _, rough = found_in(path)
    assert set(rough) == set(exact)
    for name, constructor in rough.items():
        assert not constructor.exact
        assert named(exact[name]) <= named(constructor)
        assert set(exact[name].functions) <= set(constructor.functions)
    assert "read_only_here" in named(rough["first"])
