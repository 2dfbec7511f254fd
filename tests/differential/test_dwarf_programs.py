"""The functions and variables of an object as our reader and as pyelftools find them."""

from __future__ import annotations

import io

import pytest
from elftools.elf.elffile import ELFFile

from rtlinker.bind.ctype import size_of
from rtlinker.dwarf.program import read_program

C = """
struct pair { int a; long b; }; int one = 1; static long two; const char text[] = "text"; static struct pair pairs[3];
static int helper(int x) { static int calls = 5; { static int calls = 6; calls++; } return calls += x; }
int get(int i) { static short within; const int *p = &one; return *p + two + pairs[i].a + helper(i) + within++; }
int *address(void) { static int fixed; return &fixed; } int big[100]; int last(void) { return big[7] + text[1]; }
"""

CXX = """
#include <map>
#include <string>
#include <vector>
namespace app { struct config { std::map<std::string, int> values; static std::vector<int> history;
  static config &get() { static config only; return only; } }; std::vector<int> config::history;
template <class T> T &one(int k) { static std::map<int, T> all; return all[k]; } static int hidden = 3; }
namespace { int anonymous = 4; struct local { int go(int x) { static int n; return n += x; } }; }
int work(int a) { auto add = [&](int q) { static int g; return g += a + q; };
  return add(1) + app::one<int>(a) + app::one<std::string>(2).size() + app::config::get().values.size() + anonymous
    + local().go(a) + ++app::hidden; }
"""


def root(die):
    """The entry that a variable or function completes or is an instance of in the end, and all on the way."""
    chain = [die]
    while True:
        for link in ("DW_AT_abstract_origin", "DW_AT_specification"):
            if link in chain[-1].attributes:
                chain.append(chain[-1].get_DIE_from_attribute(link))
                break
        else:
            return chain


def name_of(chain):
    for die in chain:
        if "DW_AT_name" in die.attributes:
            return die.attributes["DW_AT_name"].value.decode()
    return ""


def with_pyelftools(data):
    """Functions with code and variables with one address: name, offset, size; of each declaration one."""
    functions, variables = set(), {}
    for unit in ELFFile(io.BytesIO(data)).get_dwarf_info().iter_CUs():
        for die in unit.iter_DIEs():
            attributes = die.attributes
            if die.tag == "DW_TAG_subprogram" and "DW_AT_low_pc" in attributes:
                functions.add((name_of(root(die)), attributes["DW_AT_low_pc"].value))
            place = attributes.get("DW_AT_location")
            value = place.value if place is not None and place.form == "DW_FORM_exprloc" else []
            if die.tag == "DW_TAG_variable" and len(value) == 9 and value[0] == 0x03:  # DW_OP_addr, and no more
                chain = root(die)
                variables[chain[-1].offset] = name_of(chain), int.from_bytes(bytes(value[1:]), "little")
    return functions, sorted(variables.values())


@pytest.mark.parametrize("flags", ["-O0", "-O1 -gdwarf-4", "-O2", "-O2 -fPIC -fdata-sections", "-gz"])
@pytest.mark.parametrize(
    ("source", "language", "compiler"),
    [(C, "c", "gcc"), (C, "c", "clang"), (CXX, "c++", "g++"), (CXX, "c++", "clang++")],
)
def test_both_find_the_same(compile, source, language, compiler, flags):
    if "clang" in compiler:
        flags = flags.replace("-gdwarf-4", "") + " -gdwarf-4"  # else addresses stand in .debug_addr
    data = compile(source, language, f"-std={'c++17' if language == 'c++' else 'c11'} {flags}", compiler).read_bytes()
    program = read_program(data, "a.o")
    functions, variables = with_pyelftools(data)
    assert {(f.name, f.offset) for f in program.functions if f.section is not None} >= functions
    found = [(variable.name, variable.offset) for variable in program.variables if variable.located]
    constants = {variable.name for variable in program.variables if variable.located} - {name for name, _ in variables}
    assert sorted(row for row in found if row[0] not in constants) == variables
    assert all(size_of(variable.type) is not None for variable in program.variables)
