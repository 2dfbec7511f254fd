"""The scalar engine against the native engine: from which number of records on the loops of machine code win.

These two numbers are constants of `rtlinker/engines.py`; the remarks say what this machine would have them be. A table
of known size says from where on an engine is worth using; whether it is worth getting ready is asked of compiled C,
whose records cost the scalar engine more, since it has more symbols and more kinds of site.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

from rtlinker import engines
from rtlinker.elf.index import index_symbols
from rtlinker.elf.reader import read_object

from . import inputs
from .machine import ROOT
from .measure import Contender, Group, compete, row_of
from .ours import link_and_call

SIZES = (10, 20, 50, 100, 300, 1_000, 3_000, 10_000, 100_000)
FUNCTIONS = (5, 10, 20, 50, 100, 1_000, 8_000)
ENGINES = ("scalar", "native")
RECORD = 24
"""Bytes of an Elf64_Rela."""

PREPARE = """\
from time import perf_counter
import rtlinker.api, rtlinker.link.pipeline
start = perf_counter()
import rtlinker.link.native
rtlinker.link.native._loops()
print((perf_counter() - start) * 1e3)
"""

Curve = list[tuple[int, float, float]]
"""Records, milliseconds of the scalar engine, milliseconds of the native engine."""


def run(directory: Path, quick: bool) -> Iterator[Group]:
    """Getting ready; whole links by number of relocations, of one table and of C; symbol tables; the crossovers."""
    rounds = 3 if quick else 15
    sizes = SIZES[::3] if quick else SIZES
    prepared = [_preparing_time() for _ in range(rounds)]
    row = row_of("import the native engine and map its code", prepared, "a process each")
    cost = row.median or 0.0
    yield Group("engines", "what the native engine costs before it does anything", (row,))
    links: Curve = []
    tables: Curve = []
    for size in sizes:
        path = inputs.assemble(directory, f"sites{size}", inputs.sites(size))
        parsed = read_object(path.read_bytes(), path.name)
        group = _both(f"whole link of {size:,} relocations", partial(link_and_call, path, "s0", 0), rounds)
        links.append(_point(size, group))
        yield group
        group = _both(f"symbol table of {len(parsed.symbols):,}", partial(index_symbols, parsed), rounds)
        tables.append(_point(len(parsed.symbols), group))
        yield group
    code: Curve = []
    for count in FUNCTIONS[: 3 if quick else None]:
        path = inputs.compile_c(directory, f"code{count}", inputs.functions(count), "-fPIC")
        parsed = read_object(path.read_bytes(), path.name)
        records = sum(len(table.table) // RECORD for table in parsed.relocations)
        title = f"whole link of C, {records:,} relocations, {len(parsed.symbols):,} symbols"
        group = _both(title, partial(link_and_call, path, "f0", 0), rounds)
        code.append(_point(records, group))
        yield group
    remarks = (
        _remark("one table of relocations", links, cost),
        _remark("relocations of C", code, cost),
        _remark("symbols", tables, cost),
        f"rtlinker/engines.py has WORTH_USING = {engines.WORTH_USING:,}, WORTH_PREPARING = {engines.WORTH_PREPARING:,}",
    )
    yield Group("engines", "crossovers on this machine", (), remarks)


def _both(title: str, work: Callable[[str], object], rounds: int) -> Group:
    def contender(engine: str) -> Contender:
        def once() -> None:
            work(engine)

        return Contender(engine, once)

    return compete("engines", title, [contender(engine) for engine in ENGINES], rounds)


def _point(size: int, group: Group) -> tuple[int, float, float]:
    scalar, native = (row.median or 0.0 for row in group.rows)
    return size, scalar, native


def _crossover(curve: Curve, cost: float) -> int | None:
    """The number of records where the loops, with a fixed cost added, become as fast: a line between measured points.

    The last crossing counts, so that one noisy small table does not decide.
    """
    found = None
    for (size, scalar, native), (next_size, next_scalar, next_native) in pairwise(curve):
        lead, next_lead = scalar - native - cost, next_scalar - next_native - cost
        if lead < 0 <= next_lead:
            found = round(size + (next_size - size) * -lead / (next_lead - lead))
    return found


def _remark(what: str, curve: Curve, cost: float) -> str:
    return f"{what}: the loops win from {_said(curve, 0)}, with getting ready from {_said(curve, cost)}"


def _said(curve: Curve, cost: float) -> str:
    """The crossover, or that it lies outside of what was measured."""
    found = _crossover(curve, cost)
    if found is not None:
        return f"{found:,}"
    size, scalar, native = curve[0]
    return f"less than {size:,}" if scalar >= native + cost else f"more than {curve[-1][0]:,}"


def _preparing_time() -> float:
    result = subprocess.run([sys.executable, "-c", PREPARE], capture_output=True, text=True, check=True, cwd=ROOT)
    return float(result.stdout)
