"""Two modules that eight threads call without pause, while both are reloaded together again and again.

Each version of both has one number, which grows. A thread that calls `a` and then `b`, over and over, must see numbers
that never fall: not from one call to the next, and not a new `a` and then an old `b`. The looking is done in C, without
Python's lock, so that no switch, however short, can hide between two calls.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from rtlinker import hot
from rtlinker.hot.domain import Domain
from tests.soak.loads import held
from tests.support.hot import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

NUMBER = 0x11223344
"""What stands for the version's number in the objects."""

CALLED = """
static long calls;
int {name}(void) {{ __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED); return 0x11223344; }}
long {name}_calls(void) {{ return calls; }}
"""

LOOKING = """
int a(void); int b(void);
void look(long *seen, long turns) {
  for (long turn = 0; turn < turns; turn++) {
    int first = a(), second = b();
    seen[1] += first < seen[0] || second < first;
    seen[0] = second;
  }
  seen[2] += turns;
}
"""

SOURCES = {"a": CALLED.format(name="a"), "b": CALLED.format(name="b"), "look": LOOKING}
FLAGS = "-O2 -fPIC -fdata-sections -g0"

PARTS = 5
STEADY = 128
"""KiB by which memory may differ in a part that counts as steady."""

THREADS = 8
TURNS = 500
"""How often a thread calls both functions before it returns to Python."""


@dataclass(frozen=True)
class Found:
    """What there is to know after some reloads under load.

    `wrong`: how often a number fell; `turns`: how often threads looked, `idle` the threads that never did; `lost`:
    calls that the modules' own counts lack; `freed`: whether all old versions are gone; `version`: what a call says
    then. `before` and `parts` are what the process holds at first and after each part of the reloads.
    """

    wrong: int
    turns: int
    idle: int
    lost: int
    freed: bool
    version: int
    before: dict[str, int]
    parts: tuple[dict[str, int], ...]

    @property
    def right(self) -> bool:
        """Whether everything that was seen is as it must be."""
        return not self.wrong and not self.idle and not self.lost and self.freed


def reload_under_load(objects: Mapping[str, Path], warm: int, rounds: int) -> Found:
    """Reload `warm` times, then `rounds` times more, before and after which is counted what the process holds.

    `objects` are the compiled SOURCES.
    """
    contents = [objects["a"].read_bytes(), objects["b"].read_bytes()]
    domain = hot.Domain()
    first = hot.load(numbered(contents[0], 0), name="a", into=domain)
    second = hot.load(numbered(contents[1], 0), name="b", into=domain)
    looking = hot.load(objects["look"], name="look", into=domain)
    look = looking.function("look", "void(long *, long)")
    a, b = (module.function(module.name, "int(void)") for module in (first, second))
    stop, all_seen, by_python = threading.Event(), [(ctypes.c_long * 3)() for _ in range(THREADS)], [0] * THREADS

    def work(me: int) -> None:
        seen = all_seen[me]
        while not stop.is_set():
            look(seen, TURNS)
            x, y = a(), b()
            by_python[me] += 1
            seen[1] += not seen[0] <= x <= y
            seen[0] = y

    def reload(count: int) -> dict[str, int]:
        """So many reloads under load; what the process holds when all is quiet again."""
        stop.clear()
        workers = [Worker(lambda me=me: work(me)) for me in range(THREADS)]  # type: ignore[misc]
        for number in range(first.version, first.version + count):
            first.paths, second.paths = (numbered(contents[0], number),), (numbered(contents[1], number),)
            hot.reload(first, second)
        stop.set()
        for worker in workers:
            worker.wait()
        freed.extend(module.soft_purge() and len(module.versions()) == 1 for module in (first, second))
        ctypes.CDLL(None).malloc_trim(0)  # what is free in the heap is nobody's
        return held()

    freed: list[bool] = []
    before = reload(warm)
    parts = [reload(rounds // PARTS) for _ in range(PARTS)]
    turns = sum(seen[2] for seen in all_seen)
    asked = turns + sum(by_python)
    counted = [module.function(f"{module.name}_calls", "long(void)")() for module in (first, second)]
    wrong, idle = sum(seen[1] for seen in all_seen), sum(not seen[2] for seen in all_seen)
    lost = sum(asked - count for count in counted)
    return Found(wrong, turns, idle, lost, all(freed), a(), before, tuple(parts))  # type: ignore[arg-type]


def grew(found: Found) -> list[str]:
    """What has grown. Allocators take memory by steps, so some parts grow; what leaks grows in each of them."""
    steps = [(found.before, found.parts[0]), *pairwise(found.parts)]
    last = found.parts[-1]
    counted = [name for name in last if name != "memory" and last[name] > found.before[name] + 2 * (name == "mappings")]
    leaks = all(after["memory"] - before["memory"] > STEADY for before, after in steps)
    return [*counted, *["memory"] * leaks]


def numbered(content: bytes, number: int) -> bytes:
    """An object of SOURCES, as its version of that number."""
    return content.replace(NUMBER.to_bytes(4, "little"), number.to_bytes(4, "little"))


def switch_one_by_one(pause: Callable[[], object]) -> Callable[..., None]:
    """A `Domain.switch` that is wrong: a store for each entry, and a pause behind each. For tests of the test."""
    whole = Domain.switch

    def switch(domain: Domain, targets: dict[int, int], done: list[bool] | None = None) -> None:
        for number, target in targets.items():
            whole(domain, {number: target}, done)
            pause()

    return switch
