"""The scalar engine against the array engine: from which number of records on numpy is worth using, and importing.

These two numbers are constants of `rtlinker/arrays.py`; the remarks say what this machine would have them be.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

from rtlinker import arrays
from rtlinker.elf.index import index_symbols
from rtlinker.elf.reader import read_object

from . import inputs
from .machine import ROOT
from .measure import Contender, Group, compete, row_of
from .ours import link_and_call

SIZES = (100, 300, 1_000, 2_000, 3_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)
ENGINES = ("scalar", "array")
IMPORT = """\
from time import perf_counter
import rtlinker.api, rtlinker.link.relocate, sys
start = perf_counter()
import numpy
import rtlinker.link.relocate_bulk
print((perf_counter() - start) * 1e3)
"""

Curve = list[tuple[int, float, float]]
"""Records, milliseconds of the scalar engine, milliseconds of the array engine."""


def run(directory: Path, quick: bool) -> Iterator[Group]:
    """numpy's import; whole links by number of relocations; symbol tables by number of symbols; the crossovers."""
    rounds = 3 if quick else 15
    sizes = SIZES[::3] if quick else SIZES
    imported = [_import_time() for _ in range(rounds)]
    row = row_of("import numpy and the array engine", imported, "a process each")
    cost = row.median or 0.0
    yield Group("engines", "what numpy costs before it does anything", (row,))
    importlib.import_module("numpy")
    links: Curve = []
    tables: Curve = []
    for size in sizes:
        path = inputs.assemble(directory, f"sites{size}", inputs.sites(size))
        table = read_object(path.read_bytes(), path.name)
        group = _both(f"whole link of {size:,} relocations", partial(link_and_call, path, "s0", 0), rounds)
        links.append(_point(size, group))
        yield group
        group = _both(f"symbol table of {len(table.symbols):,}", partial(index_symbols, table), rounds)
        tables.append(_point(len(table.symbols), group))
        yield group
    remarks = (
        _remark("relocations", links, cost),
        _remark("symbols", tables, cost),
        f"rtlinker/arrays.py has WORTH_USING = {arrays.WORTH_USING:,}, WORTH_IMPORTING = {arrays.WORTH_IMPORTING:,}",
    )
    yield Group("engines", "crossovers on this machine", (), remarks)


def _both(title: str, work: Callable[[str], object], rounds: int) -> Group:
    def contender(engine: str) -> Contender:
        def once() -> None:
            work(engine)

        return Contender(engine, once)

    return compete("engines", title, [contender(engine) for engine in ENGINES], rounds)


def _point(size: int, group: Group) -> tuple[int, float, float]:
    scalar, array = (row.median or 0.0 for row in group.rows)
    return size, scalar, array


def _crossover(curve: Curve, cost: float) -> int | None:
    """The number of records where arrays, with a fixed cost added, become as fast: a line between measured points.

    The last crossing counts, so that one noisy small table does not decide.
    """
    found = None
    for (size, scalar, array), (next_size, next_scalar, next_array) in pairwise(curve):
        lead, next_lead = scalar - array - cost, next_scalar - next_array - cost
        if lead < 0 <= next_lead:
            found = round(size + (next_size - size) * -lead / (next_lead - lead))
    if found is None and curve and curve[0][1] >= curve[0][2] + cost:
        return curve[0][0]
    return found


def _remark(what: str, curve: Curve, cost: float) -> str:
    plain, dear = _said(_crossover(curve, 0)), _said(_crossover(curve, cost))
    return f"{what}: arrays win from {plain}, with numpy's import from {dear}"


def _said(records: int | None) -> str:
    return "beyond the largest table" if records is None else f"{records:,}"


def _import_time() -> float:
    result = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True, cwd=ROOT)
    return float(result.stdout)
