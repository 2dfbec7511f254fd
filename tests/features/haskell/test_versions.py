"""Packages whose values are converted, in other versions than those that come with GHC."""

from __future__ import annotations

import pytest

from tests.support.compile import run
from tests.support.haskell import ghc, python

TEXT = """
{-# LANGUAGE MagicHash, UnboxedTuples, TypeApplications #-}
module Data.Text.Internal where
import Data.Word
import GHC.Exts
import GHC.ST
data Array = ByteArray ByteArray#
data Text = Text {-# UNPACK #-} !Array {-# UNPACK #-} !Int {-# UNPACK #-} !Int

-- | The bytes of a text.
bytes :: Text -> [Word8]
bytes (Text (ByteArray content) (I# start) (I# size)) =
  [fromIntegral (W# (indexWord8Array# content (start +# at))) | I# at <- [0 .. I# (size -# 1#)]]

-- | The text without its first bytes, in the same array.
dropBytes :: Int -> Text -> Text
dropBytes n (Text content start size) = Text content (start + n) (size - n)
"""
USER = """
module User where
import Data.Text.Internal
import Data.Word
codes :: Text -> [Word8]
codes = bytes
without :: Int -> Text -> Text
without = dropBytes
given :: (Text -> IO Text) -> Text -> IO Text
given f = f
"""
OTHER = "module Other where\nimport qualified Data.Text as T\nother :: T.Text -> Int\nother = T.length\n"


def installed(tmp_path, monkeypatch, version):
    """A package text of that version, with a Text of UTF-8, in a database before GHC's own."""
    home = tmp_path / "text"
    home.mkdir()
    unit = f"text-{version}"
    path = ghc(home, TEXT, "-O", "-fPIC", "-this-unit-id", unit)
    path.with_suffix(".hi").rename(path.with_suffix(".dyn_hi"))
    run("gcc", "-shared", "-Wl,-Bsymbolic", "-o", home / f"libHS{unit}-ghc9.0.2.so", path)
    database = tmp_path / "database"
    run("ghc-pkg", "init", database)
    (home / "text.conf").write_text(
        f"name: text\nversion: {version}\nid: {unit}\nkey: {unit}\nexposed: True\nexposed-modules: Data.Text.Internal\n"
        f"import-dirs: {home}\nlibrary-dirs: {home}\ndynamic-library-dirs: {home}\nhs-libraries: HS{unit}\n"
        "depends: base-4.15.1.0 ghc-prim-0.7.0\n"
    )
    run("ghc-pkg", "--package-db", database, "register", "--force", home / "text.conf")
    monkeypatch.setenv("GHC_PACKAGE_PATH", f"{database}:")
    return unit


def test_texts_of_version_2_are_utf_8(tmp_path, monkeypatch):
    unit = installed(tmp_path, monkeypatch, "2.0.9")
    ghc(tmp_path, USER, "-O", "-package-id", unit)
    program = """
from rtlinker.haskell import Runtime
user = Runtime().load("User.o")
for text in ("", "abc", "aß€\\U0001f600\\0" * 1000):
    assert bytes(user.codes(text)) == text.encode()
    assert user.without(0, text) == text and user.without(1, "x" + text) == text
    assert user.given(lambda given: given[::-1], text) == text[::-1]
print("same")
"""
    assert python(program, tmp_path).stdout == "same\n"


def test_two_versions_in_one_process_are_not_guessed_between(tmp_path, monkeypatch):
    ghc(tmp_path, OTHER)
    unit = installed(tmp_path, monkeypatch, "2.0.9")
    ghc(tmp_path, USER, "-O", "-package-id", unit)
    program = """
from rtlinker import LinkError
from rtlinker.haskell import Runtime
haskell = Runtime()
user = haskell.load("User.o")
codes = user.codes
other = haskell.load("Other.o")
for call in (lambda: other.other("abc"), lambda: user.without(0, "x")):
    try:
        call()
    except LinkError as error:
        print(error)
print(bytes(codes("ß")))
"""
    told = python(program, tmp_path).stdout
    assert told.count("haskell package is there in two versions\n") == 2
    assert "text-1.2.5.0" in told
    assert unit in told
    assert told.endswith(f"{'ß'.encode()}\n")


def test_the_version_that_is_there_counts_and_not_the_newest(tmp_path, monkeypatch):
    ghc(tmp_path, OTHER)
    installed(tmp_path, monkeypatch, "2.0.9")
    program = """
from rtlinker.haskell import Runtime
print(Runtime().load("Other.o").other("aß€\U0001f600"))
"""
    assert python(program, tmp_path).stdout == "4\n"


@pytest.mark.parametrize("version", ["3.1", "0.9"])
def test_values_of_an_unknown_version_are_refused(tmp_path, monkeypatch, version):
    unit = installed(tmp_path, monkeypatch, version)
    ghc(tmp_path, USER, "-O", "-package-id", unit)
    program = """
from rtlinker import UnsupportedError
from rtlinker.haskell import Runtime
user = Runtime().load("User.o")
try:
    user.codes("a")
except UnsupportedError as error:
    print(error)
"""
    told = python(program, tmp_path).stdout
    assert told.startswith("values of an unknown version of a package\n")
    assert unit in told
