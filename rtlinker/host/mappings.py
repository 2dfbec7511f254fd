"""What a process has mapped: /proc/PID/maps (proc(5))."""

from __future__ import annotations

import os

from rtlinker.facts import Fact


class Mapping(Fact):
    """One mapping: absolute `start` and `end`, permissions as in `r-xp`, the offset in its file and the file's path."""

    start: int
    end: int
    permissions: str
    file_offset: int
    path: str


def read_mappings(process: int | str = "self") -> tuple[Mapping, ...]:
    """Every mapping of a process at this moment, lowest first. Raises OSError when there is no such process."""
    file = os.open(f"/proc/{process}/maps", os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while part := os.read(file, 1 << 16):
            parts.append(part)
    finally:
        os.close(file)
    rows = []
    for line in b"".join(parts).decode("utf-8", "surrogateescape").splitlines():
        span, permissions, offset, _, _, *path = line.split(None, 5)
        start, _, end = span.partition("-")
        rows.append(Mapping(int(start, 16), int(end, 16), permissions, int(offset, 16), path[0] if path else ""))
    return tuple(rows)
