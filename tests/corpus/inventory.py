"""What the corpus is made of: archives by the names that gcc knows, GHC's objects, and any file that is named."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from rtlinker.elf.archive import read_archive
from rtlinker.elf.ldscript import looks_like_script, read_linker_script
from rtlinker.live.files import sort_of

ARCHIVES = ("libc.a", "libm.a", "libstdc++.a", "libgcc.a", "libgomp.a", "libgfortran.a")
GHC = "GHC's HS*.o"


class Part(NamedTuple):
    """A row of the table: the members of one archive, or a list of objects. `missing` says what is not installed."""

    title: str
    members: tuple[Member, ...]
    missing: str = ""


class Member(NamedTuple):
    """An object of the corpus: a file, or with an `offset` the member of an archive whose header is there."""

    path: str
    label: str
    offset: int = 0

    def read(self) -> bytes:
        """The object's bytes."""
        if not self.offset:
            return Path(self.path).read_bytes()
        archive = opened(self.path)
        return bytes(archive.contents(archive.member_at(self.offset)))


@lru_cache
def opened(path: str):
    """The archive at a path, opened once."""
    return read_archive(Path(path).read_bytes(), path, str(Path(path).parent))


def the_corpus() -> list[Part]:
    """Every part, the missing ones too."""
    parts = []
    for name in ARCHIVES:
        path = said("gcc", f"-print-file-name={name}")
        found = path and Path(path).is_absolute()
        parts += of_path(path) if found else [Part(name, (), f"{name} is not installed")]
    libraries = said("ghc", "--print-libdir")
    objects = sorted(Path(libraries).rglob("HS*.o")) if libraries else []
    members = tuple(Member(str(path), path.name) for path in objects)
    return [*parts, Part(GHC, members, "" if members else "GHC is not installed")]


def of_path(path: str) -> list[Part]:
    """The parts that a file stands for: an archive, an object, or what a linker script lists (Debian's libm.a)."""
    data = Path(path).read_bytes()
    if sort_of(data) == "script" and looks_like_script(data):
        script = read_linker_script(data, path)
        return [part for entry in (script.entries if script else ()) for part in of_path(entry.name)]
    name = Path(path).name
    if sort_of(data) != "archive":
        return [Part(name, (Member(path, name),))]
    members = [Member(path, f"{name}({member.name})", member.header_offset) for member in opened(path).members]
    return [Part(name, tuple(members))]


def said(*command: str) -> str:
    """What a program prints, or nothing when it is not installed."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
