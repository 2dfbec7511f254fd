"""An object as a whole: which variable is which across compilations, and where variables and functions lie."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys

import pytest

from rtlinker.bind.abi import reachable_records, record_changes
from rtlinker.bind.ctype import declare, plain, size_of
from rtlinker.dwarf.program import read_program
from rtlinker.elf.object import COMMON
from rtlinker.elf.reader import read_object
from rtlinker.errors import BadObjectError

COMPILERS = ["gcc", "clang"]
FLAGS = ["-O0", "-O2", "-O0 -fdata-sections", "-O2 -fdata-sections"]
CXX = {"gcc": "g++", "clang": "clang++"}


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    def compiled(source, compiler, flags="", suffix=".c", name="source"):
        program = CXX[compiler] if suffix == ".cc" else compiler
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
        folder = tmp_path_factory.mktemp("object")
        (folder / f"{name}{suffix}").write_text(source)
        command = [program, "-w", "-g", *flags.split(), "-c", f"{name}{suffix}", "-o", "source.o"]
        subprocess.run(command, check=True, cwd=folder)
        return folder / "source.o"

    return compiled


def described(path):
    data = path.read_bytes()
    return read_program(data, "source.o"), read_object(data, "source.o")


def initial(object, variable):
    """The number that a variable starts with, from the bytes where it is said to lie; 0 in .bss."""
    if object.sections.types[variable.section] == 8:
        return 0
    content = object.content(variable.section)
    return int.from_bytes(content[variable.offset : variable.offset + size_of(variable.type)], "little", signed=True)


def named(facts, name):
    found = [fact for fact in facts if fact.name == name]
    assert len(found) == 1, found
    return found[0]


COUNTER = "int {0}(int by) {{ static int count = {1}; return count += by; }}\n"
INLINED = "static inline int {0}(int by) {{ static int count = {1}; return count += by; }}\n"
NESTED = """int {0}(int by) {{ static int count = {1};
  if (by > 3) {{ static long count = {1}00; return count += by; }} return count += by; }}\n"""
PARTS = {
    "f": COUNTER.format("f", 11),
    "g": COUNTER.format("g", 22),
    "i": INLINED.format("i", 33) + "int use_i(int by) { return i(by) + i(by + 1); }\n",
    "n": NESTED.format("n", 44),
    "new": COUNTER.format("added", 55),
}
STARTS = {("f", "count"): 11, ("g", "count"): 22, ("i", "count"): 33, ("n", "count"): 44, ("n", "count", "1"): 4400,
          ("added", "count"): 55}  # fmt: skip


@pytest.mark.parametrize("order", ["f g i n", "f g i n new", "new f g i n", "n new i g f", "i f"])
@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_static_variables_of_functions_are_told_apart_whatever_the_order(build, compiler, flags, order):
    program, object = described(build("".join(PARTS[part] for part in order.split()), compiler, flags))
    found = {variable.key[1:]: initial(object, variable) for variable in program.variables}
    shown = {*order.split()} - {"new"} | ({"added"} if "new" in order else set())
    assert found == {key: value for key, value in STARTS.items() if key[0] in shown}


def test_the_unit_is_the_first_part_of_a_key_and_the_rivals_of_a_name_are_counted(build):
    program, _ = described(build(PARTS["f"] + PARTS["n"], "gcc"))
    rivals = {variable.key: variable.rivals for variable in program.variables}
    assert rivals == {("source.c", "f", "count"): 1, ("source.c", "n", "count"): 2, ("source.c", "n", "count", "1"): 2}


def test_a_removed_rival_keeps_its_number(build):
    source = """int f(int a) { { static int k = 3; if (0) k = a; } { static int k = 5; return k += a; } }"""
    program, object = described(build(source, "gcc", "-O2"))
    (kept,) = program.variables
    assert (kept.ordinal, kept.rivals, initial(object, kept)) == (1, 2, 5)
    assert [(gone.ordinal, gone.rivals, gone.located) for gone in program.removed] == [(0, 2, False)]


CXX_SOURCE = """
namespace ns { static int hidden = 1; int shown = 2;
struct C { static int member; static inline int inlined = 4; int method(int); };
int C::member = 3; int C::method(int x) { static int inner = 5; return inner += x + member + inlined + ++hidden; } }
namespace { int anonymous = 7; int twice(int k) { static int a = 21; return a += k; }
            int twice(long k) { static int a = 22; return a += k; } }
inline int weak(int q) { static int once = 8; return once += q; }
template <class T> T adder(T t) { static T sum = 9; return sum += t; }
template <class T> struct Box { static T content; }; template <class T> T Box<T>::content = 10;
static int plain(int z) { static int deep = 12; return deep += z; }
int all(int a) {
  auto one = [&](int k) { static int inside = 13; return inside += k + a; };
  auto two = [&](int k) { static int inside = 14; return inside += k + a; };
  struct Local { int go(int g) { static int here = 15; return here += g; } } local;
  return ns::shown++ + twice(a) + twice(1L) + ++anonymous + weak(a) + adder(a) + adder<long>(a) + Box<int>::content++
    + plain(a) + plain(a + 1) + one(a) + two(a) + local.go(a) + ns::C().method(a); }
