"""Modules are unloaded when nothing of Haskell's reaches them, and reloading leaves memory flat."""

from __future__ import annotations

import pytest

from tests.support.haskell_runtime import BOOT, compile_haskell, python

MODULE = """{-# LANGUAGE ForeignFunctionInterface #-}
module Caf where
import Control.Concurrent
import Data.IORef
import System.IO.Unsafe
import Text.Read (readMaybe)

table :: [Int]
table = map (* 2) [1 .. 2000]
{-# NOINLINE table #-}

counter :: IORef Int
counter = unsafePerformIO (newIORef 0)
{-# NOINLINE counter #-}

bump :: IO Int
bump = modifyIORef' counter (+ 1) >> readIORef counter

total, parsed :: Int -> Int
total n = sum (take n table)
parsed n = maybe (-1) id (readMaybe (show n))

later :: Int -> [Int]
later n = map (+ n) table

wait :: MVar () -> IO ThreadId
wait door = forkIO (takeMVar door >> bump >> return ())

exported :: Int -> IO Int
exported n = return (n + total 3)
foreign export ccall exported :: Int -> IO Int
"""

USE = """
def use():
    results = [number("Caf_total_closure", 1000), number("Caf_bump_closure", io=True)]
    rts.collect()
    results += [number("Caf_bump_closure", io=True), number("Caf_parsed_closure", 42)]
    return [*results, ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long)(lookup("exported"))(5)]
(path,) = paths
"""

GOOD = "[1001000, 1, 2, 42, 17]"
KINDS = pytest.mark.parametrize("kind", ["static", "shared"])


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """An object that the static and the shared runtime can run."""
    return compile_haskell(tmp_path_factory.mktemp("haskell"), MODULE, "-O", "-dynamic")


@KINDS
def test_constants_keep_their_values_between_calls(module, kind):
    script = USE + "load(path)\nprint(use())\nrts.collect()\nprint(number('Caf_bump_closure', io=True))"
    assert python(BOOT + script, kind, module) == f"{GOOD}\n3\n"


@KINDS
def test_a_module_goes_at_once_when_nothing_reaches_it(module, kind):
    script = """
(image,) = load(path)
from rtlinker.host.mappings import read_mappings
def there():  # within a mapping: neighbours of one protection are shown as one
    address = image.image.address
    return any(row.start <= address < row.end and row.permissions[2] == "x" for row in read_mappings())
print(use(), there())
keeper.unload(path)
print(lookup("Caf_total_closure"), lookup("exported"), keeper.kept, there())
"""
    assert python(BOOT + USE + script, kind, module) == f"{GOOD} True\nNone None () False\n"


@KINDS
def test_an_unevaluated_result_keeps_the_code_that_it_needs(module, kind):
    script = """
load(path)
with rts.held() as heap:
    kept = heap.stable(heap.apply(lookup("Caf_later_closure"), heap.make("Int", 7)))
keeper.unload(path)
print(lookup("Caf_later_closure"), keeper.kept)
with rts.held() as heap:
    first = heap.apply(rts.closure("base_GHCziList_head_closure"), heap.closure_of(kept))
    print(heap.take("Int", heap.force(first)))
rts.free(kept)
keeper.collect()
print(keeper.kept)
"""
    expected = 'None ("haskell\'s heap may reach it",)\n9\n()\n'
    assert python(BOOT + USE + script, kind, module) == expected


@KINDS
def test_a_waiting_thread_keeps_the_code_that_it_will_run(module, kind):
    script = """
load(path)
with rts.held() as heap:
    door = heap.stable(heap.run(rts.closure("base_GHCziMVar_newEmptyMVar_closure")))
    heap.run(heap.apply(lookup("Caf_wait_closure"), heap.closure_of(door)))
keeper.unload(path)
print(keeper.kept)
with rts.held() as heap:
    unit = rts.closure("ghczmprim_GHCziTuple_Z0T_closure")
    heap.run(heap.apply(rts.closure("base_GHCziMVar_putMVar_closure"), heap.closure_of(door), unit))
    heap.run(rts.closure("base_GHCziConcziSync_yield_closure"))
rts.free(door)
keeper.collect()
print(keeper.kept)
"""
    assert python(BOOT + USE + script, kind, module) == '("haskell\'s heap may reach it",)\n()\n'


