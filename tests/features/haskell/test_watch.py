"""`rtlinker watch` of objects by GHC: the demo of hot reloading, and what goes wrong in it."""

import pytest

from tests.support.haskell import GREETING, ghc
from tests.support.watching import Watch

BUILD = "ghc -v0 {way} -c Test.hs"


@pytest.fixture
def watch(tmp_path):
    """`watch(*arguments)`: a watch in the test's directory, ended with the test."""
    begun = []

    def begin(*arguments):
        begun.append(Watch(tmp_path, *arguments))
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


@pytest.mark.parametrize("way", ["-dynamic", "-static"])
def test_an_edit_is_called_in_its_new_version(watch, tmp_path, way):
    ghc(tmp_path, GREETING, way)
    watched = watch("Test.o", "maFonction", "Haskell", "--build", BUILD.format(way=way))
    watched.printed("Hello Haskell\n")
    (tmp_path / "Test.hs").write_text(GREETING.replace("Hello", "Hallo"))
    watched.printed("Hello Haskell\nHallo Haskell\n")
    watched.said("version 2: build ")
    assert watched.interrupt() == 130
    watched.said("files  Test.hs")


def test_an_object_that_is_not_there_is_built(watch, tmp_path):
    (tmp_path / "Test.hs").write_text(GREETING)
    watched = watch("Test.o", "maFonction", "Haskell", "--build", BUILD.format(way="-dynamic"))
    watched.printed("Hello Haskell\n")


def test_a_build_error_and_a_changed_type_leave_the_old_version(watch, tmp_path):
    ghc(tmp_path)
    source = tmp_path / "Test.hs"
    watched = watch("Test.o", "maFonction", "Haskell", "--build", BUILD.format(way="-dynamic"))
    watched.printed("Hello Haskell\n")
    source.write_text(GREETING.replace("putStrLn", "putStrLine"))
    watched.said("error: the build failed with exit code 1")
    watched.said("putStrLine")
    source.write_text(GREETING.replace(":: String", ":: Int -> String").replace("maFonction s", "maFonction _ s"))
    watched.said("error: types have changed")
    watched.said("Int -> String -> IO ()")
    watched.said("  version 1 stays", times=2)
    source.write_text(GREETING.replace("Hello", "Hallo"))
    watched.printed("Hello Haskell\nHallo Haskell\n")


def test_names_that_come_are_told(watch, tmp_path):
    ghc(tmp_path)
    watched = watch("Test.o", "maFonction", "Haskell")
    watched.printed("Hello Haskell\n")
    ghc(tmp_path, GREETING.replace("Hello", "Hallo") + "more :: Int\nmore = 3\n{-# NOINLINE more #-}\n")
    watched.printed("Hello Haskell\nHallo Haskell\n")
    watched.said("added  Test.more")


def test_a_change_of_an_imported_module_is_taken_in(watch, tmp_path):
    first = "module First where\none :: Int -> Int\none n = n + 1\n{-# NOINLINE one #-}\n"
    ghc(tmp_path, first)
    ghc(tmp_path, "module Second where\nimport First\ntwo :: Int -> Int\ntwo = one . one\n")
    watched = watch("Second.o", "two", "40")
    watched.printed("42\n")
    ghc(tmp_path, first.replace("n + 1", "n + 10"))
    watched.printed("42\n60\n")


def test_a_haskell_exception_does_not_end_the_watch(watch, tmp_path):
    source = "module Bad where\nbad :: Int -> Int\nbad n = if n > 1 then error \"too much\" else n\n"
    ghc(tmp_path, source)
    watched = watch("Bad.o", "bad", "2")
    watched.said("too much")
    ghc(tmp_path, source.replace("n > 1", "n > 2"))
    watched.printed("2\n")


def test_calls_every_so_often_are_in_the_newest_version(watch, tmp_path):
    ghc(tmp_path)
    watched = watch("Test.o", "maFonction", "Haskell", "--every", "0.01")
    watched.until(lambda: watched.out.count("Hello") > 2)
    ghc(tmp_path, GREETING.replace("Hello", "Hallo"))
    watched.until(lambda: watched.out.count("Hallo") > 2)
    assert "Hello" not in watched.out.partition("Hallo")[2]
