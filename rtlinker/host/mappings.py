"""What a process has mapped: /proc/PID/maps (proc(5))."""

from __future__ import annotations

from rtlinker.facts import Fact
from rtlinker.host.one_step import read_whole, with_file


class Mapping(Fact):
    """One mapping: absolute `start` and `end`, permissions as in `r-xp`, the offset in its file and the file's path."""

    start: int
    end: int
    permissions: str
    file_offset: int
    path: str


def read_mappings(process: int | str = "self") -> tuple[Mapping, ...]:
    """Every mapping of a process at this moment, lowest first. Raises OSError when there is no such process."""
    rows = []
    for line in with_file(f"/proc/{process}/maps", read_whole).decode("utf-8", "surrogateescape").splitlines():
        span, permissions, offset, _, _, *path = line.split(None, 5)
        start, _, end = span.partition("-")
        rows.append(Mapping(int(start, 16), int(end, 16), permissions, int(offset, 16), path[0] if path else ""))
    return tuple(rows)
