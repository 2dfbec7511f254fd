"""Prototypes given as text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import rtlinker.bind
from rtlinker.bind.ctype import INT, UNTYPED, Array, FunctionType, Parameter, Pointer, Record, declare
from rtlinker.bind.prototype import parse_prototype, parse_type
from rtlinker.errors import SignatureError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("int(int,int)", "int f(int, int)"),
        ("double(int, const char *)", "double f(int, const char *)"),
        ("int add(int a, int b);", "int f(int a, int b)"),
        ("int printf(const char *, ...)", "int f(const char *, ...)"),
        ("unsigned long long int(long unsigned)", "unsigned long long f(unsigned long)"),
        ("void(void)", "void f(void)"),
        ("int()", "int f()"),
        ("size_t(uint8_t, int64_t, ssize_t, intptr_t)", "size_t f(uint8_t, int64_t, ssize_t, intptr_t)"),
        ("_Bool(bool)", "_Bool f(bool)"),
        ("FILE *fopen(const char *restrict, const char *)", "FILE *f(const char *, const char *)"),
        ("struct foo *(union bar *, enum baz)", "struct foo *f(union bar *, enum baz)"),
        ("void(int (*)(const void *, const void *))", "void f(int (*)(const void *, const void *))"),
        ("void (*signal(int, void (*)(int)))(int)", "void (*f(int, void (*)(int)))(int)"),
        ("int main(int argc, char *argv[])", "int f(int argc, char **argv)"),
        ("void(int grid[3][4])", "void f(int (*grid)[4])"),
        ("void(int callback(int))", "void f(int (*callback)(int))"),
        ("double _Complex(float _Complex)", "double _Complex f(float _Complex)"),
        ("char const * const *(volatile int *)", "const char *const *f(volatile int *)"),
        ("long double(long double)", "long double f(long double)"),
        ("int (*)(int)", "int f(int)"),
        ("extern int f(register int x)", "int f(int x)"),
        ("__int128(unsigned __int128)", "__int128 f(unsigned __int128)"),
    ],
)
def test_a_prototype_is_read_as_c_reads_it(text, shown):
    assert declare(parse_prototype(text), "f") == shown


@pytest.mark.parametrize(
    ("text", "caret", "expected"),
    [
        ("", 0, "a type"),
        ("int", 3, "a parameter list"),
        ("int(", 4, "a type"),
        ("int(int", 7, "')'"),
        ("int(int,,int)", 8, "a type"),
        ("foo(int)", 0, "'*' after 'foo'"),
        ("int(foo)", 4, "'*' after 'foo'"),
        ("int(struct s)", 4, "'*'"),
        ("int(struct)", 10, "the name of the struct"),
        ("int(int) x", 9, "the end"),
        ("double unsigned(int)", 0, "a C type"),
        ("int(void, int)", 4, "a type that has values"),
        ("int(int x[a])", 10, "a number of elements"),
        ("int(int @)", 8, "')'"),
    ],
)
def test_bad_text_gets_a_caret_and_what_was_expected(text, caret, expected):
    with pytest.raises(SignatureError) as caught:
        parse_prototype(text)
    assert caught.value.prototype == f"{text}\n{' ' * caret}^"
    assert expected in str(caught.value)


def test_nesting_without_end_is_refused():
    with pytest.raises(SignatureError, match="nested parentheses"):
        parse_prototype("int (" + "(" * 3000 + "*f)(int)")


def test_a_type_of_data_is_read():
    assert parse_type("int[3]") == Array(INT, 3)
    assert parse_type("struct s *name") == Pointer(Record("struct", "s", None))


def test_no_prototype_is_not_a_prototype_without_parameters():
    assert parse_prototype("long()") == UNTYPED
    assert parse_prototype("long(void)") != UNTYPED


def test_names_of_parameters_are_kept():
    assert parse_prototype("int(int a)") == FunctionType(INT, (Parameter("a", INT),))


def test_prototypes_import_next_to_nothing():
    heavy = "{'re', 'typing', 'enum', 'dataclasses', 'collections', 'elftools', 'ctypes'}"
    root = str(Path(rtlinker.bind.__file__).parents[2])
    code = (
        f"import sys; sys.path.insert(0, {root!r}); import rtlinker.bind.prototype; print({heavy} & {{*sys.modules}})"
    )
    found = subprocess.run([sys.executable, "-S", "-E", "-c", code], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "set()", found.stderr
