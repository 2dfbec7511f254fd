"""Interfaces that the installed GHC wrote, read through its `--show-iface`."""

from __future__ import annotations

import pytest

from rtlinker.errors import BadObjectError, SignatureError, UnsupportedError
from rtlinker.haskell.interface import read_interface, shown
from rtlinker.haskell.seeing import exported_type, monomorphic, represented, stale_usages
from rtlinker.haskell.types import write
from tests.support.haskell import ghc

SHAPES = """
{-# LANGUAGE RankNTypes, TypeFamilies, ImplicitParams, MagicHash, UnboxedTuples, GADTs #-}
module Shapes (module Shapes, Maybe(..)) where
import qualified Data.Map as M
import qualified Data.Text as T
import GHC.Exts
newtype Age = Age Int
newtype Wrap a = Wrap { unWrap :: [a] }
newtype State s a = State { runState :: s -> (a, s) }
newtype Fix f = Fix (f (Fix f))
type Name = String
type Pair a = (a, a)
data Shape = Circle Double | Square { side :: !Double, name :: Name }
data Op a b = a :+: b | Nil
infixr 5 :+:
data K where { K :: Int -> K }
data Strict where { Strict :: !(Maybe Int) -> Strict }
data Text = Text Int
class Greets a where { greet :: a -> String }
type family F a
(<+>) :: Int -> Int -> Int
a <+> b = a + b
poly :: a -> b -> a
poly a _ = a
summed :: (Num a, Show a) => a -> String
summed = show . (+ 1)
rank :: (forall a. a -> a) -> Int
rank f = f 3
long :: Age -> Name -> Pair Int -> M.Map String [Int] -> (Age, T.Text, Maybe (Either Int Word), Wrap (Wrap Bool))
long = undefined
mine :: Text -> Text
mine = id
prim :: Int# -> (# Int#, Int# #)
prim x = (# x, x #)
implicit :: (?x :: Int) => Int
implicit = ?x
state :: State Int Name
state = State (\\s -> ("", s))
fixed :: Fix Maybe -> ()
fixed _ = ()
family :: F Int -> Bool
family _ = True
"""


def load_interface(path, ghc="ghc"):
    return read_interface(shown(str(path), ghc), str(path))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return load_interface(ghc(tmp_path_factory.mktemp("shapes"), SHAPES).with_suffix(".hi"))


@pytest.mark.parametrize(
    ("name", "kind", "seen"),
    [
        ("<+>", "Int -> Int -> Int", None),
        ("poly", "a -> b -> a", None),
        ("rank", "(forall a. a -> a) -> Int", None),
        (
            "long",
            "Shapes.Age -> Shapes.Name -> Shapes.Pair Int -> Data.Map.Internal.Map String [Int] -> "
            "(Shapes.Age, Text, Maybe (Either Int Word), Shapes.Wrap (Shapes.Wrap Bool))",
            "Int -> [Char] -> (Int, Int) -> Data.Map.Internal.Map [Char] [Int] -> "
            "(Int, Text, Maybe (Either Int Word), [[Bool]])",
        ),
        ("mine", "Shapes.Text -> Shapes.Text", None),
        ("prim", "GHC.Prim.Int# -> (# GHC.Prim.Int#, GHC.Prim.Int# #)", None),
        ("implicit", "(?x :: Int) => Int", None),
        ("state", "Shapes.State Int Shapes.Name", "Int -> ([Char], Int)"),
        ("fixed", "Shapes.Fix Maybe -> ()", None),
        ("family", "Shapes.F Int -> Bool", None),
        ("Circle", "Double -> Shapes.Shape", None),
        ("Square", "Double -> Shapes.Name -> Shapes.Shape", "Double -> [Char] -> Shapes.Shape"),
        ("side", "Shapes.Shape -> Double", None),
        (":+:", "a -> b -> Shapes.Op a b", None),
        ("Nil", "Shapes.Op a b", None),
        ("K", "Int -> Shapes.K", None),
        ("Strict", "Maybe Int -> Shapes.Strict", None),
        ("Age", "Int -> Shapes.Age", "Int -> Int"),
        ("runState", "Shapes.State s a -> s -> (a, s)", "(s -> (a, s)) -> s -> (a, s)"),
    ],
)
def test_an_export_has_its_type_and_what_it_stands_for(shapes, name, kind, seen):
    found = exported_type(shapes, name)
    assert write(found) == kind
    assert write(represented(found, [shapes])) == (seen or kind)


