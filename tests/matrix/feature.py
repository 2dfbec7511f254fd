"""What a feature is, and its build: a few small sources, whose `int check(void)` returns 1 when the feature works."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMPILERS = {"c": ("gcc", ".c"), "c++": ("g++", ".cc"), "asm": ("gcc", ".s")}


CHATTER = "PLEASE submit a bug report"
"""How LLVM's reports of its own crashes begin; they go on with addresses."""


class BuildError(Exception):
    """A tool that did not make what it should; the text is what it said."""


@dataclass(frozen=True)
class Part:
    """One source, and how it becomes an object."""

    language: str
    source: str | Callable[[], str]
    flags: str


@dataclass(frozen=True)
class Feature:
    """One row of the matrix. `form` is what the objects become: themselves, or one of FORMS."""

    name: str
    parts: tuple[Part, ...]
    libraries: tuple[str, ...] = ()
    form: str = ""
    unloads: bool = False
    """Whether `void watch(int descriptor)` is there too: after an unload, "gone" must have been written to it."""
    refused: str = ""
    """Why rtlinker refuses this, where it is a decision and not a fault."""


@dataclass(frozen=True)
class Built:
    """What loaders are given: paths, and names as `-l` takes them."""

    objects: tuple[str, ...]
    archives: tuple[str, ...]
    libraries: tuple[str, ...]
    unloads: bool


def c(source: str | Callable[[], str], flags: str = "-fPIC") -> Part:
    """A part in C, optimised a little."""
    return Part("c", source, f"-O1 {flags}")


def cxx(source: str, flags: str = "-fPIC") -> Part:
    """A part in C++."""
    return Part("c++", source, f"-O1 {flags}")


def asm(source: str | Callable[[], str], flags: str = "") -> Part:
    """A part for GNU as; its end says that it needs no executable stack."""
    return Part("asm", source, flags)


def feature(
    name: str, *parts: Part, libraries: tuple[str, ...] = (), form: str = "", unloads: bool = False, refused: str = ""
) -> Feature:
    """A row, written without the parentheses of a tuple."""
    return Feature(name, parts, libraries, form, unloads, refused)


def build(row: Feature, directory: Path) -> Built:
    """Compile the parts in `directory` and give them the row's form."""
    objects = tuple(_compiled(part, directory / f"part{number}") for number, part in enumerate(row.parts))
    if row.form in ("archive", "thin archive"):
        path = str(directory / "members.a")
        run("ar", "rcsT" if row.form == "thin archive" else "rcs", path, *objects[1:])
        return Built(objects[:1], (path,), row.libraries, row.unloads)
    if row.form == "relocatable":
        path = str(directory / "joined.o")
        run("ld", "-r", *objects, "-o", path)
        objects = (path,)
    return Built(objects, (), row.libraries, row.unloads)


def _compiled(part: Part, stem: Path) -> str:
    compiler, suffix = COMPILERS[part.language]
    source = part.source if isinstance(part.source, str) else part.source()
    if part.language == "asm":
        source += '\n.section .note.GNU-stack,"",@progbits\n'
    stem.with_suffix(suffix).write_text(source)
    run(compiler, *part.flags.split(), "-c", str(stem.with_suffix(suffix)), "-o", str(stem.with_suffix(".o")))
    return str(stem.with_suffix(".o"))


def run(*command: str) -> None:
    """A tool that must succeed."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise BuildError(first_line(ran.stderr) or f"{command[0]} exited with {ran.returncode}")


def first_line(text: str) -> str:
    """The line of a tool's complaint that says most: what is wrong, rather than where, or that something is."""
    lines = [line.strip() for line in text.partition(CHATTER)[0].splitlines() if line.strip()]
    words = ("relocation R_", "undefined", "multiple", "Assertion", "LLVM ERROR", "session error", "rror:", "terminate")
    telling = [line for word in words for line in lines if word in line and "returned 1 exit" not in line]
    return (telling or lines or [""])[0]