"""


@pytest.mark.parametrize("flags", [*FLAGS, "-O2 -fPIC -gdwarf-4", "-O0 -fdebug-types-section"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_cxx_has_a_key_for_every_static_variable(build, compiler, flags):
    program, object = described(build(CXX_SOURCE, compiler, f"-std=c++17 {flags}", ".cc"))
    found = {(variable.name, variable.symbol): (initial(object, variable), variable) for variable in program.variables
             if variable.name != "inside" and variable.name != "a"}  # fmt: skip
    starts = {key: start for key, (start, _) in found.items()}
    assert starts == {
        ("hidden", None): 1, ("shown", "_ZN2ns5shownE"): 2, ("member", "_ZN2ns1C6memberE"): 3,
        ("inlined", "_ZN2ns1C7inlinedE"): 4, ("inner", None): 5, ("anonymous", None): 7,
        ("once", "_ZZ4weakiE4once"): 8, ("sum", "_ZZ5adderIiET_S0_E3sum"): 9, ("sum", "_ZZ5adderIlET_S0_E3sum"): 9,
        ("content", "_ZN3BoxIiE7contentE"): 10, ("deep", None): 12, ("here", None): 15,
    }  # fmt: skip
    scopes = {key[0]: fact.scope[1:] for key, (_, fact) in found.items()}
    assert scopes["hidden"] == ("ns",)
    assert scopes["member"] == ("ns", "C")
    assert scopes["inner"] == ("_ZN2ns1C6methodEi",)
    assert scopes["anonymous"] == ("(anonymous namespace)",)
    assert "3alli" in scopes["here"][0]
    inside = [variable for variable in program.variables if variable.name == "inside"]
    assert [initial(object, variable) for variable in sorted(inside, key=lambda fact: fact.key)] == [13, 14]
    assert len({variable.key for variable in program.variables}) == len(program.variables)
    overloads = {fact.scope[-1]: initial(object, fact) for fact in program.variables if fact.name == "a"}
    assert sorted(overloads.values()) == [21, 22]
    assert all("twice" in name for name in overloads)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_an_enumeration_in_a_type_unit_has_its_size_and_values(build, compiler):
    source = "namespace n { enum class mode : unsigned char { on = 3, off = 5 }; mode now = mode::off; }"
    program, _ = described(build(source, compiler, "-fdebug-types-section", ".cc"))
    ctype = plain(program.variables[0].type)
    assert (ctype.size, ctype.values, ctype.signed) == (1, (("on", 3), ("off", 5)), False)


@pytest.mark.parametrize("flags", ["-O0", "-O2 -gdwarf-4", "-O0 -fdebug-types-section"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_records_of_one_name_are_known_by_what_encloses_them(build, compiler, flags):
    source = """namespace a { struct S { int i; struct in { char c; } inner; }; }
    namespace b { struct S { double d; }; } struct S { long l; }; a::S one; b::S two; S three; %s
    int f(a::S *x, b::S *y, S *z) { struct local { int v; } l = {3}; return x->i + y->d + z->l + l.v; }"""
    old, _ = described(build(source % "", compiler, flags, ".cc"))
    (function,) = [each for each in old.functions if each.name == "f"]
    assert {*reachable_records(function.type)} == {"a::S", "b::S", "S", "a::S::in"}
    new, _ = described(build("#include <vector>\n#include <map>\n" + source % "std::map<int, a::S> more;", compiler,
                             flags, ".cc"))  # fmt: skip
    for name in ("one", "two", "three"):
        tables = [reachable_records(named(program.variables, name).type) for program in (old, new)]
        assert tables[0].keys() == tables[1].keys()
        assert record_changes(*tables) == {}


def test_templates_of_one_name_are_told_apart(build):
    source = """#include <vector>
    struct part { int x; }; %s std::vector<int> numbers; std::vector<part> parts; int f() { return numbers.size(); }"""
    old, _ = described(build(source % "", "gcc", "", ".cc"))
    extra = "struct other { double d; }; std::vector<other> others; std::vector<double> first;"
    new, _ = described(build(source % extra, "gcc", "", ".cc"))
    tables = []
    for program in (old, new):
        tables.append({})
        for variable in reversed(program.variables):
            tables[-1].update(reachable_records(variable.type))
    assert record_changes(*tables) == {}


@pytest.mark.parametrize("compiler", COMPILERS)
def test_keys_of_cxx_do_not_depend_on_what_was_inlined(build, compiler):
    keys = [
        {variable.key for variable in described(build(CXX_SOURCE, compiler, f"-std=c++17 {level}", ".cc"))[0].variables}
        for level in ("-O0", "-O2", "-O1 -fno-inline")
    ]
    assert keys[0] == keys[1] == keys[2]


PLACES = """
#include <stddef.h>
struct pair { int a; long b; };
int zero; int one = 1; static long two = 2; const char text[] = "text"; static struct pair pairs[3]; double *where;
static const int table[4] = {1, 2, 3}; __thread int mine; static __thread long ours = 5; int common_or_not;
__attribute__((section("elsewhere"))) int placed = 6; extern int foreign;
int get(int i) { static short within = 3;
  return one + two + pairs[i].a + table[i] + mine + ours++ + placed + within++ + foreign; }
