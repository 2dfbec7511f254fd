"""A 5,000-function object: four ways of compiling it, all of it in one link."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from . import inputs, ours, peers
from .measure import Contender, Group, Missing, compete

ARGUMENT, PATIENCE = 3, 5.0

SECTIONS = ["-ffunction-sections", "-fdata-sections"]
WAYS = {
    "-fPIE": ["-fPIE"],
    "-fPIC": ["-fPIC"],
    "-fPIE, a section per function": ["-fPIE", *SECTIONS],
    "-fPIC, a section per function": ["-fPIC", *SECTIONS],
}


def run(directory: Path, quick: bool) -> Iterator[Group]:
    """One group per way of compiling."""
    count, rounds = (500, 3) if quick else (5000, 11)
    last, source = f"f{count - 1}", inputs.functions(count)
    for number, (title, flags) in enumerate(WAYS.items()):
        path = inputs.compile_c(directory, f"large{number}", source, *flags)
        contenders: list[Contender | Missing] = [
            Contender("rtlinker", partial(ours.load_and_call, path, last, ARGUMENT)),
            Contender("rtlinker, scalar engine", partial(ours.link_and_call, path, last, ARGUMENT, "scalar")),
            *peers.llvm(path, last, ARGUMENT, PATIENCE),
            peers.tvm(path, PATIENCE),
            *peers.shared(directory, path, last, ARGUMENT),
        ]
        yield compete(
            "large",
            f"{count:,} functions, {title} ({inputs.describe(path)}), path to result and unload",
            contenders,
            rounds,
        )
