"""Static functions whose address is kept somewhere, told from those that are only called."""

from __future__ import annotations

import pytest

from rtlinker.elf.reader import read_object
from rtlinker.hot.escaping import addresses_taken

SOURCE = """
typedef int (*handler)(int);
static __attribute__((noinline)) int called(int x) { return x * 3; }
static __attribute__((noinline)) int kept(int x) { return x * 5; }
static __attribute__((noinline)) int passed(int x) { return x * 7; }
static __attribute__((noinline)) int stored(int x) { return x * 9; }
static __attribute__((noinline)) int tailed(int x, int y) { return x * 11 + y; }
static __attribute__((noinline)) int both(int x) { return x * 13; }
int shown(int x) { return x; }
handler table[] = {kept, shown}; handler slot; void take(handler);
int use(int x) { take(passed); take(shown); return called(x); }
int store(int x) { slot = x ? stored : (handler) 0; return both(x); }
int tail(int x) { return tailed(x, x); }
handler give(void) { return both; }
int many(int x) { switch (x) { case 0: return called(1); case 1: return 7; case 2: return called(9);
  case 3: return x * 4; case 4: return called(x) + 1; case 5: return 99; case 6: return called(x * x);
  default: return 0; } }
__attribute__((constructor)) static void begin(void) { slot = 0; }
"""


@pytest.mark.parametrize(
    "flags",
    ["-O0", "-O2", "-O2 -fPIC", "-O0 -fPIC", "-O2 -ffunction-sections", "-O2 -fno-pic",
     "-O0 -fno-pic -ffunction-sections", "-O2 -fPIC -fno-plt -mcmodel=medium", "-O1 -fPIE"],
)  # fmt: skip
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_only_functions_whose_address_is_taken_are_named(compile, compiler, flags):
    object = read_object(compile(SOURCE, flags=f"{flags} -g0", compiler=compiler).read_bytes(), "a.o")
    found = {escape.name: escape for escape in addresses_taken(object)}
    wide = {"shown"} if compiler == "clang" and "-O0 -fno-pic" in flags else set()  # movabs, which has no entry
    assert set(found) == {"kept", "passed", "stored", "both"} | wide
    for name, escape in found.items():
        assert object.function_at(escape.section, escape.offset) == name
        assert escape.site.startswith("a.o:(.")
    assert ":(.data" in found["kept"].site
    assert found["passed"].site.endswith(" in use")


def test_destructors_that_are_registered_escape_and_unwind_tables_do_not(compile):
    source = """struct s { int v; ~s(); }; static int count; s::~s() { count++; } static s one;
    static int quiet(int x) { if (x) throw x; return 1; } int use(int x) { return quiet(x); }"""
    object = read_object(compile(source, "c++", "-O1 -fno-inline").read_bytes(), "a.o")
    assert not addresses_taken(object)
    static = source.replace("struct s {", "namespace { struct s {").replace("~s(); };", "~s(); }; }")
    object = read_object(compile(static, "c++", "-O1 -fno-inline").read_bytes(), "a.o")
    assert [escape.name for escape in addresses_taken(object)] in (
        ["_ZN12_GLOBAL__N_11sD1Ev"], ["_ZN12_GLOBAL__N_11sD2Ev"],
    )  # fmt: skip


def test_a_function_that_begins_a_section_and_one_in_assembly(compile):
    source = """.text
.type first, @function
first: ret
.size first, . - first
.type other, @function
other: lea first(%rip), %rax
 call other
 ret
.size other, . - other"""
    object = read_object(compile(source, "asm").read_bytes(), "a.o")
    assert [escape.name for escape in addresses_taken(object)] == ["first"]
    assert not object.relocations  # the assembler resolved it
