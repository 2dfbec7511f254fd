"""What an object of GHC's tells of itself."""

import pytest

from rtlinker.elf.reader import read_object
from rtlinker.haskell.objects import read_haskell
from tests.support.haskell import GREETING, ghc


def read(path):
    return read_haskell(read_object(path.read_bytes(), str(path)))


@pytest.mark.parametrize(("way", "static"), [("-dynamic", False), ("-static", True)])
def test_code_for_low_memory_is_told_from_code_for_anywhere(tmp_path, way, static):
    found = read(ghc(tmp_path, GREETING, way))
    assert found.static is static
    assert found.modules == ("Test",)
    assert [(name.name, symbol) for name, symbol in found.closures] == [("maFonction", "Test_maFonction_closure")]
    assert found.units == ("base", "ghc-prim")
    assert found.wants == ()
    assert not found.profiled


def test_modules_of_the_same_program_are_wanted(tmp_path):
    ghc(tmp_path, "module B where\nb :: Int -> Int\nb = (+ 1)\n{-# NOINLINE b #-}\n")
    found = read(ghc(tmp_path, "module A where\nimport B\na :: Int\na = b 1\n{-# NOINLINE a #-}\n"))
    assert found.wants == ("B",)
    assert "main" not in found.units


def test_modules_of_a_named_unit_are_wanted_too(tmp_path):
    ghc(tmp_path, "module B where\nb :: Int -> Int\nb = (+ 1)\n{-# NOINLINE b #-}\n", "-this-unit-id", "own-1")
    found = read(ghc(tmp_path, "module A where\nimport B\na :: Int\na = b 1\n", "-this-unit-id", "own-1"))
    assert found.wants == ("B",)
    assert [symbol for _, symbol in found.closures] == ["ownzm1_A_a_closure"]


def test_code_of_c_is_not_haskell(compile):
    path = compile("int closure(void) { return 1; }")
    assert read(path) is None


def test_a_function_of_c_that_is_called_closure_is_not_haskell(compile):
    path = compile("int my_closure(void) { return 1; }")
    assert read(path) is None


def test_what_ghc_adds_to_a_program_is_left_out(tmp_path):
    found = read(ghc(tmp_path, "module Main where\nmain :: IO ()\nmain = pure ()\n"))
    assert found.modules == ("Main",)
    assert [name.qualified for name, _ in found.closures] == ["Main.main"]


CLOSURE = ".data\n.globl Test_f_closure\nTest_f_closure: .quad 0\n"


@pytest.mark.parametrize(
    ("code", "static"),
    [
        ("lea base_GHCziBase_id_closure(%rip), %rax", True),
        ("mov base_GHCziBase_id_closure@GOTPCREL(%rip), %rax", False),
        ("jmp base_GHCziBase_id_info@PLT", False),
        ("lea own(%rip), %rax\n.globl own\nown: ret", False),
        ("mov $base_GHCziBase_id_closure, %eax", True),
    ],
)
def test_what_must_be_within_reach_or_in_32_bits_makes_code_static(compile, code, static):
    assert read(compile(f"{CLOSURE}.text\n{code}\n", "asm")).static is static


@pytest.mark.parametrize("line", [".quad CCCS", ".quad CCS_DONT_CARE", ".globl Test_f_cc\nTest_f_cc: .quad 0", ""])
def test_any_name_of_the_profiler_makes_code_profiled(compile, line):
    assert read(compile(f"{CLOSURE}{line}\n", "asm")).profiled is bool(line)
