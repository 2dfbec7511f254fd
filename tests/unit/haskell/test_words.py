"""Haskell values as words of a command line, and back."""

import pytest

from rtlinker.errors import SignatureError
from rtlinker.haskell.handles import Just, Left, Right
from rtlinker.haskell.parse import parse_type
from rtlinker.haskell.seeing import represented
from rtlinker.haskell.words import json_value, read_word, show

READ = [
    ("42", "Int", 42),
    ("-1", "Integer", -1),
    ("0xff", "Word8", 255),
    ("(-1)", "Int", -1),
    ("1.5", "Double", 1.5),
    ("3", "Double", 3.0),
    ("hello", "String", "hello"),
    ('"as it is"', "String", '"as it is"'),
    ("été", "Text", "été"),
    ("été", "ByteString", "été".encode()),
    ("x", "Char", "x"),
    ("'x'", "Char", "x"),
    ("'", "Char", "'"),
    ("True", "Bool", True),
    ("False", "Bool", False),
    ("()", "()", None),
    ("[1, 2,3]", "[Int]", [1, 2, 3]),
    ("[]", "[Int]", []),
    ('["a","b\\n\\"c"]', "[String]", ["a", 'b\n"c']),
    ("[[1],[]]", "[[Int]]", [[1], []]),
    ("(1,\"a\",'b')", "(Int, String, Char)", (1, "a", "b")),
    ("Nothing", "Maybe Int", None),
    ("Just 3", "Maybe Int", 3),
    ("Just (-3)", "Maybe Int", -3),
    ("Just Nothing", "Maybe (Maybe Int)", Just(None)),
    ("Just (Just 1)", "Maybe (Maybe Int)", 1),
    ("Left 1", "Either Int Bool", Left(1)),
    ("Right True", "Either Int Bool", Right(True)),
    ("[Just (1,True),Nothing]", "[Maybe (Int, Bool)]", [(1, True), None]),
]


@pytest.mark.parametrize(("word", "kind", "value"), READ)
def test_a_word_is_read_by_its_type(word, kind, value):
    found = read_word(word, represented(parse_type(kind)))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("", "Int"), ("x", "Int"), ("1 2", "Int"), ("1.5", "Int"), ("[1,2", "[Int]"), ("[1 2]", "[Int]"),
        ("true", "Bool"), ("(1,2)", "(Int, Int, Int)"), ("Just", "Maybe Int"), ("JustOne", "Maybe Int"),
        ("xy", "Char"), ('["a]', "[String]"), ('["\\q"]', "[String]"), ("3", "a"), ("3", "Tree Int"), ("(1", "Int"),
        ("(", "()"), ("'ab'", "Char"), ("f", "Int -> Int"),
    ],
)  # fmt: skip
def test_a_word_that_makes_no_such_value_is_refused(word, kind):
    with pytest.raises(SignatureError) as caught:
        read_word(word, represented(parse_type(kind)))
    assert ("word", repr(word)) in caught.value.facts


SHOWN = [
    (42, "Int", "42"),
    (-1, "Int", "-1"),
    (True, "Bool", "True"),
    ("a\nb", "String", "a\nb"),
    (b"bytes", "ByteString", "bytes"),
    ("c", "Char", "c"),
    (["a", 'b"\\\n'], "[String]", '["a","b\\"\\\\\\n"]'),
    ([1, -2], "[Int]", "[1,-2]"),
    ((1, "a", "b"), "(Int, String, Char)", "(1,\"a\",'b')"),
    (None, "Maybe Int", "Nothing"),
    (-3, "Maybe Int", "Just (-3)"),
    (Just(None), "Maybe (Maybe Int)", "Just Nothing"),
    (1, "Maybe (Maybe Int)", "Just (Just 1)"),
    (Left(1), "Either Int Bool", "Left 1"),
    ([Right("x")], "[Either Int String]", '[Right "x"]'),
    (None, "()", "()"),
    (0.0, "Double", "0.0"),
    (0.1, "Double", "0.1"),
    (1.0, "Double", "1.0"),
    (9999999.0, "Double", "9999999.0"),
    (1e7, "Double", "1.0e7"),
    (12345678.9, "Double", "1.23456789e7"),
    (1.5e300, "Double", "1.5e300"),
    (0.01, "Double", "1.0e-2"),
    (0.00123, "Double", "1.23e-3"),
    (5e-324, "Double", "5.0e-324"),
    (-2.5, "Double", "-2.5"),
    (float("inf"), "Double", "Infinity"),
    (float("nan"), "Double", "NaN"),
    ([-2.5], "[Double]", "[-2.5]"),
]


@pytest.mark.parametrize(("value", "kind", "text"), SHOWN)
def test_a_result_is_shown_as_by_haskell(value, kind, text):
    assert show(value, represented(parse_type(kind))) == text


def test_results_as_json():
    assert json_value([(1, "a"), None]) == [[1, "a"], None]
    assert json_value(Right([Left(1)])) == {"Right": [{"Left": 1}]}
    assert json_value(Just(None)) == {"Just": None}
    assert json_value(b"\xff") == "\xff"
