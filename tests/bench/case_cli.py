"""A whole process that loads one object and prints a sum. The goal is twice an interpreter with ctypes imported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from . import inputs
from .machine import ROOT
from .measure import Contender, Group, Missing, compete

SOURCE = "int add(int a, int b) { return a + b; }\n"
GOAL = "goal: at most twice `python -c 'import ctypes, mmap, struct'`, that is a ratio of at least 0.5 in its row"
API = "import rtlinker; print(rtlinker.load('add.o').function('add', 'int(int,int)')(2, 3))"
SHARED = "import ctypes; print(ctypes.CDLL('./add.so').add(2, 3))"


def run(directory: Path, quick: bool) -> Iterator[Group]:
    """One group, every contender a process of its own in the same directory and with the same interpreter."""
    inputs.compile_c(directory, "add", SOURCE)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def process(*command: str) -> Contender:
        def work() -> None:
            result = subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True, text=True)
            if result.stdout and result.stdout.split() != ["5"]:
                raise RuntimeError(f"printed {result.stdout!r} instead of 5")

        return Contender("", work)

    def named(name: str, contender: Contender) -> Contender:
        contender.name = name
        return contender

    python, load = sys.executable, ["load", "add.o", "add", "2", "3", "--sig", "int(int,int)"]
    script = shutil.which("rtlinker", path=str(Path(python).parent))
    contenders: list[Contender | Missing] = [
        named("python -m rtlinker load add.o add 2 3 --sig ...", process(python, "-m", "rtlinker", *load)),
        named("rtlinker load add.o add 2 3 --sig ...", process(script, *load))
        if script
        else Missing("rtlinker load add.o add 2 3 --sig ...", "the console script is not installed beside this Python"),
        named("python -c 'import rtlinker; ...'", process(python, "-c", API)),
        named("python -c 'import ctypes, mmap, struct'", process(python, "-c", "import ctypes, mmap, struct")),
        named("python -c pass", process(python, "-c", "pass")),
        named(
            "gcc -shared; python -c 'ctypes.CDLL(...).add'",
            process("/bin/sh", "-c", f'gcc -shared add.o -o add.so && exec {python} -c "{SHARED}"'),
        ),
    ]
    yield compete("cli", "whole process: add 2 and 3", contenders, 7 if quick else 31, [GOAL])
