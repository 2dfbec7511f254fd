"""`rtlinker load` of objects by GHC."""

import textwrap

import pytest

from rtlinker.haskell.packages import find_packages
from tests.support.haskell import GREETING, ghc

SPELLINGS = ["maFonction", "Test.maFonction", "Test_maFonction_closure"]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("way", ["-dynamic", "-static", "-static -prof"])
def test_a_function_is_called_by_any_of_its_names(rtlinker_command, tmp_path, way, spelling):
    ghc(tmp_path, GREETING, *way.split())
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
    path = compile(".data\n.globl Test_f_closure\nTest_f_closure: .quad textzm0zi1_DataziText_append_closure", "asm")
    code, output, said = rtlinker_command("load", path, "f", cwd=tmp_path)
    assert (code, output) == (1, "")
    assert "append of the module Data.Text in the package text-0.1: installed is text-1.2.5.0" in said


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


FOREIGN = """
{-# LANGUAGE ForeignFunctionInterface #-}
module Foreign where
foreign import ccall "add_one" addOne :: Int -> Int
foreign import ccall "zlibVersion" version :: IO (Ptr CChar)
foreign import ccall "cos" cosine :: Double -> Double
foreign export ccall doubled :: Int -> Int
foreign import ccall "call_doubled" callDoubled :: Int -> IO Int
doubled :: Int -> Int
doubled = (* 2)
known :: IO Bool
known = fmap (/= nullPtr) version
"""
C = """
#include <stdint.h>
int64_t doubled(int64_t);
int64_t add_one(int64_t number) { return number + 1; }
int64_t call_doubled(int64_t number) { return doubled(number); }
"""


@pytest.mark.parametrize("way", ["-dynamic", "-static"])
def test_foreign_imports_and_exports(rtlinker_command, compile, archive, tmp_path, way):
    ghc(tmp_path, FOREIGN.replace("module Foreign where", "module Own where\nimport Foreign\nimport Foreign.C"), way)
    flags = "-fPIC" if way == "-dynamic" else "-fno-pic"
    archive("libown.a", compile(C, flags=flags, name="c.o"))
    for words, shown in (
        (["addOne", "1"], "2"),
        (["cosine", "0"], "1.0"),
        (["known"], "True"),
        (["callDoubled", "4"], "8"),
    ):
        for own in (["-w", "c.o"], ["-l", "own", "-L", "."]):
            given = ("load", "Own.o", *words, *own, "-l", "z")
            assert rtlinker_command(*given, cwd=tmp_path) == (0, shown + "\n", "")


def test_a_missing_foreign_name_is_told_as_for_c(rtlinker_command, tmp_path):
    ghc(tmp_path, 'module Own where\nforeign import ccall "add_one" addOne :: Int -> Int\n')
    code, output, said = rtlinker_command("load", "Own.o", "addOne", "1", cwd=tmp_path)
    assert (code, output) == (1, "")
    assert "symbol  add_one" in said


def test_whole_archives_do_not_go_with_haskell(rtlinker_command, tmp_path):
    ghc(tmp_path)
    code, output, said = rtlinker_command("load", "Test.o", "maFonction", "x", "--whole-archive", "x.a", cwd=tmp_path)
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


