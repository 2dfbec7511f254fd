"""GHC for tests: inline modules in, objects out, and Python programs of their own that load them.

GHC's runtime has threads and stays until its process ends, so each test runs it in a fresh process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from tests.support.child import CHECKOUT, Finished
from tests.support.compile import run

if TYPE_CHECKING:
    from pathlib import Path

GREETING = """
module Test where
maFonction :: String -> IO ()
maFonction s = putStrLn $ "Hello " <> s
"""


def ghc(directory: Path, source: str = GREETING, *flags: str, object: str | None = None) -> Path:
    """The object of a Haskell module, in the place that its name asks for; `-dynamic` unless `-static` is given."""
    text = textwrap.dedent(source)
    module = next(line.split()[1] for line in text.splitlines() if line.startswith("module "))
    path = directory / (module.replace(".", "/") + ".hs")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    way = () if "-static" in flags else ("-dynamic",)
    output = path.with_suffix(".o") if object is None else directory / object
    run("ghc", "-v0", f"-i{directory}", *way, *flags, "-c", path, "-o", output, cwd=directory)
    return output


def python(source: str, directory: Path, seconds: int = 120) -> Finished:
    """A Python program run in a directory, which must succeed; what it wrote."""
    __tracebackhide__ = True
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "PYTHONFAULTHANDLER": "1", "PYTHONUNBUFFERED": ""}
    command = [sys.executable, "-c", textwrap.dedent(source)]
    ran = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
    if ran.returncode:
        pytest.fail(f"the program exited with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}")
    return Finished(ran.returncode, ran.stdout, ran.stderr)
