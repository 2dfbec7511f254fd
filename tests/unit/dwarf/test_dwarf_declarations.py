"""Types of functions and variables from the debug information of one object."""

from __future__ import annotations

import io
import shutil
import subprocess

import pytest

from rtlinker.bind.ctype import Refused, declare, plain
from rtlinker.dwarf.reader import read_declarations
from rtlinker.errors import BadObjectError

SOURCE = """
#include <stdbool.h>
#include <stddef.h>
typedef struct node { struct node *next; int a : 5; unsigned b : 3; enum { RED, GREEN = -3 } color;
  union { int i; float f; }; char text[16]; } node;
int add(int a, int b) { return a + b; }
static int hidden(unsigned char c, bool b) { return c + b; }
node *follow(const node *n, int (*cb)(int, const char *), ...) { return n->next; }
typedef float v4 __attribute__((vector_size(16)));
v4 vector(v4 v) { return v; }
int old();
int caller(void) { return hidden(1, 1) + old(2); }
static inline __attribute__((always_inline)) int inlined(int q) { return q * 2; }
int user(int z) { return inlined(z) + inlined(z + 1); }
int counter; static long secret = 3; const char *const names[] = {"a", "b"}; int grid[2][3];
extern int elsewhere; int reader(void) { return elsewhere + secret; }
int *const volatile place;
size_t size(void) { static int calls; return ++calls; }
"""

COMPILERS = [(compiler, flag) for compiler in ("gcc", "clang") for flag in ("-gdwarf-4", "-gdwarf-5")]


@pytest.fixture(scope="session")
def compile_object(tmp_path_factory):
    def build(source, compiler, *flags, suffix=".c"):
        if shutil.which(compiler) is None:
            pytest.skip(f"{compiler} is not installed")
        folder = tmp_path_factory.mktemp("object")
        (folder / f"source{suffix}").write_text(source)
        subprocess.run([compiler, "-w", "-c", *flags, f"source{suffix}", "-o", "source.o"], check=True, cwd=folder)
        return (folder / "source.o").read_bytes()

    return build


@pytest.fixture(scope="session", params=COMPILERS, ids="".join)
def declarations(request, compile_object):
    return read_declarations(compile_object(SOURCE, *request.param), "source.o")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("add", "int add(int a, int b)"),
        ("follow", "node *follow(const node *n, int (*cb)(int, const char *), ...)"),
        ("caller", "int caller(void)"),
        ("size", "size_t size(void)"),
        ("hidden", None),
        ("user", "int user(int z)"),
    ],
)
def test_a_function_has_its_prototype(declarations, name, shown):
    found = declarations.function(name)
    assert found is not None
    assert shown is None or declare(found, name) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("counter", "int counter"),
        ("names", "const char *const names[2]"),
        ("grid", "int grid[2][3]"),
        ("place", "int *const volatile place"),
    ],
)
def test_a_variable_has_its_type(declarations, name, shown):
    assert declare(declarations.variable(name), name) == shown


def test_static_functions_and_variables_are_found(declarations):
    assert declarations.function("hidden") is not None
    assert declare(declarations.variable("secret"), "secret") in ("long secret", "long int secret")


def test_an_inlined_function_has_its_prototype(declarations):
    assert declare(declarations.function("inlined"), "inlined") == "int inlined(int q)"


def test_a_struct_has_its_members_where_the_compiler_put_them(declarations):
    node = plain(plain(declarations.function("follow").result).target)
    where = {name: (member.offset, member.bit_offset, member.bit_size) for name, member in node.by_name.items()}
    assert where == {
        "next": (0, None, None), "a": (8, 64, 5), "b": (8, 69, 3), "color": (12, None, None), "i": (16, None, None),
        "f": (16, None, None), "text": (20, None, None),
    }  # fmt: skip


def test_a_struct_may_point_to_itself(declarations):
    node = plain(plain(declarations.function("follow").result).target)
    assert plain(node.by_name["next"].type.target) is node


def test_enumerators_keep_their_sign(declarations):
    node = plain(plain(declarations.function("follow").result).target)
    assert plain(node.by_name["color"].type).values == (("RED", 0), ("GREEN", -3))


def test_a_vector_is_refused_with_the_reason(declarations):
    found = plain(declarations.function("vector").result)
    assert isinstance(found, Refused)
    assert "vector" in found.reason


def test_a_static_variable_of_a_function_is_found_by_its_symbol(declarations):
    found = [declarations.variable(name) for name in ("calls.0", "size.calls")]
    assert {declare(ctype, "calls") for ctype in found if ctype} == {"int calls"}


