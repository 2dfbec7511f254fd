"""Compilers and binutils for tests: inline source in, a file out. A missing tool skips the test and says which."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

SUFFIXES = {"c": ".c", "c++": ".cc", "asm": ".s"}
COMPILERS = {"c": "gcc", "c++": "g++", "asm": "gcc"}
USUAL = ("-O1", "-g")
"""Optimised as people build, with the debug information that types a call; a test's own flags come after."""


def tool(name: str) -> str:
    """The path of a program; skips the test when it is not installed."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run(*command: str | os.PathLike[str], cwd: Path | None = None) -> str:
    """The standard output of a tool that must succeed; its complaint fails the test."""
    program, *arguments = map(str, command)
    ran = subprocess.run([tool(program), *arguments], capture_output=True, text=True, cwd=cwd, check=False)
    if ran.returncode:
        pytest.fail(f"{' '.join(map(str, command))} exited with {ran.returncode}:\n{ran.stderr}")
    return ran.stdout


class Workshop:
    """Makes files in one directory. Names are given or counted: `1.o`, `2.o` ..."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.made = 0

    def compile(
        self,
        source: str,
        language: str = "c",
        flags: Sequence[str] | str = (),
        compiler: str | None = None,
        name: str | None = None,
    ) -> Path:
        """The object made of a source text in `c`, `c++` or `asm` (GNU as, preprocessed by nothing)."""
        path = self._path(name, ".o")
        text = path.with_suffix(SUFFIXES[language])
        text.write_text(source if source.endswith("\n") else source + "\n")
        flags = flags.split() if isinstance(flags, str) else flags
        usual = USUAL if language != "asm" else ()
        run(compiler or COMPILERS[language], *usual, *flags, "-c", text, "-o", path)
        return path

    def archive(self, name: str, *objects: str | os.PathLike[str], mode: str = "rcs") -> Path:
        """An archive of objects, made by `ar MODE`; `rcsT` makes a thin one, `rcS` one without an index."""
        path = self.directory / name
        run("ar", mode, path, *objects)
        return path

    def shared(self, source: str, name: str, flags: Sequence[str] = (), language: str = "c") -> Path:
        """A shared library made of a source text."""
        path = self.directory / name
        text = path.with_suffix(SUFFIXES[language])
        text.write_text(source)
        run(COMPILERS[language], *USUAL, "-shared", "-fPIC", *flags, text, "-o", path)
        return path

    def _path(self, name: str | None, suffix: str) -> Path:
        self.made += 1
        path = self.directory / (name or f"{self.made}{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