static int inner(int x) { return x * 2; } int outer(int x) { return inner(x) + get(x); }
int outer_too(int) __attribute__((alias("outer")));
"""


@pytest.mark.parametrize(
    "flags",
    ["-O0", "-O2", "-O1 -fcommon", "-gdwarf-4", "-gdwarf-5", "-O2 -ffunction-sections -fdata-sections", "-gz",
     "-O2 -gdwarf-5 -fPIC", "-O1 -gdwarf-3"],
)  # fmt: skip
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_variable_lies_where_the_symbol_table_says(build, compiler, flags):
    program, object = described(build(PLACES, compiler, flags))
    symbols = [object.symbols.symbol(index) for index in range(len(object.symbols))]
    table = {}
    for symbol in symbols:
        if symbol.type in (1, 6) and symbol.section:  # STT_OBJECT, STT_TLS
            offset = 0 if symbol.section == COMMON else symbol.value
            table[symbol.name.partition(".")[0] if symbol.name[0] != "g" else "within", symbol.section, offset] = symbol
    found = {(v.name, v.section, v.offset): v for v in program.variables if v.located}
    assert set(found) == set(table)
    for key, variable in found.items():
        assert variable.external == (table[key].bind == 1)
        assert variable.symbol == (table[key].name if variable.external else None)
        assert variable.thread_local == (table[key].type == 6)
        assert size_of(variable.type) == table[key].size


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("compiler", COMPILERS)
def test_functions_lie_where_the_symbol_table_says(build, compiler, flags):
    program, object = described(build(PLACES, compiler, flags + " -ffunction-sections"))
    symbols = [object.symbols.symbol(index) for index in range(len(object.symbols))]
    table = {(s.name, s.section, s.value, s.bind == 1) for s in symbols if s.type == 2}
    found = {(name, f.section, f.offset, f.external) for f in program.functions if f.section is not None
             for name in (f.symbol, *f.aliases)}  # fmt: skip
    assert found == table
    outer = named(program.functions, "outer")
    assert {outer.symbol, *outer.aliases} == {"outer", "outer_too"}
    assert (outer.file, outer.line, declare(outer.type)) == ("source.c", 9, "int(int x)")
    if "-O2" in flags:
        assert named(program.functions, "inner").section is None


def test_a_function_cut_in_two_and_a_copy_that_the_compiler_made_are_found(build):
    source = """void cold(void) __attribute__((cold)); int data[9];
    int cut(int x) { if (x == 5) { cold(); data[x] = 3; cold(); } return data[x & 7] * 3; }
    static __attribute__((noinline)) int copied(int a, int b) { return data[a & 7] * b + data[b & 7]; }
    int use(int a) { return copied(a, 3) + copied(a + 1, 3); }"""
    program, object = described(build(source, "gcc", "-O2"))
    cut, copied = named(program.functions, "cut"), named(program.functions, "copied")
    assert (cut.symbol, cut.external, object.sections.names[cut.section]) == ("cut", True, ".text")
    assert copied.symbol.startswith("copied.")
    assert object.function_at(copied.section, copied.offset) == copied.symbol
    source = source.replace("{ return data[a & 7] * b + ", "{ if (a == 7) cold(); return data[a & 7] * b + ")
    program, object = described(build(source, "gcc", "-O2"))
    copied = named(program.functions, "copied")
    assert copied.symbol.startswith("copied.") or copied.section is None
    assert copied.section is None or object.function_at(copied.section, copied.offset) == copied.symbol


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_variable_whose_writer_is_gone_is_said_to_have_no_storage(build, compiler):
    old = "static int cfg = 7; int count; int get(void) { return cfg; } void set(int x) { cfg = x; }"
    new = "static int cfg = 7; int count; int get(void) { return cfg; }"
    before, _ = described(build(old, compiler, "-O2", name="old"))
    after, _ = described(build(new, compiler, "-O2", name="new"))
    was = named(before.variables, "cfg")
    assert was.located
    now = after.missing(was)
    assert now is not None
    assert (now.name, now.located, now.section) == ("cfg", False, None)
    assert after.missing(named(before.variables, "count")) is None


def test_a_removed_constant_has_its_value(build):
    program, _ = described(build("static const int limit = 13; int get(void) { return limit; }", "clang", "-O2"))
    limit = named(program.variables, "limit")
    assert (limit.located, limit.constant) == (False, 13)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_static_variable_of_a_function_whose_writer_is_gone_is_found_too(build, compiler):
    old, _ = described(build("int f(int x) { static int k = 7; if (x) k = x; return k; }", compiler, "-O2"))
    new, _ = described(build("int f(int x) { static int k = 7; return k + x; }", compiler, "-O2"))
    (was,) = old.variables
    assert was.located
    now = new.missing(was)
    assert now is None or not now.located  # clang drops the entry as well
    assert compiler != "gcc" or now is not None


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("version", ["4", "5"])
def test_split_debug_information_says_the_same(build, compiler, version):
    whole, _ = described(build(PLACES, compiler, f"-gdwarf-{version} -O1"))
    split = build(PLACES, compiler, f"-gdwarf-{version} -O1 -gsplit-dwarf")
    program = read_program(split.read_bytes(), str(split))

    def rows(said):
        functions = {(f.symbol, f.aliases, f.section, f.offset, f.line, declare(f.type)) for f in said.functions}
        files = {f.file for f in said.functions}
        return functions, files, {(v.key, v.section, v.offset, v.thread_local, v.line) for v in said.variables}

    assert rows(program) == rows(whole)
    next(split.parent.glob("*.dwo")).unlink()
    bare = read_program(split.read_bytes(), str(split))
    assert not bare.functions
    assert "-gsplit-dwarf" in bare.notes[0]


def test_two_units_linked_into_one_object_keep_their_statics_apart(build, tmp_path):
    paths = []
    for name, start in (("left", 1), ("right", 2), ("left", 3)):
        use = f"int use_{start}(void) {{ static int n = {start}0; return n++ + state++; }}"
        source = f"static int state = {start}; {use}"
        paths.append(build(source, "gcc", "-O1", name=name))
    subprocess.run(["ld", "-r", *paths, "-o", tmp_path / "all.o"], check=True)
    program, object = described(tmp_path / "all.o")
    states = {v.key: (initial(object, v), v.rivals) for v in program.variables if v.name == "state"}
    assert states == {("left.c", "state"): (1, 2), ("left.c", "state", "1"): (3, 2), ("right.c", "state"): (2, 1)}
    assert [unit.name for unit in program.units] == ["left.c", "right.c", "left.c"]
    assert {v.key[1:]: initial(object, v) for v in program.variables if v.name == "n"} == {
        ("use_1", "n"): 10, ("use_2", "n"): 20, ("use_3", "n"): 30,
    }  # fmt: skip


def test_the_units_say_how_they_were_compiled(build):
    program, _ = described(build("int f(void) { return 1; }", "gcc", "-O2 -fPIC"))
    (unit,) = program.units
    assert unit.producer.startswith("GNU C")
    assert "-fPIC" in unit.producer.split()
    assert unit.name == "source.c"


def test_an_object_without_debug_information_is_empty(build):
    program, _ = described(build("int f(void) { return 1; }", "gcc", "-g0"))
    assert (program.units, program.functions, program.variables, program.removed) == ((), (), (), ())


@pytest.mark.parametrize("compiler", COMPILERS)
def test_broken_debug_information_is_an_error_or_read(build, compiler):
    data = build(CXX_SOURCE, compiler, "-O1 -std=c++17", ".cc").read_bytes()
    object = read_object(data, "source.o")
    spans = [
        (object.sections.offsets[index], object.sections.sizes[index])
        for index, name in enumerate(object.sections.names)
        if name in (".debug_info", ".debug_abbrev", ".rela.debug_info", ".debug_line")
    ]
    chance = random.Random(7)
    for _ in range(300):
        broken = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            start, size = chance.choice(spans)
            broken[start + chance.randrange(size)] = chance.randrange(256)
        try:
            program = read_program(bytes(broken), "source.o")
            for fact in (*program.functions, *program.variables, *program.removed):
                declare(fact.type)
        except BadObjectError as error:
            assert error.file == "source.o"


def test_no_library_is_imported_to_read_it(build):
    path = build(PLACES, "gcc", "-O1")
    code = f"""import sys; sys.path[:0] = {sys.path!r}
from rtlinker.dwarf.program import read_program
p = read_program(open({str(path)!r}, 'rb').read(), 'x'); [f.type for f in (*p.functions, *p.variables)]
assert not {{'elftools', 'numpy', 'dataclasses', 're', 'typing'}} & set(sys.modules), sorted(sys.modules)"""
    subprocess.run([sys.executable, "-S", "-E", "-c", code], check=True)
