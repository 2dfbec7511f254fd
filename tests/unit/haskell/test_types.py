"""Haskell types read from text and written back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtlinker.errors import SignatureError
from rtlinker.haskell.parse import parse_type
from rtlinker.haskell.types import (
    LAZY_BYTES,
    LAZY_TEXT,
    UNIT,
    Forall,
    Function,
    Qualified,
    TypeCon,
    TypeVar,
    arguments_of,
    list_of,
    substitute,
    tuple_of,
    variables_of,
    write,
)

NAMES = st.sampled_from(["Int", "Maybe", "Data.Map.Internal.Map", "GHC.Prim.Int#", "M.T'", "(GHC.Types.~)", LAZY_TEXT])
VARIABLES = st.sampled_from(["a", "b1", "f'", "_x"])


def grown(inner: st.SearchStrategy) -> st.SearchStrategy:
    several = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(
        st.builds(TypeCon, NAMES, several),
        st.builds(TypeVar, VARIABLES, several),
        st.builds(Function, inner, inner),
        st.builds(list_of, inner),
        st.lists(inner, min_size=2, max_size=7).map(lambda each: tuple_of(*each)),
        st.lists(inner, min_size=1, max_size=3).map(lambda each: TypeCon(f"(#{',' * (len(each) - 1)}#)", tuple(each))),
        st.builds(Forall, st.lists(VARIABLES, min_size=1, max_size=3).map(tuple), inner),
    )


SIMPLE = st.one_of(st.builds(TypeCon, NAMES), st.builds(TypeVar, VARIABLES), st.just(UNIT))
TYPES = st.recursive(SIMPLE, grown, max_leaves=12)
CLASSES = st.sampled_from(["GHC.Show.Show", "(GHC.Types.~)"])
ITEMS = st.one_of(
    st.builds(TypeCon, CLASSES, st.lists(TYPES, min_size=1, max_size=2).map(tuple)),
    TYPES.map(lambda kind: TypeCon("?x", (kind,))),
)
CONTEXTS = st.lists(ITEMS, min_size=1, max_size=3).map(tuple)


@given(TYPES)
def test_a_written_type_is_read_as_the_same_type(kind):
    assert parse_type(write(kind)) == kind


@given(CONTEXTS, TYPES)
def test_a_written_context_is_read_as_the_same_context(context, body):
    kind = Qualified(context, body)
    assert parse_type(write(kind)) == kind


@given(TYPES)
def test_space_between_words_means_nothing(kind):
    assert parse_type("\n" + write(kind).replace(" ", "\n   ") + "  ") == kind


@given(st.text(max_size=30))
def test_any_text_is_a_type_or_a_signature_error(text):
    try:
        parse_type(text)
    except SignatureError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("GHC.Types.Int -> GHC.Base.String", "Int -> String"),
        ("(Int)", "Int"),
        ("[] Int", "[Int]"),
        ("(,) Int Char", "(Int, Char)"),
        ("a -> b -> c", "a -> b -> c"),
        ("(a -> b) -> c", "(a -> b) -> c"),
        ("a %1 -> b", "a -> b"),
        ("forall (f :: * -> *) {k} a. f a -> Int", "forall f k a. f a -> Int"),
        ("forall a. (Show a, Num a) => a", "forall a. (Show a, Num a) => a"),
        ("Show a => a", "(Show a) => a"),
        ("(a GHC.Types.~ GHC.Types.Int) => a", "((GHC.Types.~) a Int) => a"),
        ("(?x::GHC.Types.Int) => GHC.Types.Int", "(?x :: Int) => Int"),
        ("Data.Proxy.Proxy @{k} a", None),
        ("GHC.Prim.Int# -> (# GHC.Prim.Int#, () #)", "GHC.Prim.Int# -> (# GHC.Prim.Int#, () #)"),
        ("Data.Text.Internal.Text -> TL.Text", f"Text -> {LAZY_TEXT}"),
        ("B.ByteString -> BL.ByteString", f"ByteString -> {LAZY_BYTES}"),
        ("Data.Proxy.Proxy 3", "Data.Proxy.Proxy 3"),
    ],
)
def test_spellings_of_ghc_and_of_people_are_read(text, written):
    if written is None:
        with pytest.raises(SignatureError):
            parse_type(text)
    else:
        assert write(parse_type(text)) == written


@pytest.mark.parametrize("text", ["", "Int ->", "-> Int", "(Int", "Int)", "[Int, Char", "Int Int ->", "=> Int", "(,"])
def test_what_is_no_type_is_refused_with_the_place(text):
    with pytest.raises(SignatureError) as caught:
        parse_type(text)
    assert ("at" in dict(caught.value.facts)) and "Int -> Maybe String" in (caught.value.hint or "")


def test_arguments_of_a_function_are_its_curried_ones():
    taken, result = arguments_of(parse_type("Int -> (Char -> Bool) -> IO ()"))
    assert [write(each) for each in taken] == ["Int", "Char -> Bool"]
    assert write(result) == "IO ()"


def test_variables_are_replaced_with_their_arguments():
    kind = substitute(parse_type("f a -> [a]"), {"f": TypeCon("Maybe"), "a": TypeCon("Int")})
    assert write(kind) == "Maybe Int -> [Int]"
    assert variables_of(parse_type("b -> f a -> b")) == ("b", "a", "f")


def test_a_forall_that_binds_nothing_is_none():
    assert parse_type("forall. Int -> Int") == parse_type("Int -> Int")
