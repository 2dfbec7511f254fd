"""Values as words of a command line, and results as text and JSON."""

from __future__ import annotations

import json

import pytest

from rtlinker.bind.call import Function
from rtlinker.bind.prototype import parse_type
from rtlinker.bind.words import command_line_value, format_value, guess, json_value
from rtlinker.errors import SignatureError


@pytest.mark.parametrize(
    ("text", "value"),
    [("42", 42), ("-1", -1), ("0x2a", 42), ("-0x10", -16), ("1.5", 1.5), ("-.5", -0.5), ("1e3", 1000.0), ("007", 7)],
)
def test_a_number_is_guessed(text, value):
    assert guess(text) == value
    assert type(guess(text)) is type(value)


@pytest.mark.parametrize("text", ["hello", "", "-", "1.5x", "nan", "inf", "0x", "1_000", "e5", ".", "+1", "1 2", "٣"])
def test_anything_else_is_text(text):
    assert guess(text) == text


def test_a_number_beyond_64_bits_is_refused():
    with pytest.raises(SignatureError, match="64 bits"):
        guess("0x1ffffffffffffffff")


@pytest.mark.parametrize(
    ("text", "ctype", "value"),
    [
        ("42", "int", 42),
        ("0x2a", "unsigned char", 42),
        ("-1", "long", -1),
        ("2", "double", 2.0),
        ("0x1p3", "double", 8.0),
        ("a", "char", "a"),
        ("65", "char", 65),
        ("true", "_Bool", True),
        ("0", "bool", 0),
        ("text", "const char *", "text"),
        ("42", "const char *", "42"),
        ("NULL", "const char *", None),
        ("NULL", "int *", None),
        ("0x1000", "void *", 4096),
        ("text", "void *", "text"),
        ("[1, 2]", "const int *", [1, 2]),
        ("{1, 2}", "const int *", [1, 2]),
        ('{"x": 1}', "struct p *", {"x": 1}),
        ("1+2i", "double _Complex", 1 + 2j),
        ("5", "size_t", 5),
    ],
)
def test_a_word_becomes_a_value_of_the_parameters_type(text, ctype, value):
    assert command_line_value(text, parse_type(ctype)) == value


@pytest.mark.parametrize(
    ("text", "ctype"),
    [
        ("x", "int"),
        ("1.5", "int"),
        ("x", "double"),
        ("ab", "char"),
        ("text", "int *"),
        ("f", "int (*)(int)"),
        ("[1", "int *"),
    ],
)
def test_a_word_of_another_type_shows_the_prototype(text, ctype):
    with pytest.raises(SignatureError) as caught:
        command_line_value(text, parse_type(ctype), "int f(int)")
    assert caught.value.prototype == "int f(int)"


@pytest.mark.parametrize(
    ("value", "ctype", "text"),
    [
        (42, "int", "42"),
        (2.5, "double", "2.5"),
        (0.10000000149011612, "float", "0.1"),
        (3.4028234663852886e38, "float", "3.4028235e+38"),
        ("as it is\n", "const char *", "as it is\n"),
        ("a", "char", "a"),
        ("\n", "char", "\\n"),
        ("\xff", "char", "ÿ"),
        (None, "const char *", "NULL"),
        (None, "void", ""),
        (4096, "void *", "0x1000"),
        (True, "_Bool", "true"),
        (1 + 2j, "double _Complex", "1+2j"),
    ],
)
def test_a_result_is_shown_for_people(value, ctype, text):
    assert format_value(value, parse_type(ctype)) == text


STRUCTS = """
struct point { int x; float y; };
struct deep { struct point p; char text[4]; const char *name; char c; int v[2]; void *at; };
struct deep deep(void) { struct deep d = {{1, 0.1f}, "ab", "n\\n", 'c', {1, 2}, (void *)16}; return d; }
enum e { A, B }; enum e b(void) { return B; }
int *cell(void) { static int c; return &c; } int (*fp(void))(void) { return 0; }
int values[2] = {1, 2};
"""


@pytest.fixture(scope="module")
def native(build):
    return build(STRUCTS)


def test_a_struct_is_shown_as_c_writes_it(native):
    text = '{p = {x = 1, y = 0.1}, text = "ab", name = "n\\n", c = \'c\', v = {1, 2}, at = 0x10}'
    assert format_value(native.deep(), native.deep.ctype.result) == text


def test_a_struct_is_an_object_in_json(native):
    found = json_value(native.deep(), native.deep.ctype.result)
    assert json.loads(json.dumps(found))["p"]["x"] == 1
    assert found["v"] == [1, 2]
    assert found["at"] == 16


def test_an_enum_is_its_number(native):
    assert format_value(native.b(), native.b.ctype.result) == "1"
    assert json_value(native.b()) == 1


def test_pointers_are_addresses(native):
    pointer = native.cell()
    assert format_value(pointer, native.cell.ctype.result) == hex(pointer.address)
    assert json_value(pointer, native.cell.ctype.result) == pointer.address
    assert format_value(native.fp(), native.fp.ctype.result) == "NULL"


def test_an_array_is_a_list(native):
    assert format_value(native.values.value, native.values.ctype) == "{1, 2}"
    assert json_value(native.values.value, native.values.ctype) == [1, 2]


def test_json_has_no_infinity():
    assert json_value(float("inf")) == "inf"


def test_a_function_shows_its_address():
    function = Function(4096, parse_type("int(int)"), "f")
    assert format_value(function) == "0x1000"
    assert repr(function) == "<function int f(int) at 0x1000>"