def test_what_ghc_says_about_the_module_is_read(shapes):
    assert shapes.module == "Shapes"
    assert shapes.ways == ("d", "y", "n")
    assert len(shapes.abi_hash) == 32
    assert {"Age", "Op", "Greets", "F", "Name"} <= set(shapes.types)
    assert {"base-4.15.1.0", "text-1.2.5.0"} <= set(shapes.packages)
    assert all(len(each) == 32 for each in shapes.hashes.values())
    assert {"poly", "Age", "Greets", "F"} <= set(shapes.hashes)


def test_a_class_context_is_refused_with_what_to_do(shapes):
    with pytest.raises(SignatureError) as caught:
        monomorphic(exported_type(shapes, "summed"), "summed")
    assert caught.value.prototype == "summed"
    assert "Show a" in str(caught.value)
    assert "of one type" in (caught.value.hint or "")


def test_a_name_that_is_not_exported_is_refused_with_those_that_are(shapes):
    with pytest.raises(SignatureError, match="exports no such value") as caught:
        exported_type(shapes, "nothing")
    assert "poly" in str(caught.value) or "Circle" in str(caught.value)


def test_a_newtype_whose_constructor_is_hidden_stays_opaque(tmp_path):
    source = "module Hidden (Secret, make) where\nnewtype Secret = Secret Int\nmake :: Int -> Secret\nmake = Secret\n"
    interface = load_interface(ghc(tmp_path, source).with_suffix(".hi"))
    assert write(represented(exported_type(interface, "make"), [interface])) == "Int -> Hidden.Secret"


def test_an_imported_modules_change_is_seen_in_the_hash_of_what_was_used(tmp_path):
    below = "module Below where\nhelper :: Int -> Int\nhelper x = x * {}\nother :: Int\nother = 1\n"
    ghc(tmp_path, below.format(2), "-O1")
    ghc(tmp_path, "module Above where\nimport Below\nanswer :: Int -> Int\nanswer x = helper x + 1\n", "-O1")
    above = load_interface(tmp_path / "Above.hi")
    first = load_interface(tmp_path / "Below.hi")
    assert above.modules == ("Below",)
    assert stale_usages(above, {"Below": first}) == ()
    ghc(tmp_path, below.format(3), "-O1")
    stale = stale_usages(above, {"Below": load_interface(tmp_path / "Below.hi")})
    assert [(each.module, each.name) for each in stale] == [("Below", "helper")]
    assert stale[0].then == first.hashes["helper"] != stale[0].now


def test_a_change_that_nobody_used_makes_nothing_stale(tmp_path):
    below = "module Below where\nhelper :: Int -> Int\nhelper x = x * 2\nother :: Int\nother = {}\n"
    ghc(tmp_path, below.format(1), "-O1")
    ghc(tmp_path, "module Above where\nimport Below (helper)\nanswer :: Int -> Int\nanswer x = helper x + 1\n", "-O1")
    ghc(tmp_path, below.format(2), "-O1")
    above, changed = (load_interface(tmp_path / f"{name}.hi") for name in ("Above", "Below"))
    assert stale_usages(above, {"Below": changed}) == ()


def test_what_is_no_interface_is_refused(tmp_path):
    path = tmp_path / "Broken.hi"
    path.write_bytes(b"not an interface")
    with pytest.raises(BadObjectError, match="not an interface of this ghc"):
        load_interface(path)


def test_without_a_ghc_the_error_says_so(tmp_path):
    path = tmp_path / "Any.hi"
    path.write_bytes(b"")
    with pytest.raises(UnsupportedError, match="need ghc") as caught:
        load_interface(path, ghc=str(tmp_path / "no-ghc"))
    assert "signature as text" in (caught.value.hint or "")


def test_a_newtype_of_a_recursive_one_is_seen_through_down_to_it(tmp_path):
    source = "module Loops where\nnewtype Outer = Outer Loop\nnewtype Loop = Loop [Loop]\nf :: Outer -> Int\nf _ = 1\n"
    interface = load_interface(ghc(tmp_path, source).with_suffix(".hi"))
    assert write(represented(exported_type(interface, "f"), [interface])) == "Loops.Loop -> Int"