@KINDS
def test_who_holds_the_heap_may_unload_and_the_next_look_frees(module, kind):
    script = """
load(path)
print(use())
with rts.held():
    keeper.unload(path)
    print(lookup("Caf_total_closure"), len(keeper.kept))
keeper.collect()
print(keeper.kept)
"""
    assert python(BOOT + USE + script, kind, module) == f"{GOOD}\nNone 1\n()\n"


@KINDS
def test_a_module_stays_while_another_one_uses_it(tmp_path, kind):
    source = "module First where\none :: Int -> Int\none n = n + 1\n{-# NOINLINE one #-}\n"
    first = compile_haskell(tmp_path, source, "-dynamic")
    source = "module Second where\nimport First\ntwo :: Int -> Int\ntwo = one . one\n"
    second = compile_haskell(tmp_path, source, "-dynamic")
    script = """
first, second = paths
load(first)
load(second)
keeper.unload(first)
print(lookup("First_one_closure"), number("Second_two_closure", 40))
keeper.unload(second)
print(keeper.kept, [image.image.resolution.objects[0].name for image in linker.images if image.holds])
"""
    assert python(BOOT + script, kind, first, second) == "None 42\n() []\n"


@KINDS
def test_a_module_that_never_ran_is_unloaded_without_a_runtime(tmp_path, kind):
    path = compile_haskell(tmp_path, "module Idle where\nidle :: Int\nidle = 1\n", "-dynamic")
    script = "load(*paths)\nkeeper.unload(*paths)\nprint(keeper.kept, rts.started)"
    assert python(BOOT + script, kind, path) == "() False\n"


COMPACT = """module Big where
import Data.Array.IO
import GHC.Compact

data Shape = Dot | Line Int Shape

make :: Int -> IO (Compact Shape)
make n = compact (foldr Line Dot [1 .. n])

size :: Compact Shape -> Int
size box = go (getCompact box) where
  go Dot = 0
  go (Line _ rest) = 1 + go rest

boxed :: Int -> IO (IOArray Int Shape)
boxed n = newArray (0, n) (Line n Dot)
"""


@KINDS
@pytest.mark.parametrize("count", [3, 5000, 500000])
@pytest.mark.parametrize("maker", ["make", "boxed"])
def test_data_in_large_and_compact_objects_keep_their_constructors(tmp_path, kind, count, maker):
    path = compile_haskell(tmp_path, COMPACT, "-O", "-dynamic", "-package", "ghc-compact")
    script = """
packages = find_packages()
rts.host.need([each for name, each in packages.by_id.items() if name.startswith(("ghc-compact-", "array-"))])
load(*paths)
with rts.held() as heap:
    made = heap.run(heap.apply(lookup("Big_MAKER_closure"), heap.make("Int", COUNT)))
    kept = heap.stable(made)
rts.collect()
keeper.unload(*paths)
print(len(keeper.kept))
rts.free(kept)
keeper.collect()
print(keeper.kept)
""".replace("COUNT", str(count)).replace("MAKER", maker)
    assert python(BOOT + script, kind, path) == "1\n()\n"


@KINDS
def test_nothing_is_freed_while_haskell_runs_on_several_capabilities(module, kind):
    script = """
load(path)
print(use())
ctypes.CFUNCTYPE(None, ctypes.c_uint32)(rts.host.address("setNumCapabilities"))(2)
keeper.unload(path)
print(keeper.kept)
"""
    expected = f"{GOOD}\n('haskell runs on several capabilities: its heap cannot be looked at',)\n"
    assert python(BOOT + USE + script, kind, module) == expected


@KINDS
def test_a_thousand_reloads_leave_memory_flat(module, kind):
    script = """
sizes = []
for number_of_reload in range(1000):
    load(path)
    if (results := str(use())) != good:
        print(results)
    keeper.unload(path)
    if number_of_reload in {299, 999}:
        sizes.append(resident())
print(sizes[1] - sizes[0] < 400, keeper.kept)
""".replace("good", repr(GOOD))
    assert python(BOOT + USE + script, kind, module) == "True ()\n"
