"""Contenders and rounds: everybody does the same work in turn, A B C A B C, and the median of each is kept.

Taking turns spreads whatever else the machine is doing over all contenders alike. A contender that cannot do the work
becomes a row that says why: nothing is dropped in silence.
"""

from __future__ import annotations

import gc
import os
import re
import select
import signal
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter

Run = Callable[[], "float | None"]
"""One piece of work. None: the caller's clock counts; else the milliseconds that the work measured itself."""


@dataclass
class Contender:
    """Somebody who does the work, `turn` times whenever it is its turn; the first of them finds cold caches.

    `trial`: one run in a forked child gets so many seconds before the contender may take part.
    """

    name: str
    run: Run
    note: str = ""
    trial: float = 0.0
    turn: int = 1
    times: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Missing:
    """Somebody who should have done the work, and why not."""

    name: str
    why: str


@dataclass(frozen=True)
class Row:
    """One line of the table; times in milliseconds, `ratio` is this row's median over the group's first row's."""

    name: str
    runs: int = 0
    median: float | None = None
    low: float | None = None
    high: float | None = None
    ratio: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Group:
    """Rows about the same work on the same input; the first row is rtlinker's."""

    case: str
    title: str
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()


def compete(
    case: str, title: str, contenders: Iterable[Contender | Missing], rounds: int, remarks: Iterable[str] = ()
) -> Group:
    """Everybody's times over so many rounds, after one run each that is not counted."""
    everybody = list(contenders)
    problems = {entry.name: entry.why for entry in everybody if isinstance(entry, Missing)}
    ready = []
    for entry in everybody:
        if isinstance(entry, Contender):
            problem = _rehearse(entry)
            if problem:
                problems[entry.name] = problem
            else:
                ready.append(entry)
    for _ in range(rounds):
        for contender in ready:
            gc.collect()
            contender.times += [_once(contender.run) for _ in range(contender.turn)]
    rows = [
        _row(entry) if isinstance(entry, Contender) and entry in ready else Row(entry.name, note=problems[entry.name])
        for entry in everybody
    ]
    return Group(case, title, with_ratios(rows), tuple(remarks))


def with_ratios(rows: list[Row]) -> tuple[Row, ...]:
    """The rows with their ratio to the first one, where both have a time."""
    yard = rows[0].median if rows else None
    return tuple(
        Row(row.name, row.runs, row.median, row.low, row.high, row.median / yard, row.note)
        if row.median is not None and yard
        else row
        for row in rows
    )


def row_of(name: str, times: list[float], note: str = "") -> Row:
    """The median and the quartiles of some times in milliseconds."""
    quartiles = statistics.quantiles(times, n=4) if len(times) > 1 else times * 3
    return Row(name, len(times), statistics.median(times), quartiles[0], quartiles[2], None, note)


def _row(contender: Contender) -> Row:
    return row_of(contender.name, contender.times, contender.note)


def _once(run: Run) -> float:
    start = perf_counter()
    own = run()
    taken = (perf_counter() - start) * 1e3
    return taken if own is None else own


def _rehearse(contender: Contender) -> str:
    """Why a contender cannot take part; empty when it can. Its caches are warm afterwards."""
    if contender.trial:
        problem = _in_child(contender)
        if problem:
            return problem
    try:
        contender.run()
    except Exception as error:  # a peer may fail in any way; the row says how
        return _in_short(error)
    return ""


def _in_child(contender: Contender) -> str:
    """One run in a forked child, which may crash or take too long without harm."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            contender.run()
        except BaseException as error:
            os.write(writing, _in_short(error).encode()[:500])
        finally:
            os._exit(0)
    os.close(writing)
    try:
        ready, _, _ = select.select([reading], [], [], contender.trial)
        said = os.read(reading, 1000).decode(errors="replace") if ready else ""
        if not ready:
            os.kill(child, signal.SIGKILL)
    finally:
        os.close(reading)
        _, status = os.waitpid(child, 0)
    if not ready:
        return f"skipped: one run takes more than {contender.trial:g} s"
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name} on this input"
    return said


def _in_short(error: BaseException) -> str:
    """The last telling line of an error."""
    text = str(getattr(error, "stderr", "") or error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "recompile" in line or "error" in line.lower()] or lines
    # without directories, and without who says it
    said = re.sub(r"\S*/", "", telling[0]).removeprefix("ld: ") if telling else ""
    return f"cannot: {said[:140]}" if said else f"cannot: {type(error).__name__}"
