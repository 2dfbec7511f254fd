"""Which type a value is called with: its own, or one that was given and is an instance of it."""

import pytest

from rtlinker.errors import SignatureError
from rtlinker.haskell.names import Name
from rtlinker.haskell.objects import read_haskell_file
from rtlinker.haskell.parse import parse_type
from rtlinker.haskell.seeing import represented
from rtlinker.haskell.signatures import is_instance, signature_of
from rtlinker.haskell.snapshot import Snapshot
from rtlinker.haskell.types import write
from tests.support.haskell import ghc

MODULE = """
module Test where
type Names = [String]
newtype Age = Age Int
twice :: (a -> a) -> a -> a
twice f = f . f
names :: Age -> Names
names _ = []
double :: Num a => a -> a
double x = x + x
"""


@pytest.mark.parametrize(
    ("kind", "general"),
    [
        ("Int", "a"), ("Int -> Int", "a -> a"), ("Int -> String", "a -> b"), ("[Int]", "[a]"), ("[Int]", "f a"),
        ("Either Int Bool", "f a"), ("Int -> Int", "a"), ("Maybe Int -> IO ()", "f a -> IO b"), ("a", "a"),
    ],
)  # fmt: skip
def test_an_instance_has_types_for_variables(kind, general):
    assert is_instance(represented(parse_type(kind)), represented(parse_type(general)))


@pytest.mark.parametrize(
    ("kind", "general"),
    [
        ("Int -> String", "a -> a"), ("Int", "Word"), ("[Int]", "[Bool]"), ("Int", "f a"), ("Int", "Int -> Int"),
        ("Int -> Int", "Int"), ("(Int, Int)", "(a, b, c)"), ("a -> b", "a -> a"), ("a", "Int"),
    ],
)  # fmt: skip
def test_other_types_are_no_instances(kind, general):
    assert not is_instance(represented(parse_type(kind)), represented(parse_type(general)))


def chosen(tmp_path, name, text=None):
    interfaces = Snapshot.of(read_haskell_file(str(ghc(tmp_path, MODULE))).objects).interfaces("ghc")
    return signature_of(Name("main", "Test", name, "closure"), interfaces, text)


def test_the_interface_tells_the_type(tmp_path):
    assert write(chosen(tmp_path, "twice")) == "(a -> a) -> a -> a"


def test_a_signature_chooses_an_instance(tmp_path):
    text = "(Int -> Int) -> Int -> Int"
    assert write(chosen(tmp_path, "twice", text)) == text


def test_synonyms_and_newtypes_are_seen_through(tmp_path):
    assert write(chosen(tmp_path, "names", "Int -> [String]")) == "Int -> [String]"


def test_a_wrong_signature_shows_both_types(tmp_path):
    with pytest.raises(SignatureError, match="the signature is not the value's type") as caught:
        chosen(tmp_path, "twice", "(Int -> Bool) -> Int -> Int")
    assert ("given", "(Int -> Bool) -> Int -> Int") in caught.value.facts
    assert any("(a -> a) -> a -> a" in text for _, text in caught.value.facts)


def test_a_class_context_is_refused_even_with_a_signature(tmp_path):
    for text in (None, "Int -> Int"):
        with pytest.raises(SignatureError, match="needs dictionaries"):
            chosen(tmp_path, "double", text)


def test_without_an_interface_there_is_no_type_but_a_given_one(tmp_path):
    path = ghc(tmp_path, MODULE)
    path.with_suffix(".hi").unlink()
    assert Snapshot.of(read_haskell_file(str(path)).objects).files == ()
    name = Name("main", "Test", "twice", "closure")
    assert signature_of(name, ()) is None
    assert write(signature_of(name, (), "Int -> IO ()")) == "Int -> IO ()"
