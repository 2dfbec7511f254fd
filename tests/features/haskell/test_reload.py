"""Edit, compile, reload: the next call runs the new code, and what depends on it fits or is refused."""

from __future__ import annotations

import pytest

from tests.support.haskell import GREETING, ghc, python
from tests.support.haskell_runtime import BOOT
from tests.support.haskell_runtime import python as run_python

BEGIN = """
import os, subprocess, sys, textwrap
from pathlib import Path
from rtlinker import LinkError, ReloadError
from rtlinker.haskell.runtime import Runtime

def compile(name, source, *flags):
    Path(name + ".hs").write_text(textwrap.dedent(source))
    for old in (name + ".o", name + ".hi"):
        if os.path.exists(old): os.remove(old)
    subprocess.run(["ghc", "-v0", "-i.", *flags, "-c", name + ".hs"], check=True)

def versions(name, source, *flags):
    # a function that puts one of two versions in place, which differ in NUMBER: 1 or 2
    kept = []
    for number in (1, 2):
        compile(name, source.replace("NUMBER", str(number)), *flags)
        kept.append([Path(name + ending).read_bytes() for ending in (".o", ".hi")])
    def put(version):
        for ending, content in zip((".o", ".hi"), kept[version]):
            Path(name + ending).write_bytes(content)
    return put

runtime = Runtime()
"""


def ended(tmp_path, *program, seconds=120):
    """What a program prints that begins as above."""
    return python("".join([BEGIN, *program]), tmp_path, seconds).stdout


@pytest.mark.parametrize("way", ["-dynamic", "-static"])
def test_the_next_call_runs_the_new_code(tmp_path, way):
    ghc(tmp_path, GREETING, way)
    told = ended(
        tmp_path,
        f"""
module = runtime.load("Test.o")
kept = module.maFonction
kept("Haskell")
compile("Test", '''{GREETING}'''.replace("Hello", "Hallo"), "{way}")
module.reload()
module.maFonction("Haskell")
kept("Haskell")
print(runtime.kept)
""",
    )
    assert told == "Hello Haskell\nHallo Haskell\nHallo Haskell\n()\n"


def test_results_of_the_old_version_stay_valid(tmp_path):
    told = ended(
        tmp_path,
        """
source = "module Lazy where\\nnumbers :: Int -> Either (Int -> Int) Int\\nnumbers n = Left (\\\\m -> m * FACTOR + n)\\n"
compile("Lazy", source.replace("FACTOR", "10"), "-dynamic")
module = runtime.load("Lazy.o")
old = module.numbers(1).value
compile("Lazy", source.replace("FACTOR", "20"), "-dynamic")
module.reload()
new = module.numbers(1).value
print(old(2), new(2), len(runtime.kept))
del old
print(runtime.kept)
""",
    )
    assert told == "21 41 1\n()\n"


def test_a_changed_type_is_refused_with_both_types_and_the_old_code_stays(tmp_path):
    told = ended(
        tmp_path,
        """
compile("Typed", "module Typed where\\nf :: Int -> Int\\nf n = n + 1\\n", "-dynamic")
module = runtime.load("Typed.o")
compile("Typed", "module Typed where\\nf :: Double -> Int\\nf n = round n\\n", "-dynamic")
try:
    module.reload()
except ReloadError as error:
    print(error)
print(module.f(1))
""",
    )
    assert "Int -> Int" in told
    assert "Double -> Int" in told
    assert told.endswith("\n2\n")


def test_a_changed_data_type_is_refused(tmp_path):
    told = ended(
        tmp_path,
        """
source = "module Shape where\\ndata Shape = Dot | Line Int\\nmake :: Int -> Shape\\nmake = Line\\n"
compile("Shape", source, "-dynamic")
module = runtime.load("Shape.o")
compile("Shape", source.replace("Dot |", "Dot | Box |"), "-dynamic")
try:
    module.reload()
except ReloadError as error:
    print(error.stage)
""",
    )
    assert told == "types\n"


IMPORTS = """
first = "module First where\\none :: Int -> Int\\none n = n + STEP\\n{-# NOINLINE one #-}\\n"
second = "module Second where\\nimport First\\ntwo :: Int -> Int\\ntwo = one . one\\n"
compile("First", first.replace("STEP", "1"), "-dynamic")
compile("Second", second, "-dynamic")
"""


@pytest.mark.parametrize("loading", ["runtime.load('Second.o')", "apart"], ids=["together", "apart"])
def test_an_importer_that_still_fits_calls_the_new_code(tmp_path, loading):
    told = ended(
        tmp_path,
        IMPORTS,
        f"""
if {loading != "apart"}:
    module = used = runtime.load("Second.o")
else:
    used = runtime.load("First.o")
    module = runtime.load("Second.o")
print(module.two(1))
compile("First", first.replace("STEP", "10"), "-dynamic")
used.reload()
print(module.two(1), runtime.kept)
module.unload()
used.unload()
print(runtime.kept)
""",
    )
    assert told == "3\n21 ()\n()\n"


def test_an_importers_importer_calls_the_new_code_too(tmp_path):
    told = ended(
        tmp_path,
        IMPORTS,
        """
third = "module Third where\\nimport Second\\nthree :: Int -> Int\\nthree = two . two\\n"
compile("Third", third, "-dynamic")
used, _, module = [runtime.load(name) for name in ("First.o", "Second.o", "Third.o")]
print(module.three(1))
compile("First", first.replace("STEP", "10"), "-dynamic")
used.reload()
print(module.three(1), runtime.kept)
""",
    )
    assert told == "5\n41 ()\n"


