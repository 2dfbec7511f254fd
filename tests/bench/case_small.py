"""Objects of 10 functions and of one: from a path to a result, and everything given back. The goal is 0.5 ms."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from . import inputs, ours, peers
from .measure import Contender, Group, Missing, compete

GOAL = "goal: at most 0.5 ms from path to result after the first load"
LAST, ARGUMENT = "f9", 3
TURN = 15
"""Runs in a row of those that work in this process: the median is then one of warm caches."""


def run(directory: Path, quick: bool) -> Iterator[Group]:
    """Ten functions as gcc makes them by default and with -fPIC, which static linkers insist on; one function."""
    rounds = 3 if quick else 21
    for title, flags in (("gcc's default, -fPIE", ["-fPIE"]), ("-fPIC", ["-fPIC"])):
        path = inputs.compile_c(directory, f"small{flags[0]}", inputs.functions(10), *flags)
        contenders: list[Contender | Missing] = [
            Contender("rtlinker", partial(ours.load_and_call, path, LAST, ARGUMENT), turn=TURN),
            Contender("rtlinker, cold caches", partial(ours.load_and_call, path, LAST, ARGUMENT), "one run per turn"),
            *peers.llvm(path, LAST, ARGUMENT, trial=5, turn=TURN),
            peers.tvm(path, trial=5, turn=TURN),
            *peers.shared(directory, path, LAST, ARGUMENT),
            peers.libtcc(path, LAST, ARGUMENT),
            peers.tcc_run(directory, path, LAST, ARGUMENT),
        ]
        yield compete(
            "small",
            f"10 functions, {title} ({inputs.describe(path)}), path to result and unload",
            contenders,
            rounds,
            [GOAL],
        )
    path, turn = inputs.compile_c(directory, "one", "int f0(int a) { return a + 1; }\n", "-O1"), 200 if quick else 2000
    yield compete(
        "small",
        f"1 function ({inputs.describe(path)}), path to result and unload, {turn:,} times in a row",
        [
            Contender("rtlinker", partial(ours.load_and_call, path, "f0", ARGUMENT), turn=turn),
            *peers.llvm(path, "f0", ARGUMENT, trial=5, turn=turn),
        ],
        1,
    )
