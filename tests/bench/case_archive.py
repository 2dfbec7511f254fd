"""Two archives of a Debian system: the members behind one name, linked and called."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import rtlinker

from . import peers
from .measure import Contender, Group, Missing, compete

WORK: dict[str, tuple[str, str, str, tuple[object, ...]]] = {
    "libz.a": ("zlib1g-dev", "crc32", "unsigned long(unsigned long, const char *, unsigned)", (0, b"hello", 5)),
    "libsqlite3.a": ("libsqlite3-dev", "sqlite3_libversion", "const char *(void)", ()),
}


def run(directory: Path, quick: bool) -> Iterator[Group]:
    """One group per archive."""
    for file, (package, name, prototype, arguments) in WORK.items():
        path = _archive(file)
        title = f"{file}, {name}: archive to result and unload"
        if path is None:
            yield compete("archive", title, [Missing("rtlinker", f"no {file} here: apt-get install {package}")], 0)
            continue

        members = _members(path, name)
        contenders = [
            Contender("rtlinker", partial(_load, path, name, prototype, arguments)),
            peers.shared_archive(directory, path, name, arguments),
        ]
        yield compete("archive", f"{title} ({path.stat().st_size:,} bytes, {members})", contenders, 5 if quick else 21)


def _load(path: Path, name: str, prototype: str, arguments: tuple[object, ...]) -> None:
    with rtlinker.load(path) as library:
        library.function(name, prototype)(*arguments)


def _archive(file: str) -> Path | None:
    """Where the compiler would find an archive."""
    command = ["gcc", f"-print-file-name={file}"]
    found = Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
    return found.resolve() if found.is_absolute() else None


def _members(path: Path, name: str) -> str:
    """How many members one name brings in."""
    with rtlinker.Linker() as linker:
        linker.load_archive(path)
        linker.lookup(name)
        count = len(linker.pulls())
    return f"{count} member{'s' * (count != 1)} linked"