def test_an_importer_that_inlined_what_changed_must_be_compiled_again(tmp_path):
    told = ended(
        tmp_path,
        """
first = "module First where\\none :: Int -> Int\\none n = n + STEP\\n"
compile("First", first.replace("STEP", "1"), "-O", "-dynamic")
compile("Second", "module Second where\\nimport First\\ntwo :: Int -> Int\\ntwo = one . one\\n", "-O", "-dynamic")
used, module = runtime.load("First.o"), runtime.load("Second.o")
compile("First", first.replace("STEP", "10"), "-O", "-dynamic")
try:
    used.reload()
except ReloadError as error:
    print(error.stage, "Second" in str(error), "First.one" in str(error))
print(module.two(1))
""",
    )
    assert told == "importers True True\n3\n"


def test_a_new_version_that_does_not_link_leaves_the_old_one(tmp_path):
    told = ended(
        tmp_path,
        """
source = "module Calls where\\nimport Foreign.C\\nforeign import ccall \\"NAME\\" c :: CInt -> CInt\\n"
source += "f :: Int -> Int\\nf n = fromIntegral (c (fromIntegral n))\\n"
compile("Calls", source.replace("NAME", "abs"), "-dynamic")
module = runtime.load("Calls.o")
compile("Calls", source.replace("NAME", "no_such_function_anywhere"), "-dynamic")
for _ in range(10):
    try:
        module.reload()
    except LinkError as error:
        print("no_such_function_anywhere" in str(error), module.f(-3))
compile("Calls", source.replace("NAME", "toupper"), "-dynamic")
module.reload()
print(module.f(97))
""",
    )
    assert told == "True 3\n" * 10 + "65\n"


def test_reloading_again_and_again_leaves_memory_flat(tmp_path):
    told = ended(
        tmp_path,
        """
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

source = "module Table where\\ntable :: [Int]\\ntable = [NUMBER ..]\\nat :: Int -> Int\\nat n = table !! n\\n"
put = versions("Table", source, "-dynamic")
module = runtime.load("Table.o")
print(module.at(1000))
sizes = []
for count in range(500):
    put(count % 2)
    module.reload()
    assert module.at(1000) == 1001 + count % 2, (count, module.at(1000))
    if count in {199, 499}:
        sizes.append(resident())
print(sizes[1] - sizes[0] < 600, runtime.kept)
""",
        seconds=300,
    )
    assert told == "1002\nTrue ()\n"


@pytest.mark.parametrize("way", ["-dynamic", "-static"])
def test_threads_call_while_a_module_is_reloaded(tmp_path, way):
    """They begin before the runtime has started, and the first reload comes while handles are made."""
    told = ended(
        tmp_path,
        f"""
import threading

source = "module Busy where\\nimport Control.Concurrent\\ntable :: [Int]\\ntable = [NUMBER ..]\\n"
source += "at :: Int -> Int\\nat n = table !! n\\nslow :: Int -> IO Int\\nslow n = threadDelay 100 >> return (at n)\\n"
put = versions("Busy", source, "{way}")
module = runtime.load("Busy.o")
done, wrong = threading.Event(), []

def call():
    try:
        at, slow = module.at, module.slow
        while not done.is_set():
            wrong.extend({{at(10), slow(10)}} - {{11, 12}})
    except BaseException as error:
        wrong.append(error)

threads = [threading.Thread(target=call) for _ in range(4)]
for thread in threads:
    thread.start()
for count in range(60):
    put(count % 2)
    module.reload()
done.set()
for thread in threads:
    thread.join()
print(wrong, runtime.kept)
""",
        seconds=300,
    )
    assert told == "[] ()\n"


@pytest.mark.parametrize("kind", ["static", "shared"])
def test_a_constructor_that_dies_leaves_the_old_version(tmp_path, compile, kind):
    """All or nothing: the new objects are linked by then."""
    good = compile("int which(void) { return 1; }", flags="-fPIC", name="good.o")
    bad = compile(
        'int which(void) { return 2; } __attribute__((constructor)) static void die(void) { __asm__ volatile("ud2"); }',
        flags="-fPIC",
        name="bad.o",
    )
    program = """
good, bad = paths
load(good)
before = lookup("which"), len(linker.images)
for _ in range(3):
    try:
        keeper.replace([good], [(open(bad, "rb").read(), "bad.o")])
    except LinkError as error:
        print(type(error).__name__, (lookup("which"), len(linker.images)) == before)
"""
    assert run_python(BOOT + program, kind, good, bad) == "CrashError True\n" * 3


def test_a_reload_of_files_that_are_the_same_changes_nothing(tmp_path):
    told = ended(
        tmp_path,
        IMPORTS,
        """
module = runtime.load("First.o")
images = [*module.linker.images]
os.utime("First.o")
module.reload()
print(module.linker.images == images, module.one(1))
""",
    )
    assert told == "True 2\n"


def test_a_file_that_holds_another_module_now_is_refused(tmp_path):
    told = ended(
        tmp_path,
        """
compile("Old", "module Old where\\nk :: Int -> Int\\nk = (* 3)\\n")
module = runtime.load("Old.o")
Path("New.hs").write_text("module New where\\nk :: [Integer] -> Int\\nk = fromIntegral . sum\\n")
subprocess.run(["ghc", "-v0", "-c", "New.hs", "-o", "Old.o", "-ohi", "Old.hi"], check=True)
try:
    module.reload()
except ReloadError as error:
    print(error.headline)
print(module.k(2))
""",
    )
    assert told == "file holds another haskell module now\n6\n"