TYPED = """
module Typed where
total :: [Int] -> Int
total = sum
halves :: Double -> Maybe (Double, Double)
halves 0 = Nothing
halves x = Just (x / 2, x / 2)
reversed :: String -> String
reversed = reverse
answer :: Integer
answer = 2 ^ (70 :: Int)
same :: a -> a
same x = x
boom :: Int -> Int
boom n = n `div` 0
failing :: IO ()
failing = ioError (userError "no luck")
asked :: IO String
asked = putStr "who? " >> getLine
"""


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["total", "[1,2,3]"], "6"),
        (["halves", "3"], "Just (1.5,1.5)"),
        (["halves", "0"], "Nothing"),
        (["reversed", "stressed"], "desserts"),
        (["answer"], "1180591620717411303424"),
        (["same", "3", "--sig", "Int -> Int"], "3"),
        (["same", '["a"]', "--sig", "[String] -> [String]"], '["a"]'),
        (["total", "[1,2]", "--json"], '{"symbol": "Typed_total_closure", "type": "[Int] -> Int", "value": 3}'),
    ],
)
def test_arguments_and_results_are_written_as_in_haskell(rtlinker_command, tmp_path, words, shown):
    ghc(tmp_path, TYPED)
    assert rtlinker_command("load", "Typed.o", *words, cwd=tmp_path) == (0, shown + "\n", "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["total", "x"], 2, "a word that makes no such value"),
        (["total"], 2, "a wrong number of arguments"),
        (["total", "[1]", "[2]"], 2, "a wrong number of arguments"),
        (["total", "[1]", "--sig", "Int -> Int"], 2, "the signature is not the value's type"),
        (["same", "3"], 2, "choose a type with --sig"),
        (["total", "[99999999999999999999]"], 2, "does not fit its Haskell type"),
        (["boom", "1"], 1, "Haskell exception: divide by zero"),
        (["failing"], 1, "Haskell exception: user error (no luck)"),
    ],
)
def test_what_is_wrong_with_a_call_is_said(rtlinker_command, tmp_path, words, code, said):
    ghc(tmp_path, TYPED)
    ended = rtlinker_command("load", "Typed.o", *words, cwd=tmp_path)
    assert (ended.code, ended.stdout) == (code, "")
    assert ended.stderr.startswith("error: ")
    assert said in ended.stderr


def test_an_action_reads_standard_input(rtlinker_command, tmp_path):
    ghc(tmp_path, TYPED)
    assert rtlinker_command("load", "Typed.o", "asked", input="me\n", cwd=tmp_path) == (0, "who? me\n", "")


def test_without_an_interface_texts_and_an_action_are_assumed(rtlinker_command, tmp_path):
    ghc(tmp_path).with_suffix(".hi").unlink()
    note = "note: Test.maFonction has no interface beside its object: String -> IO () assumed, --sig says better\n"
    assert rtlinker_command("load", "Test.o", "maFonction", "you", cwd=tmp_path) == (0, "Hello you\n", note)
    signed = ("load", "Test.o", "maFonction", "you", "--sig", "String -> IO ()")
    assert rtlinker_command(*signed, cwd=tmp_path) == (0, "Hello you\n", "")


PROGRAM = """
module Main where
import System.Environment
import System.Exit
main :: IO ()
main = do
  name <- getProgName
  given <- getArgs
  putStrLn (name ++ show given)
  case given of
    ["fail"] -> exitWith (ExitFailure 3)
    ["boom"] -> error "boom"
    _ -> putStr "no end of line"
"""


@pytest.mark.parametrize(
    ("given", "code", "shown", "said"),
    [
        (["a", "-x"], 0, 'Main.o["a","-x"]\nno end of line', ""),
        (["fail"], 3, 'Main.o["fail"]\n', ""),
        (["boom"], 1, 'Main.o["boom"]\n', "Main.o: boom\n"),
    ],
)
def test_main_runs_as_a_program(rtlinker_command, tmp_path, given, code, shown, said):
    ghc(tmp_path, PROGRAM)
    ended = rtlinker_command("load", "Main.o", "main", "--", *given, cwd=tmp_path)
    assert (ended.code, ended.stdout) == (code, shown)
    assert ended.stderr.startswith(said)


@pytest.mark.parametrize("way", ["-dynamic", "-static"])
def test_the_types_of_c_are_numbers(rtlinker_command, tmp_path, way):
    source = """
    {-# LANGUAGE ForeignFunctionInterface #-}
    module Test where
    import Foreign.C.Types
    foreign import ccall "abs" cabs :: CInt -> CInt
    foreign import ccall "math.h sin" csin :: CDouble -> IO CDouble
    foreign export ccall triple :: CInt -> CInt
    triple :: CInt -> CInt
    triple n = 3 * n
    sizes :: [CSize] -> CULong
    sizes = fromIntegral . sum
    """
    ghc(tmp_path, textwrap.dedent(source), way)
    calls = [("cabs", "-5", "5"), ("csin", "0", "0.0"), ("triple", "4", "12"), ("sizes", "[1, 2]", "3")]
    for name, word, expected in calls:
        ran = rtlinker_command("load", "Test.o", name, word, cwd=tmp_path)
        assert (ran.code, ran.stdout.strip()) == (0, expected), ran
    assert "above 2,147,483,647" in rtlinker_command("load", "Test.o", "triple", "99999999999", cwd=tmp_path).stderr
