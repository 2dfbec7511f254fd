"""Whether two compilations agree about types: what changed, where, and how it is said."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from rtlinker.bind.abi import (
    BREAK,
    NOTE,
    abi_hash,
    breaks,
    layout_changes,
    reachable_records,
    record_changes,
    signature_changes,
)
from rtlinker.bind.account import account
from rtlinker.bind.prototype import parse_prototype
from rtlinker.dwarf.reader import read_declarations
from rtlinker.errors import LinkError

HEADER = "#include <stdint.h>\n#include <stdbool.h>\n"


@pytest.fixture
def declared(tmp_path):
    def compiled(source, compiler="gcc", suffix=".c"):
        if shutil.which(compiler) is None:
            pytest.skip(f"{compiler} is not installed")
        (tmp_path / f"s{suffix}").write_text(HEADER + source)
        subprocess.run([compiler, "-w", "-g", "-c", f"s{suffix}", "-o", "s.o"], check=True, cwd=tmp_path)
        return read_declarations((tmp_path / "s.o").read_bytes(), "s.o")

    return compiled


@pytest.fixture
def changes(declared):
    """The changes of `v` from one source to another."""

    def between(old, new):
        return layout_changes(declared(old + ";").variable("v"), declared(new + ";").variable("v"))

    return between


def texts(found):
    return [change.text for change in found]


def test_a_new_field_and_what_it_moved(changes):
    found = changes("struct st {int a; int b;} v", "struct st {int a; int inserted; int b;} v")
    assert texts(found) == [
        "size 8 -> 12 bytes: i32,i32 -> i32,i32,i32", "field 'inserted' @4 new", "'b' moved 4 -> 8",
    ]  # fmt: skip
    size, inserted, moved = found
    assert (size.kind, size.old_size, size.new_size) == ("size", 8, 12)
    assert (inserted.kind, inserted.what, inserted.new, inserted.new_offset, inserted.new_size) == (
        "added", "inserted", "int", 4, 4,
    )  # fmt: skip
    assert (moved.kind, moved.what, moved.old_offset, moved.new_offset) == ("moved", "b", 4, 8)
    assert all(change.severity == BREAK for change in found)


def test_fields_that_change_places_are_two_changes(changes):
    found = changes("struct {int a; int b;} v", "struct {int b; int a;} v")
    assert texts(found) == ["'b' moved 4 -> 0", "'a' moved 0 -> 4"]


def test_a_nested_struct_of_the_same_size_with_other_fields(changes):
    old = "struct in {uint16_t a, b;}; struct {int k; struct in in;} v"
    new = "struct in {uint8_t a, c; uint16_t b;}; struct {int k; struct in in;} v"
    found = changes(old, new)
    assert [change.what for change in found] == ["", "in.a", "in.c"]
    assert found[0].text == "i32,u16,u16 -> i32,u8,u8,u16"
    assert texts(found)[1:] == ["'in.a' is uint8_t, was uint16_t", "field 'in.c' @5 new"]
    found = changes("struct {uint16_t a, b;} v", "struct {uint8_t x, y; uint16_t b;} v")
    assert found[0].text == "u16,u16 -> u8,u8,u16"


def test_an_enumeration_that_was_renumbered_breaks_and_one_that_grew_is_noted(changes):
    (found,) = changes("struct {enum {A=1,B=0} mode;} v", "struct {enum {A=0,B=1} mode;} v")
    assert (found.text, found.severity) == ("'mode' is enum {A=0,B=1}, was enum {A=1,B=0}", BREAK)
    (found,) = changes("struct {enum {A,B} mode;} v", "struct {enum {A,B,C} mode;} v")
    assert (found.text, found.severity) == ("'mode' has further values: C=2", NOTE)
    (found,) = changes("enum {A,B,C} v", "enum {A,B} v")
    assert found.severity == BREAK


def test_a_renamed_field_is_a_note(changes):
    (found,) = changes("struct {int a; int b;} v", "struct {int a; int c;} v")
    assert (found.what, found.kind, found.severity) == ("c", "renamed", NOTE)
    assert found.text == "'b' @4 is called 'c' now"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("long v", "long long v"),
        ("unsigned long v", "unsigned long long v"),
        ("char v", "signed char v"),
        ("typedef int number; number v", "volatile int v"),
        ("struct one {int a;} v", "struct other {int a;} v"),
        ("struct {struct {int a; int b;} in;} v", "struct {struct tag {int a; int b;} in;} v"),
        ("struct {struct {int a;}; int b;} v", "struct {int a; int b;} v"),
        ("union {int i; float f;} v", "union {float f; int i;} v"),
        ("enum {A,B} v", "enum {B=1,A=0} v"),
        ("struct {int n : 3; int m : 5;} v", "struct {signed n : 3; int m : 5;} v"),
        ("struct node {struct node *next;} v", "struct node {struct node *next;} v"),
        ("const char *v", "char *v"),
        ("struct opaque *v", "struct opaque {int known;} *v"),
        ("struct {int n; char tail[];} v", "struct {int n; char tail[];} v"),
    ],
)
def test_these_are_the_same(changes, declared, old, new):
    assert changes(old, new) == ()
    assert abi_hash(declared(old + ";").variable("v")) == abi_hash(declared(new + ";").variable("v"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("int v", "unsigned v"),
        ("int v", "long v"),
        ("int v", "float v"),
        ("unsigned char v", "char v"),
        ("unsigned char v", "_Bool v"),
        ("int v[3]", "int v[4]"),
        ("int v[2][3]", "int v[3][2]"),
        ("int *v", "long *v"),
        ("struct a *v", "struct b *v"),
        ("struct a {int x;} *v", "struct b {long x;} *v"),
        ("struct a {int x;} *v", "union a {int x;} *v"),
        ("int (*v)(int)", "int (*v)(long)"),
        ("int (*v)(int)", "int (*v)(int, int)"),
        ("int (*v)(int)", "int (*v)(int, ...)"),
        ("struct {int a : 3, b : 5;} v", "struct {int a : 4, b : 4;} v"),
        ("struct {unsigned a : 3;} v", "struct {int a : 3;} v"),
        ("struct {int n; char tail[];} v", "struct {int n; short tail[];} v"),
        ("struct {char a;} v", "struct {char a;} __attribute__((aligned(8))) v"),
        ("union {int i; char c[8];} v", "union {int i; short c[4];} v"),
        ("struct {int k; struct {int x, y;} p[2];} v", "struct {int k; struct {int y, x;} p[2];} v"),
        ("__int128 v", "unsigned __int128 v"),
    ],
)
def test_these_are_not(changes, declared, old, new):
    assert breaks(changes(old, new))
    assert breaks(changes(new, old))
    assert abi_hash(declared(old + ";").variable("v")) != abi_hash(declared(new + ";").variable("v"))


def test_paths_lead_through_elements_and_anonymous_members(changes):
    old = "struct {int n; struct {short x; struct {int deep;};} rows[2];} v"
    new = "struct {int n; struct {short x; struct {float deep;};} rows[2];} v"
    found = changes(old, new)
    assert [(change.what, change.kind, change.old_offset) for change in found] == [
        ("rows[]", "shape", None), ("rows[].deep", "type", 4),
    ]  # fmt: skip


def test_a_struct_renamed_together_with_its_pointers_to_itself_is_a_note(changes):
    old = "struct node {struct node *next; int k;} *v"
    (found,) = changes(old, old.replace("node", "item"))
    assert (found.kind, found.severity, found.old, found.new) == ("tag", NOTE, "struct node", "struct item")
    assert breaks(changes(old, old.replace("node", "item").replace("int k", "long k")))


def test_signatures():
    def between(old, new):
        return signature_changes(parse_prototype(old), parse_prototype(new))

    assert between("int f(int a, const char *b)", "int f(int x, char *y)") == ()
    assert texts(between("void f(struct S *)", "int f(struct S *, long)")) == [
        "return is int, was void", "parameter 2 long new",
    ]  # fmt: skip
    (found,) = between("int f(int a, int count)", "int f(int a, long count)")
    assert (found.what, found.old, found.new, found.old_size, found.new_size) == (
        "parameter 2 'count'", "int", "long", 4, 8,
    )  # fmt: skip
    assert found.text == "parameter 2 'count' is long, was int"
    assert texts(between("int f(int a, int b)", "int f(int a)")) == ["parameter 2 'b' int gone"]
    assert [change.kind for change in between("int f(int a)", "int f(int a, ...)")] == ["variadic"]


def test_structs_by_value_are_looked_into(declared):
    old = declared("struct p {int x, y;}; struct p f(struct p a, int k) { return a; }").function("f")
    new = declared("struct p {int x; long y;}; struct p f(struct p a, int k) { return a; }").function("f")
    found = signature_changes(old, new)
    assert [change.what for change in found if change.kind == "type"] == ["return.y", "parameter 1 'a'.y"]
    assert [change.kind for change in found if change.what == "return"] == ["size"]


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_cxx_bases_references_and_classes(declared, compiler):
    source = "struct A { int a; }; struct B : A { int b; virtual void go(); }; void B::go() {} B v;"
    source += "int f(B &r, A x) { return 1; }"
    old, new = (declared(source.replace("int b", kind), compiler, ".cc") for kind in ("int b", "long b"))
    found = layout_changes(old.variable("v"), new.variable("v"))
    assert "b" in {change.what for change in found}
    assert signature_changes(old.function("_Z1fR1B1A"), new.function("_Z1fR1B1A")) == ()
    tables = [reachable_records(each.function("_Z1fR1B1A")) for each in (old, new)]
    assert [*record_changes(*tables)] == ["B"]


def test_records_are_found_wherever_a_value_leads(declared):
    source = """typedef struct {int t;} named; struct leaf {int l;}; union u {int i;};
    struct cb {int c;}; struct res {int r;}; struct arr {struct leaf *leaf;}; struct opaque;
    struct root { struct root *self; named *n; union u in; struct arr rows[3];
                  struct res (*call)(struct cb *); struct opaque *o; } *v;"""
    found = reachable_records(declared(source).variable("v"))
    assert {*found} == {"root", "named", "leaf", "u", "cb", "res", "arr", "opaque"}
    source = source.replace("int c;", "char c;").replace("int t;", "int t, more;")
    differ = record_changes(found, reachable_records(declared(source).variable("v")))
    assert [*differ] == ["cb", "named"]
    assert differ["named"][0].text == "size 4 -> 8 bytes: i32 -> i32,i32"


def test_two_records_of_one_name_are_both_kept(declared):
    source = """namespace a { struct S { int i; }; } namespace b { struct S { double d; }; }
    struct root { a::S *one; b::S *two; } v;"""
    found = reachable_records(declared(source, "g++", ".cc").variable("v"))
    assert {*found} == {"root", "S", "S#2"}


def test_the_account_of_a_variable(declared):
    old = declared("struct st {int a; int b; enum {A=1,B=0} mode; unsigned f : 3, g : 5;} v;").variable("v")
    new = declared("struct st {int a; int more; int b; enum {A=0,B=1} mode; unsigned f : 4, g : 5;} v;").variable("v")
    error = LinkError("layout changed", account("g_state", old, new, layout_changes(old, new)))
    assert str(error) == """layout changed
  variable  g_state
  was       struct st, 16 bytes
  now       struct st, 20 bytes
  changes   more  nothing                      -> int @4
            b     int @4                       -> int @8
            mode  enum {A=1,B=0} @8            -> enum {A=0,B=1} @12
            f     unsigned int : 3 (bit 0) @12 -> unsigned int : 4 (bit 0) @16
            g     unsigned int : 5 (bit 3) @12 -> unsigned int : 5 (bit 4) @16"""


def test_the_account_of_a_function():
    old, new = parse_prototype("void f(struct S *s)"), parse_prototype("int f(struct S *s, long n)")
    assert account("f", old, new, signature_changes(old, new)) == (
        ("function", "f"),
        ("was", "void f(struct S *s)"),
        ("now", "int f(struct S *s, long n)"),
        ("changes", "return           void    -> int\nparameter 2 'n'  nothing -> long"),
    )


def test_a_long_account_is_cut(declared):
    old = declared("struct {" + "".join(f"int a{i};" for i in range(50)) + "} v;").variable("v")
    new = declared("struct {long a;" + "".join(f"int a{i};" for i in range(50)) + "} v;").variable("v")
    rows = dict(account("v", old, new, layout_changes(old, new)))
    assert rows["changes"].splitlines()[-1] == "and 31 more"