def test_a_type_is_found_by_its_name(declarations):
    assert plain(declarations.type("node")) is plain(declarations.type("struct node"))
    assert plain(declarations.type("node")).by_name["text"].offset == 20
    assert declarations.type("union node") is None


def test_an_unknown_name_is_none(declarations):
    assert declarations.function("missing") is None
    assert declarations.variable("add") is None


def test_listings_tell_file_line_and_linkage(declarations):
    rows = {row.name: row for row in declarations.functions()}
    assert (rows["add"].line, rows["add"].static, rows["add"].defined) == (6, False, True)
    assert rows["add"].file.endswith("source.c")
    assert rows["hidden"].static
    assert {"counter", "secret", "grid"} <= {row.name for row in declarations.variables()}


@pytest.mark.parametrize(
    "flags",
    [["-g", "-gz"], ["-g", "-gz=zlib-gnu"], ["-gdwarf-5", "-fdebug-types-section"],
     ["-gdwarf-4", "-fdebug-types-section"],
     ["-gdwarf-2"], ["-gdwarf-3"], ["-gdwarf-5", "-gdwarf64"], ["-g", "-O2"], ["-g", "-ffunction-sections"], ["-g3"]],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_other_forms_of_debug_information_say_the_same(compile_object, compiler, flags):
    if compiler == "clang" and ("zlib-gnu" in flags[-1] or "-gdwarf64" in flags):
        pytest.skip("expected: clang 14 has no such option")
    found = read_declarations(compile_object(SOURCE, compiler, *flags), "source.o")
    assert declare(found.function("add"), "add") == "int add(int a, int b)"
    node = plain(plain(found.function("follow").result).target)
    assert node.by_name["text"].offset == 20
    assert declare(found.variable("grid"), "grid") == "int grid[2][3]"


def test_type_units_are_sections_of_their_own(compile_object):
    data = compile_object(SOURCE, "gcc", "-gdwarf-4", "-fdebug-types-section")
    assert b".debug_types" in data
    assert read_declarations(data, "source.o").function("follow") is not None


def test_split_debug_information_that_is_gone_is_named(compile_object, monkeypatch):
    data = compile_object(SOURCE, "gcc", "-g", "-gsplit-dwarf")
    monkeypatch.setattr("rtlinker.dwarf.split._path", lambda *words: None)
    found = read_declarations(data, "source.o")
    assert found.function("add") is None
    assert "source.dwo" in found.notes[0]
    assert "-gsplit-dwarf" in found.notes[0]


def test_an_object_without_debug_information_is_empty(compile_object):
    found = read_declarations(compile_object(SOURCE, "gcc"), "source.o")
    assert not found
    assert found.function("add") is None
    assert found.functions() == found.variables() == found.notes == ()


def test_extern_declarations_tell_types_too(compile_object):
    found = read_declarations(compile_object(SOURCE, "gcc", "-g"), "source.o")
    assert declare(found.variable("elsewhere"), "elsewhere") == "int elsewhere"
    assert declare(found.function("old"), "old") == "int old()"


def test_merged_objects_keep_every_unit(compile_object, tmp_path):
    (tmp_path / "a.o").write_bytes(compile_object("int one(int a) { return a; }", "gcc", "-g"))
    (tmp_path / "b.o").write_bytes(
        compile_object("struct s { int v; }; int two(struct s *s) { return 0; }", "clang", "-g")
    )
    subprocess.run(["ld", "-r", "a.o", "b.o", "-o", "c.o"], check=True, cwd=tmp_path)
    found = read_declarations((tmp_path / "c.o").read_bytes(), "c.o")
    assert declare(found.function("one"), "one") == "int one(int a)"
    assert declare(found.function("two"), "two") == "int two(struct s *s)"


CXX = """
namespace geo { struct Shape { double w, h; double area() const; static int made; virtual ~Shape() {} };
  double Shape::area() const { return w * h; } double scale(double x) { return x; } int Shape::made = 3; }
class Plain { public: int a; int b; }; int use(Plain p) { return p.a; }
struct Owner { int a; Owner(const Owner &); ~Owner(); }; int take(Owner o) { return o.a; }
int refer(int &x, int &&y) { return x + y; }
int over(int x) { return x; } double over(double x) { return x; }
extern "C" int plain(void) { return 1; }
"""


@pytest.fixture(
    scope="session", params=[("g++", "-gdwarf-4"), ("g++", "-gdwarf-5"), ("clang++", "-gdwarf-5")], ids="".join
)
def cxx(request, compile_object):
    return read_declarations(compile_object(CXX, *request.param, suffix=".cc"), "source.o")


def test_cxx_functions_are_found_by_their_mangled_names(cxx):
    assert declare(cxx.function("_Z4overi"), "over") == "int over(int x)"
    assert declare(cxx.function("_Z4overd"), "over") == "double over(double x)"


def test_cxx_members_take_this(cxx):
    found = cxx.function("_ZNK3geo5Shape4areaEv")
    assert found.parameters[0].name == "this"
    assert "Shape" in declare(found, "area")


def test_cxx_functions_in_namespaces_are_found(cxx):
    assert declare(cxx.function("_ZN3geo5scaleEd"), "scale") == "double scale(double x)"
    assert declare(cxx.variable("_ZN3geo5Shape4madeE"), "made") == "int made"


def test_cxx_references_are_shown_and_travel_as_pointers(cxx):
    assert declare(cxx.function("_Z5referRiOi"), "refer") == "int refer(int &x, int &&y)"


def test_a_cxx_function_without_parameters_has_a_prototype(cxx):
    assert declare(cxx.function("plain"), "plain") == "int plain(void)"


def test_a_cxx_class_with_a_copy_constructor_is_not_trivial(cxx):
    record = plain(cxx.function("_Z4take5Owner").parameters[0].type)
    assert record.size is None or not record.trivial  # clang describes a class where its constructor is defined
    assert plain(cxx.function("_Z3use5Plain").parameters[0].type).trivial


def test_names_and_attributes_agree_with_pyelftools(compile_object):
    elffile = pytest.importorskip("elftools.elf.elffile")
    data = compile_object(SOURCE, "gcc", "-g")
    dwarf = elffile.ELFFile(io.BytesIO(data)).get_dwarf_info()
    top = next(dwarf.iter_CUs()).get_top_DIE()
    expected = [
        (die.tag, die.attributes["DW_AT_name"].value.decode(), die.attributes["DW_AT_decl_line"].value)
        for die in top.iter_children()
        if die.tag in ("DW_TAG_subprogram", "DW_TAG_variable") and "DW_AT_name" in die.attributes
    ]
    found = read_declarations(data, "source.o")
    for tag, rows in (("DW_TAG_subprogram", found.functions()), ("DW_TAG_variable", found.variables())):
        ours = {(row.name, row.line) for row in rows}
        assert {(name, line) for kind, name, line in expected if kind == tag} <= ours


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_broken_debug_information_is_a_bad_object_and_nothing_else(compile_object, compiler):
    data = bytearray(compile_object(SOURCE, compiler, "-g"))
    for step in range(400):
        broken = bytearray(data)
        for place in range(3):
            at = (step * 7919 + place * 104729) % len(broken)
            broken[at] = (broken[at] * 31 + step + 1) & 0xFF
        try:
            found = read_declarations(bytes(broken), "broken.o")
            for row in (*found.functions(), *found.variables()):
                ctype = found.function(row.symbol) or found.variable(row.symbol)
                if ctype is not None:
                    declare(ctype, row.name)
        except BadObjectError as error:
            assert error.file == "broken.o"


def test_a_truncated_object_is_a_bad_object(compile_object):
    data = compile_object(SOURCE, "gcc", "-g")
    with pytest.raises(BadObjectError):
        read_declarations(data[:-64], "short.o").function("add")


def test_sections_compressed_with_zstd_are_named(compile_object):
    data = compile_object(SOURCE, "gcc", "-g", "-gz").replace(b"\1\0\0\0\0\0\0\0", b"\2\0\0\0\0\0\0\0")
    found = read_declarations(data, "source.o")
    assert found.function("add") is None
    assert "zstd" in found.notes[0]


def test_a_decompression_bomb_is_refused(compile_object):
    data = bytearray(compile_object(SOURCE, "gcc", "-g", "-gz"))
    at = data.index(b"\x01\0\0\0\0\0\0\0")
    while data[at + 24 : at + 25] != b"\x78":  # the zlib header behind an Elf64_Chdr
        at = data.index(b"\x01\0\0\0\0\0\0\0", at + 1)
    data[at + 8 : at + 16] = (1 << 40).to_bytes(8, "little")
    with pytest.raises(BadObjectError, match="impossible size"):
        read_declarations(bytes(data), "bomb.o").function("add")
