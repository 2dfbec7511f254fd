"""`rtlinker load` of objects by GHC."""

import pytest

from rtlinker.haskell.packages import find_packages
from tests.support.haskell import GREETING, ghc

SPELLINGS = ["maFonction", "Test.maFonction", "Test_maFonction_closure"]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("way", ["-dynamic", "-static"])
def test_a_function_is_called_by_any_of_its_names(rtlinker_command, tmp_path, way, spelling):
    ghc(tmp_path, GREETING, way)
    assert rtlinker_command("load", "Test.o", spelling, "Haskell", cwd=tmp_path) == (0, "Hello Haskell\n", "")


def test_an_action_without_arguments_is_run(rtlinker_command, tmp_path):
    ghc(tmp_path, 'module Hi where\nhi :: IO ()\nhi = putStrLn "hi"\n')
    assert rtlinker_command("load", "Hi.o", "hi", cwd=tmp_path) == (0, "hi\n", "")


def test_packages_beyond_base_come_by_themselves(rtlinker_command, tmp_path):
    ghc(
        tmp_path,
        """
        module Many where
        import Control.Monad.State
        import qualified Data.ByteString.Char8 as B
        import qualified Data.Map.Strict as M
        import qualified Data.Text as T
        import qualified Data.Text.IO as T

        many :: String -> IO ()
        many s = do
          print (M.toList (M.fromListWith (+) [(c, 1 :: Int) | c <- s]))
          T.putStrLn (T.toUpper (T.pack s))
          B.putStrLn (B.reverse (B.pack s))
          print (runState (mapM (\\c -> modify (+ 1) >> gets (\\n -> (n, c))) s) (0 :: Int))
        """,
    )
    told = "[('a',2),('b',1)]\nABA\naba\n([(1,'a'),(2,'b'),(3,'a')],3)\n"
    assert rtlinker_command("load", "Many.o", "many", "aba", cwd=tmp_path) == (0, told, "")


def program(tmp_path):
    """A module that needs one beside it, which needs one in a directory below."""
    ghc(tmp_path, 'module Data.Deep where\ndeep :: String -> String\ndeep s = s ++ "!"\n')
    ghc(tmp_path, 'module B where\nimport Data.Deep\nb :: String -> String\nb s = "B: " ++ deep s\n')
    ghc(tmp_path, "module A where\nimport B\na :: String -> IO ()\na s = putStrLn (b s)\n")


def test_modules_of_the_same_program_are_found(rtlinker_command, tmp_path):
    program(tmp_path)
    assert rtlinker_command("load", "A.o", "a", "x", cwd=tmp_path) == (0, "B: x!\n", "")


def test_a_module_that_lies_elsewhere_is_added_by_hand(rtlinker_command, tmp_path):
    program(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "B.o").rename(tmp_path / "elsewhere/b.o")
    told = rtlinker_command("load", "A.o", "a", "x", cwd=tmp_path)
    assert (told[0], told[1]) == (1, "")
    assert "b of the module B in the package main: load the object of B too" in told[2]
    given = ("load", "A.o", "a", "x", "-w", "elsewhere/b.o", "-w", "Data/Deep.o")
    assert rtlinker_command(*given, cwd=tmp_path) == (0, "B: x!\n", "")


def test_a_name_of_a_missing_package_is_decoded(rtlinker_command, compile, tmp_path):
    path = compile(
        """
        .data
        .globl Test_f_closure
        Test_f_closure: .quad acmezm1zi2_AcmeziRocket_launchzq_info
        """,
        "asm",
    )
    code, output, said = rtlinker_command("load", path, "f", cwd=tmp_path)
    assert (code, output) == (1, "")
    assert "acmezm1zi2_AcmeziRocket_launchzq_info" in said
    assert "1.o:(.data+0x0) in Test_f_closure" in said
    assert "launch' of the module Acme.Rocket in the package acme-1.2" in said
    version = find_packages().compiler.version
    assert f"install it for GHC {version} (cabal install --lib acme), or load its objects too" in said


def test_another_version_of_a_package_is_named(rtlinker_command, compile, tmp_path):
    path = compile(
        ".data\n.globl Test_f_closure\nTest_f_closure: .quad textzm0zi1_DataziText_append_closure", "asm"
    )
    code, output, said = rtlinker_command("load", path, "f", cwd=tmp_path)
    assert (code, output) == (1, "")
    assert "append of the module Data.Text in the package text-0.1: installed is text-1.2.5.0" in said


def test_profiled_code_names_what_is_missing(rtlinker_command, compile, tmp_path):
    path = compile(".data\n.globl Test_f_closure\nTest_f_closure: .quad CCCS, stg_CAF_BLACKHOLE_info", "asm")
    code, output, said = rtlinker_command("load", path, "f", cwd=tmp_path)
    assert (code, output) == (1, "")
    assert said.startswith("error: object compiled for profiling\n")
    assert "apt install ghc-prof" in said


def test_a_name_that_is_not_there_is_suggested(rtlinker_command, tmp_path):
    ghc(tmp_path)
    code, output, said = rtlinker_command("load", "Test.o", "maFunction", "x", cwd=tmp_path)
    assert (code, output) == (1, "")
    assert "did you mean maFonction" in said


def test_an_address_is_printed(rtlinker_command, tmp_path):
    ghc(tmp_path)
    code, output, said = rtlinker_command("load", "Test.o", "maFonction", "--address", cwd=tmp_path)
    assert (code, said) == (0, "")
    assert int(output, 16) > 0


def test_libraries_of_c_do_not_go_with_haskell(rtlinker_command, tmp_path):
    ghc(tmp_path)
    code, output, said = rtlinker_command("load", "Test.o", "maFonction", "x", "-l", "z", cwd=tmp_path)
    assert (code, output) == (2, "")
    assert "-w" in said


def test_crashing_haskell_code_is_reported(rtlinker_command, tmp_path):
    ghc(
        tmp_path,
        """
        module Crash where
        import Foreign
        crash :: IO ()
        crash = poke nullPtr (1 :: Int)
        """,
    )
    code, output, said = rtlinker_command("load", "Crash.o", "crash", cwd=tmp_path)
    assert (code, output) == (128 + 11, "")
    assert "SIGSEGV" in said
