"""Laws of types, prototypes and integer conversion."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtlinker.bind.call import Function
from rtlinker.bind.ctype import Array, Enum, FunctionType, Parameter, Pointer, Qualified, Record, declare
from rtlinker.bind.prototype import parse_prototype, parse_type
from rtlinker.bind.spelling import KNOWN, SPELLINGS
from rtlinker.bind.words import guess
from rtlinker.errors import LinkError, SignatureError

NAMES = st.sampled_from(["a", "handler", "x1", "_name", "size"])
VALUES = st.sampled_from([*{ctype.name: ctype for ctype in SPELLINGS.values() if hasattr(ctype, "name")}.values()])
SCALARS = VALUES | st.sampled_from([*KNOWN.values()]) | st.just(Enum("color", 4, (), False))
QUALIFIERS = st.sampled_from(["const", "volatile", "const volatile"])
OPAQUE = st.sampled_from([Record("struct", "s", None), Record("union", "u", None), Record("", "FILE", None)])
VOID = SPELLINGS["void"]


def qualified(types):
    return types | st.builds(Qualified, QUALIFIERS, types)


def functions(types):
    parameters = st.lists(st.builds(Parameter, st.none() | NAMES, types), max_size=3).map(tuple)
    results = types | st.just(VOID)
    described = st.builds(lambda r, p, more: FunctionType(r, p, more and bool(p)), results, parameters, st.booleans())
    return described | st.builds(FunctionType, results, st.just(()), st.just(False), st.just(False))


def pointers(types):
    targets = qualified(OPAQUE | st.just(VOID)) | types | functions(types)
    targets |= st.builds(Array, types, st.integers(1, 9))
    return qualified(st.builds(Pointer, targets))


TYPES = st.recursive(qualified(SCALARS), pointers, max_leaves=5)
FUNCTIONS = functions(TYPES)


@given(FUNCTIONS, st.sampled_from(["", "f"]))
def test_a_declared_function_is_parsed_back(ctype, name):
    assert parse_prototype(declare(ctype, name)) == ctype


@given(TYPES | st.builds(Array, TYPES, st.none() | st.integers(0, 99)), st.sampled_from(["", "v"]))
def test_a_declared_type_is_parsed_back(ctype, name):
    assert parse_type(declare(ctype, name)) == ctype


@given(st.text(alphabet="int(*)[], .;constchar_3{}", max_size=40) | st.text(max_size=20))
def test_any_text_is_a_type_or_a_signature_error(text):
    try:
        parse_type(text)
    except SignatureError as error:
        assert len(error.headline) <= 72


IDENTITY = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(lambda x: x)
ADDRESS = ctypes.cast(IDENTITY, ctypes.c_void_p).value
INTEGERS = {"int8_t": (8, True), "uint8_t": (8, False), "int16_t": (16, True), "uint16_t": (16, False),
            "int": (32, True), "unsigned": (32, False), "long": (64, True), "size_t": (64, False)}  # fmt: skip


@pytest.mark.parametrize("name", INTEGERS)
@given(value=st.integers(-(1 << 65), 1 << 65) | st.integers(-300, 300))
def test_an_integer_arrives_whole_or_is_refused(name, value):
    bits, signed = INTEGERS[name]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    function = Function(ADDRESS, parse_prototype(f"{name}({name})"), "identity")
    if low <= value <= high:
        assert function(value) == value
    else:
        with pytest.raises(SignatureError, match="does not fit"):
            function(value)


@given(st.floats())
def test_a_double_arrives_bit_for_bit(value):
    echo = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda x: x)
    function = Function(ctypes.cast(echo, ctypes.c_void_p).value, parse_prototype("double(double)"), "echo")
    assert repr(function(value)) == repr(value)


@given(st.text(alphabet=st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])))
def test_text_arrives_and_returns(text):
    function = Function(ADDRESS, parse_prototype("char *(const char *)"), "identity")
    call = Function(ADDRESS, parse_prototype("void *(const char *)"), "identity")
    assert function(text) == text
    assert call(text) is not None


@given(st.text(max_size=12))
def test_a_guess_is_text_or_a_number_python_reads_too(text):
    try:
        value = guess(text)
    except LinkError:
        return
    if isinstance(value, int):
        assert value == int(text, 16 if "x" in text.lower() else 10)
    elif isinstance(value, float):
        assert repr(value) == repr(float(text))
    else:
        assert value == text
