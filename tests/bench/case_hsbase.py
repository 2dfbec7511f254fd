"""GHC's base package as one object of 226,000 relocations, against GHC's own runtime linker.

Both have loaded and resolved the two companion packages before the clock starts; both load and resolve HSbase then.
GHC resolves the runtime's names against its own runtime, rtlinker against phony definitions; nothing is run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from . import hsbase_once
from .machine import ROOT
from .measure import Contender, Group, Missing, compete

GOAL = "goal: no more than GHC's loadObj + resolveObjs, that is a ratio of at least 1 in its row"
PACKAGES = ("HSghc-prim-*.o", "HSghc-bignum-*.o", "HSbase-*.o")
DRIVER = Path(__file__).with_name("ghc_linker.c")


def run(directory: Path, quick: bool) -> Iterator[Group]:
    """One group: GHC's linker and rtlinker in fresh processes, and rtlinker again and again in one process."""
    title = "HSbase: load and resolve, companions resolved before"
    paths = _objects()
    if paths is None:
        why = "GHC's package objects are not here: apt-get install ghc"
        yield compete("hsbase", title, [Missing("rtlinker", why)], 0)
        return
    *companions, target = paths
    phony = hsbase_once.phony_names(paths)

    def here(part: Callable[[float, float], float], engine: str = "auto") -> Callable[[], float]:
        def work() -> float:
            with hsbase_once.prepared(companions, phony, engine) as linker:
                return part(*hsbase_once.timed(linker, target))

        return work

    def fresh(engine: str) -> Callable[[], float]:
        command = [sys.executable, "-m", "tests.bench.hsbase_once", engine, *map(str, paths)]
        return lambda: sum(_printed(command, " ".join(phony)))

    contenders: list[Contender | Missing] = [
        Contender("rtlinker, load_object + resolve", here(lambda load, resolve: load + resolve), "one process"),
        Contender("  of that: load_object", here(lambda load, _: load), "as above"),
        *_ghc(directory, paths),
        Contender("rtlinker, fresh process", fresh("auto"), "a process each"),
        Contender("rtlinker, fresh process, scalar engine", fresh("scalar"), "a process each"),
    ]
    remarks = [GOAL, f"{target.name}: {target.stat().st_size:,} bytes; {len(phony)} phony definitions"]
    yield compete("hsbase", title, contenders, 3 if quick else 15, remarks)


def _objects() -> list[Path] | None:
    """The package objects, in the order of their dependence."""
    if shutil.which("ghc") is None:
        return None
    printed = subprocess.run(["ghc", "--print-libdir"], capture_output=True, text=True, check=True).stdout
    found = [sorted(Path(printed.strip()).glob(f"*/{pattern}")) for pattern in PACKAGES]
    return [paths[0] for paths in found] if all(found) else None


def _ghc(directory: Path, paths: list[Path]) -> Iterator[Contender | Missing]:
    """GHC's own linker, in a C program that is built here."""
    program, source = directory / "ghc_linker", directory / DRIVER.name
    shutil.copy(DRIVER, source)
    command = ["ghc", "-v0", "-no-hs-main", "-O2", "-optc-O2", str(source), "-o", str(program), "-package", "base"]
    built = subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory)
    if built.returncode:
        yield Missing("GHC, loadObj + resolveObjs", f"the driver does not build: {built.stderr.strip()[:120]}")
        return
    arguments = [str(program), *map(str, paths)]
    yield Contender("GHC, loadObj + resolveObjs", lambda: sum(_printed(arguments)), "a process each")
    yield Contender("  of that: loadObj", lambda: _printed(arguments)[0], "as above")


def _printed(command: list[str], said: str = "") -> list[float]:
    """The numbers that a process prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, input=said, capture_output=True, text=True, check=True, env=environment, cwd=ROOT)
    return [float(word) for word in result.stdout.split()]
