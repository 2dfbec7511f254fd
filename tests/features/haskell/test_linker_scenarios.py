"""What GHC's tests ask of its own linker, asked with modules of Haskell; test_ghc_linker_scenarios.py has C."""

from __future__ import annotations

import pytest

from tests.support.haskell import ghc, python

BEGIN = """
import sys, rtlinker
from rtlinker.haskell import Runtime
from rtlinker.host.mappings import read_mappings

haskell = Runtime(sys.argv[1] if len(sys.argv) > 1 else None)

def there(*names):  # as code in memory
    return "".join(name for name in names if any(
        row.start <= address[name] < row.end and "x" in row.permissions for row in read_mappings()))
"""

MODULES = {
    "A": "a :: Int -> Int\na n = n + 1",
    "B": "import A\nb :: Int -> Int\nb n = a n + 10",
    "C": "import A\nimport B\nc :: Int -> Int\nc n = a n + b n + 100",
    "D": "import C\nimport B\nd :: Int -> Either (Int -> Int) Int\nd n = Left (\\m -> c n + b m)",
}


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_modules_that_use_each_other_go_when_the_last_value_is_gone(tmp_path, kind):
    """linker_unload_multiple_objs: a handle to a function of D keeps D, and C, B and A, which it calls."""
    for name, body in MODULES.items():
        ghc(tmp_path, f"module {name} where\n{body}\n{{-# NOINLINE {name.lower()} #-}}\n")
    program = f"""
haskell = Runtime({kind!r})
for round in range(3):
    modules = [haskell.load(f"{{name}}.o") for name in "ABCD"]
    address = {{name: module.find(f"{{name}}.{{name.lower()}}").address for name, module in zip("ABCD", modules)}}
    address = {{name: int.from_bytes(bytes_at(where), "little") for name, where in address.items()}}
    kept = modules[3].d(1).value
    for module in modules:
        module.unload()
    print(bool(haskell.kept), there(*"ABCD"), kept(5), [haskell_name(name) for name in "ABCD"])
    del kept
    print(haskell.kept, there(*"ABCD"))
"""
    helpers = """
import ctypes
def bytes_at(closure):  # the info pointer, which is code
    return ctypes.string_at(closure, 8)
def haskell_name(name):
    return haskell.machine_for("shared").rts.host.linker.lookup(f"{name}_{name.lower()}_closure")
"""
    told = python(BEGIN + helpers + program, tmp_path).stdout.splitlines()
    # c 1 + b 5 is (2 + 12 + 100) + 16
    assert told == ["True ABCD 130 [None, None, None, None]", "() "] * 3


REDEFINING = {
    "a function of the runtime": ("long rts_lock(void) { return 7; }", "rts_lock"),
    "code that Haskell jumps to": (".globl stg_ap_n_fast\nstg_ap_n_fast: ret", "stg_ap_n_fast"),
    "a closure of a package": (
        ".data\n.globl base_GHCziBase_id_closure\nbase_GHCziBase_id_closure: .quad 0",
        "base_GHCziBase_id_closure",
    ),
}


@pytest.mark.parametrize("kind", ["shared", "static"])
@pytest.mark.parametrize("what", REDEFINING)
def test_redefining_a_name_of_the_runtime_fails_ten_times_in_a_row(tmp_path, compile, kind, what):
    """linker_error3: in neither kind of runtime may an object stand in for a part of it."""
    source, name = REDEFINING[what]
    compile(source, "c" if "(" in source else "asm", flags="-fPIC" if "(" in source else "", name="again.o")
    ghc(tmp_path, "module Uses where\nuses :: Int -> Int\nuses n = id n + 1\n")
    program = f"""
haskell = Runtime({kind!r})
for _ in range(10):
    try:
        haskell.load("Uses.o", "again.o")
    except rtlinker.DuplicateSymbolError as error:
        print([name for name, _, _ in error.duplicates], "libHS" in str(error) or "HSbase" in str(error))
print(haskell.load("Uses.o").uses(1), haskell.kept)
"""
    assert python(BEGIN + program, tmp_path).stdout == f"['{name}'] True\n" * 10 + "2 ()\n"


def test_names_of_c_may_be_defined_again(tmp_path, compile):
    """As in GHC's linker: what the object defines is for it alone."""
    compile("long labs(long n) { return 1000 + n; }", flags="-fPIC -fno-builtin", name="own.o")
    ghc(tmp_path, 'module Own where\nforeign import ccall "labs" own :: Int -> Int\n')
    program = """
import ctypes
haskell = Runtime("shared")
print(haskell.load("Own.o", "own.o").own(-5), ctypes.CDLL(None).labs(-5))
"""
    assert python(BEGIN + program, tmp_path).stdout == "995 5\n"


SLOT = """
module Slot where
import Data.IORef
import System.IO.Unsafe
slot :: IORef (Int -> Int)
slot = unsafePerformIO (newIORef id)
{-# NOINLINE slot #-}
chosen :: Int -> Int
chosen = unsafePerformIO (readIORef slot)
{-# NOINLINE chosen #-}
store :: (Int -> Int) -> IO ()
store = writeIORef slot
clear :: IO ()
clear = writeIORef slot id
call :: Int -> Int
call n = chosen n
"""


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_a_constant_of_one_module_keeps_the_function_of_another_that_it_evaluated_to(tmp_path, kind):
    """No word of the heap leads there, and no name was linked: only the constant itself does."""
    ghc(tmp_path, SLOT)
    ghc(tmp_path, "module Plug where\nplug :: Int -> Int\nplug n = n * 1000\n")
    program = f"""
haskell = Runtime({kind!r})
slot, plug = haskell.load("Slot.o"), haskell.load("Plug.o")
slot.store(plug.plug)
print(slot.call(2))
slot.clear()
plug.unload()
print(len(haskell.kept), slot.call(3))
slot.unload()
print(haskell.kept)
"""
    assert python(BEGIN + program, tmp_path).stdout == "2000\n1 3000\n()\n"
