"""What a load and unload leaves behind: growth of the resident set over many cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from . import inputs, ours, peers
from .measure import Contender, Group, Missing, Row, Run

ARGUMENT = 3


def run(directory: Path, quick: bool) -> Iterator[Group]:
    """One group per size of object. The columns of time stay empty; the note has the bytes."""
    for count, cycles in ((10, 300), (500, 10)) if quick else ((10, 5000), (2000, 50)):
        path = inputs.compile_c(directory, f"memory{count}", inputs.functions(count), "-fPIC")
        last = f"f{count - 1}"
        contenders: list[Contender | Missing] = [
            Contender("rtlinker", partial(ours.load_and_call, path, last, ARGUMENT)),
            *peers.llvm(path, last, ARGUMENT, trial=5)[::3],
        ]
        rows = [
            Row(entry.name, note=entry.why)
            if isinstance(entry, Missing)
            else Row(entry.name, cycles, note=_growth(entry.run, cycles))
            for entry in contenders
        ]
        yield Group(
            "memory",
            f"{cycles:,} cycles of load, call, unload of {count:,} functions ({inputs.describe(path)})",
            tuple(rows),
            ("growth of the resident set after the first tenth of the cycles",),
        )


def _growth(work: Run, cycles: int) -> str:
    for _ in range(max(cycles // 10, 2)):
        work()
    gc.collect()
    before = ours.resident()
    for _ in range(cycles):
        work()
    gc.collect()
    grown = ours.resident() - before
    return f"{grown / 1024:+,.0f} KiB in all, {grown / cycles:+,.0f} bytes per cycle"
