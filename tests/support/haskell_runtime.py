"""The runtime without `Runtime`, for tests: a script to begin with, modules, and fresh Python processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.compile import run

ROOT = Path(__file__).resolve().parents[2]

BOOT = """
import ctypes, os, sys
from rtlinker import LinkError
from rtlinker.haskell.host import open_host
from rtlinker.haskell.keeper import Keeper
from rtlinker.haskell.packages import find_packages
from rtlinker.haskell.rts import Rts

kind, *paths = sys.argv[1:]
rts = Rts(open_host(kind, find_packages()))
keeper = Keeper(rts)
linker, lookup = rts.host.linker, rts.host.linker.lookup

def load(*paths):
    for path in paths:
        linker.load_object(path)
    images = keeper.link()
    keeper.start()
    return images

def number(symbol, *arguments, io=False):
    with rts.held() as heap:
        closure = heap.apply(lookup(symbol), *[heap.make("Int", each) for each in arguments])
        return heap.take("Int", heap.run(closure) if io else heap.force(closure))

def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
"""
"""What scripts of tests begin with: a runtime of the kind that the first argument names, and short ways to use it."""


def compile_haskell(directory: Path, source: str, *flags: str) -> Path:
    """The object of a module, whose file is named after it, as in `module Test where`."""
    name = source.split("module ", 1)[1].split(maxsplit=1)[0].split("(", maxsplit=1)[0]
    path = directory / f"{name}.hs"
    path.write_text(source)
    run("ghc", "-v0", *flags, "-c", path, "-o", path.with_suffix(".o"), cwd=directory)
    return path.with_suffix(".o")


def python(script: str, *arguments: object, environment: dict[str, str] | None = None) -> str:
    """The standard output of a fresh Python process that must succeed."""
    known = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, env=known, cwd=ROOT, check=False)
    assert ran.returncode == 0, f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout
