"""Code by `ghc -prof` runs where the libraries for profiling are installed; where they are not, the error says so."""

from __future__ import annotations

import os

import pytest

from rtlinker.haskell.packages import find_packages
from tests.support.haskell import GREETING, ghc, python

PROFILED = ("-static", "-prof", "-fprof-auto")

COSTS = """
module Costs where
import qualified Data.Map as Map
table :: [Int]
table = {-# SCC "table" #-} map (+ STEP) [1 .. 100]
at :: Int -> Int
at n = {-# SCC "at" #-} (table !! n)
counts :: [Int] -> [(Int, Int)]
counts = Map.toList . Map.fromListWith (+) . map (\\n -> (n `mod` 3, at n))
bad :: Int -> Int
bad n = n `div` 0
later :: Int -> Either (Int -> Int) Int
later n = Left (\\m -> {-# SCC "inner" #-} at (n + m))
"""

BEGIN = """
import rtlinker
from rtlinker.haskell import Runtime
haskell = Runtime()
def first_line(call):
    try:
        return call()
    except rtlinker.LinkError as error:
        return str(error).splitlines()[0]
"""


def test_values_exceptions_and_reloads_are_as_in_the_other_runtimes(tmp_path):
    """What was linked after the runtime had started has its cost-centre stacks completed: they are compared here."""
    ghc(tmp_path, COSTS.replace("STEP", "0"), *PROFILED)
    again = ["ghc", "-v0", "-prof", "-fprof-auto", "-c", "Costs.hs"]
    told = python(
        BEGIN
        + f"""
import subprocess
from pathlib import Path
costs = haskell.load("Costs.o")
old = costs.later(1).value
print(costs.at(0), costs.counts([0, 1, 2, 3]), old(1), first_line(lambda: costs.bad(1)))
for step in range(1, 4):
    source = Path("Costs.hs").read_text()
    Path("Costs.hs").write_text(source.replace(f"+ {{step - 1}})", f"+ {{step}})"))
    subprocess.run({again!r}, check=True)
    costs.reload()
    print(costs.at(0), costs.counts([0, 1, 2, 3]), costs.later(1).value(1), old(1))
print(haskell.kept)
""",
        tmp_path,
    ).stdout.splitlines()
    assert told[0] == "1 [(0, 5), (1, 2), (2, 3)] 3 Haskell exception: divide by zero"
    assert told[1:4] == [f"{1 + n} [(0, {5 + 2 * n}), (1, {2 + n}), (2, {3 + n})] {3 + n} 3" for n in (1, 2, 3)]
    assert told[4] == str(("the profiler's cost-centre stacks may refer to it",) * 3)


@pytest.mark.parametrize("first", ["-prof", "-dynamic", "-static"])
def test_profiled_and_other_code_are_not_mixed(tmp_path, first):
    ghc(tmp_path, GREETING, *(PROFILED if first == "-prof" else (first,)))
    other = "module Other where\nother :: Int -> Int\nother = (+ 1)\n"
    ghc(tmp_path, other, *(("-static",) if first == "-prof" else PROFILED))
    program = """
import rtlinker
print(first_line(lambda: haskell.load("Test.o", "Other.o")))
test = haskell.load("Test.o")
print(first_line(lambda: haskell.load("Other.o")))
test.maFonction("Haskell")
"""
    assert python(BEGIN + program, tmp_path).stdout.splitlines() == [
        "objects with -prof and without",
        "haskell runtime of another kind is there already",
        "Hello Haskell",
    ]


def without_profiling(directory):
    """A package database whose packages have all of their libraries but those for profiling."""
    packages = find_packages()
    database = directory / "package.conf.d"
    database.mkdir()
    for package in packages.by_id.values():
        bare = directory / "libraries" / package.id
        bare.mkdir(parents=True)
        text = f"id: {package.id}\nname: {package.name}\nversion: {package.version}\nlibrary-dirs: {bare}\n"
        text += f"depends: {' '.join(package.depends)}\nhs-libraries: {' '.join(package.libraries)}\n"
        (database / f"{package.id}.conf").write_text(text)
        for folder in package.directories:
            for name in os.listdir(folder):
                if name.endswith((".a", ".o", ".so")) and not name.endswith("_p.a"):
                    (bare / name).exists() or (bare / name).symlink_to(os.path.join(folder, name))
    return database


def test_missing_libraries_are_named_with_the_package_to_install(rtlinker_command, tmp_path, monkeypatch):
    ghc(tmp_path, COSTS.replace("STEP", "0"), *PROFILED)
    monkeypatch.setenv("GHC_PACKAGE_PATH", str(without_profiling(tmp_path)))
    for _ in range(10):
        told = rtlinker_command("load", "Costs.o", "at", "1", cwd=tmp_path)
        assert (told.code, told.stdout) == (1, "")
        assert told.stderr.startswith("error: packages are not installed for profiling\n")
        assert "containers-0.6" in told.stderr
        assert "ghc-prof" in told.stderr


def test_stacks_that_come_after_the_start_are_as_the_runtime_makes_them(tmp_path):
    """Below the main stack, a root of their own, depth 1: prevStack, root and depth of CostCentreStack."""
    ghc(tmp_path, "module First where\nfirst :: Int\nfirst = 1\n", *PROFILED)
    ghc(tmp_path, COSTS.replace("STEP", "0"), *PROFILED, "-fprof-cafs")
    program = """
import ctypes
from rtlinker.haskell.names import encode
host = haskell.load("First.o").machine.rts.host
haskell.modules[0].first
haskell.load("Costs.o").table
package = next(each.unit for each in haskell.packages.by_id.values() if each.name == "containers")
of_package = f"{encode(package)}_DataziMapziInternal_CAFs_cc"
for name in ("Costs_table_CAF_cc", "Costs_counts_CAF_cc", of_package):
    words = (ctypes.c_uint64 * 6).from_address(host.linker.lookup(name + "_ccs"))
    costs, main = host.linker.lookup(name), host.address("CCS_MAIN")
    print(list(words)[1:] == [costs, main, words[3], costs, 1])
"""
    assert python(BEGIN + program, tmp_path).stdout == "True\n" * 3
