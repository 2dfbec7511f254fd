"""GHC's packages and a module, linked by rtlinker and by GHC's own linker: alone, to a greeting, and again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from rtlinker.haskell.packages import find_packages

from .haskell_once import FIRST, ROUNDS, SYMBOL
from .hsbase_once import phony_names
from .machine import ROOT
from .measure import Contender, Group, Missing, compete

DRIVER = Path(__file__).with_name("ghc_haskell.c")
GREETING = "Hello Haskell\n"
SOURCE = 'module Test where\nmaFonction :: String -> IO ()\nmaFonction s = putStrLn $ "Hello " <> s\n'
MAIN = 'module Main where\nimport Test\nmain :: IO ()\nmain = maFonction "Haskell"\n'
REMARKS = {
    "packages": [
        "neither runs anything; rtlinker's modules are imported before the clock starts, as GHC's code is loaded"
    ],
    "greet": [
        "GHC's linker works in a program that ld gave a runtime and a base of its own before: its time is without them",
        "rtlinker's is with the runtime's 100 members, and with importing rtlinker's modules",
        "whole process: also the start of Python or of the program; `ghc` links the same runtime by ld, and runs it",
    ],
    "reload": ["one cycle of unloading, a major collection, loading, resolving, finding the function"],
}


def run(directory: Path, quick: bool) -> Iterator[Group]:
    """Four groups: packages like for like, the greeting, the archives, reloading."""
    if shutil.which("ghc") is None:
        yield compete("haskell", "Haskell", [Missing("rtlinker", "no GHC here: apt-get install ghc")], 0)
        return
    for name, text in (("Test", SOURCE), ("Main", MAIN)):
        (directory / f"{name}.hs").write_text(text)
    static, shared, whole = directory / "Test.o", directory / "TestShared.o", directory / "Main.o"
    for flags, source, path in (
        ([], "Test", static),
        (["-dynamic", "-ohi", "TestShared.hi"], "Test", shared),
        ([], "Main", whole),
    ):
        subprocess.run(["ghc", "-v0", *flags, "-c", f"{source}.hs", "-o", path], check=True, cwd=directory)
    units = [find_packages().unit(unit) for unit in FIRST]
    objects, archives = [unit.object or "" for unit in units], [unit.archive or "" for unit in units]
    peer, phony = _peer(directory), phony_names([*map(Path, objects), static])
    yield compete(
        "haskell",
        "the package objects and Test.o, loaded and resolved into a runtime that is there",
        [
            Contender("rtlinker, load_object + resolve", _python("packages", "static", static, *phony), "fresh"),
            _ghc("GHC, loadObj + resolveObjs", peer, ["link", *objects, str(static)], ""),
        ],
        3 if quick else 15,
        REMARKS["packages"],
    )
    yield compete("haskell", "static code, from no runtime to `Hello Haskell`", [
            Contender("rtlinker, runtime linked, too", _python("greet", "static", static), "a process each"),
            _ghc("GHC, loadObj + resolveObjs + call", peer, ["greet", *objects, str(static)], GREETING),
            Contender("rtlinker, whole process", _whole(_command("greet", "static", static))),
            _ghc_whole("GHC, whole process", peer, ["greet", *objects, str(static)]),
            Contender("ghc Main.o Test.o -o program; ./program", _whole(["/bin/sh", "-c", BUILD], directory)),
            Contender("rtlinker, shared runtime, code by -dynamic", _python("greet", "shared", shared)),
        ],
        3 if quick else 11,
        REMARKS["greet"],
    )  # fmt: skip
    yield compete(
        "haskell",
        "archives of base: read, and one name with all it needs",
        [
            Contender("rtlinker, load_archive + lookup", _python("find", "static", static), "and its runtime"),
            _ghc("GHC, loadArchive + lookupSymbol", peer, ["find", SYMBOL, *archives], ""),
        ],
        1 if quick else 5,
    )
    yield compete(
        "haskell",
        "Test.o again and again, into a runtime that runs",
        [
            Contender("rtlinker, the linker's calls", _python("reload", "static", static), f"{ROUNDS} cycles"),
            _ghc("GHC, the linker's calls", peer, ["reload", str(static), *objects], "", str(ROUNDS)),
        ],
        3 if quick else 7,
        REMARKS["reload"],
    )


BUILD = "ghc -v0 Main.o Test.o -o program && exec ./program"


def _command(work: str, kind: str, path: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "tests.bench.haskell_once", work, kind, str(path), *more]


def _python(work: str, kind: str, path: Path, *more: str) -> Callable[[], float]:
    expected = GREETING if work == "greet" else ""
    return lambda: _told(_command(work, kind, path, *more), expected)


def _whole(command: list[str], directory: Path = ROOT) -> Callable[[], None]:
    """A run that the caller's clock counts."""

    def work() -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=directory)
        if result.stdout != GREETING:
            raise RuntimeError(f"{command[0]} printed {result.stdout!r}")

    return work


def _peer(directory: Path) -> Path | str:
    """GHC's linker in a C program, or why there is none."""
    program, source = directory / "ghc_haskell", directory / DRIVER.name
    shutil.copy(DRIVER, source)
    command = ["ghc", "-v0", "-no-hs-main", "-O2", "-optc-O2", str(source), "-o", str(program), "-package", "base"]
    built = subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory)
    return f"the driver does not build: {built.stderr.strip()[:120]}" if built.returncode else program


def _ghc(name: str, peer: Path | str, arguments: list[str], expected: str, rounds: str = "") -> Contender | Missing:
    if isinstance(peer, str):
        return Missing(name, peer)
    command = [str(peer), *arguments[:1], *([rounds] if rounds else []), *arguments[1:]]
    return Contender(name, lambda: _told(command, expected), "" if rounds else "a process each")


def _ghc_whole(name: str, peer: Path | str, arguments: list[str]) -> Contender | Missing:
    return Missing(name, peer) if isinstance(peer, str) else Contender(name, _whole([str(peer), *arguments]))


def _told(command: list[str], expected: str) -> float:
    """The milliseconds that a process tells; it must have printed what is expected."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=ROOT)
    if result.stdout != expected:
        raise RuntimeError(f"{command[0]} printed {result.stdout!r}")
    return float(result.stderr.split()[-1])
