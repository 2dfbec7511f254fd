"""GHC's runtime and base, linked by rtlinker and by GHC's own linker: to the first greeting, and to a name of base."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from rtlinker.haskell.packages import find_packages

from .haskell_once import FIRST, SYMBOL
from .machine import ROOT
from .measure import Contender, Group, Missing, compete

DRIVER = Path(__file__).with_name("ghc_haskell.c")
GREETING = "Hello Haskell\n"
SOURCE = 'module Test where\nmaFonction :: String -> IO ()\nmaFonction s = putStrLn $ "Hello " <> s\n'
REMARKS = [
    "GHC's program has a runtime of its own already; rtlinker links and starts one in Python, which has none",
    "numpy: imported before the clock starts, as in a process that uses it anyway",
]


def run(directory: Path, quick: bool) -> Iterator[Group]:
    """Two groups: the greeting, and the archives."""
    if shutil.which("ghc") is None:
        yield compete("haskell", "Haskell", [Missing("rtlinker", "no GHC here: apt-get install ghc")], 0)
        return
    (directory / "Test.hs").write_text(SOURCE)
    static, shared = directory / "Test.o", directory / "TestShared.o"
    for path, flags in ((static, ()), (shared, ("-dynamic", "-ohi", "TestShared.hi"))):
        subprocess.run(["ghc", "-v0", *flags, "-c", "Test.hs", "-o", path], check=True, cwd=directory)
    units = [find_packages().unit(unit) for unit in FIRST]
    objects, archives = [unit.object or "" for unit in units], [unit.archive or "" for unit in units]
    peer = _peer(directory)
    yield compete(
        "haskell",
        "static code, from no runtime to `Hello Haskell`",
        [
            Contender("rtlinker, static runtime", _python("greet", "static", static, "warm"), "a process each"),
            _ghc("GHC, loadObj + resolveObjs + call", peer, ["greet", *objects, str(static)], GREETING),
            Contender("rtlinker, numpy's import included", _python("greet", "static", static)),
            Contender("rtlinker, shared runtime, code by -dynamic", _python("greet", "shared", shared)),
        ],
        3 if quick else 11,
        REMARKS,
    )
    yield compete(
        "haskell",
        "archives of base: read, and one name with all it needs",
        [
            Contender("rtlinker, load_archive + lookup", _python("find", "static", static, "warm"), "and its runtime"),
            _ghc("GHC, loadArchive + lookupSymbol", peer, ["find", SYMBOL, *archives], ""),
        ],
        1 if quick else 5,
    )


def _python(work: str, kind: str, path: Path, *more: str) -> Callable[[], float]:
    command = [sys.executable, "-m", "tests.bench.haskell_once", work, kind, str(path), *more]
    return lambda: _told(command, GREETING if work == "greet" else "")


def _peer(directory: Path) -> Path | str:
    """GHC's linker in a C program, or why there is none."""
    program, source = directory / "ghc_haskell", directory / DRIVER.name
    shutil.copy(DRIVER, source)
    command = ["ghc", "-v0", "-no-hs-main", "-O2", "-optc-O2", str(source), "-o", str(program), "-package", "base"]
    built = subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory)
    return f"the driver does not build: {built.stderr.strip()[:120]}" if built.returncode else program


def _ghc(name: str, peer: Path | str, arguments: list[str], expected: str) -> Contender | Missing:
    if isinstance(peer, str):
        return Missing(name, peer)
    return Contender(name, lambda: _told([str(peer), *arguments], expected), "a process each")


def _told(command: list[str], expected: str) -> float:
    """The milliseconds that a process tells; it must have printed what is expected."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT)
    if result.stdout != expected:
        raise RuntimeError(f"{command[0]} printed {result.stdout!r}")
    return float(result.stderr.split()[-1])
