"""The runtime as `haskell.heap` wants it: names, the lock, and evaluation.

Haskell and Python buffer their output apart. So Python's is written out before Haskell gets its turn, and Haskell's
after an action has run: what both print comes in the order in which they printed it.

**Locks** are taken in one order, by all of the room: the turn (`Heap.turn`: one thread of Python is at work in
Haskell), then LOCK (`live.collect`: one thread loads or unloads), then the capability (the right to touch Haskell's
heap). A callback keeps its thread's turn and gives the capability back, so it may load modules. Who has LOCK may wait
for the capability, since nobody who has that waits for LOCK: packages are brought in before (`require`), not while
values are built. Who needs both the turn and LOCK takes the turn first, even if it is wanted later.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock, get_ident

from rtlinker.haskell.keeper import Keeper
from rtlinker.haskell.missing import choose_version
from rtlinker.haskell.names import Name, symbol_of
from rtlinker.haskell.packages import WIRED
from rtlinker.haskell.rts import FLUSH
from rtlinker.live.collect import LOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.haskell.packages import Package, Packages
    from rtlinker.haskell.rts import Heap, Held, Rts
    from rtlinker.haskell.shape import Shape
    from rtlinker.haskell.values import Values


class RtsMachine:
    """A Machine over a runtime, which it starts when it is locked for the first time.

    `keeper` links the objects of modules, and unloads them.
    """

    def __init__(self, rts: Rts, packages: Packages) -> None:
        self.rts = rts
        self.packages = packages
        self.keeper = Keeper(rts)
        self._held: dict[int, list[Section]] = {}
        self._values: Values | None = None
        self._making = allocate_lock()
        self._converted: dict[str, Package] = {}

    @property
    def shape(self) -> Shape:
        """How the runtime's closures lie in memory."""
        return self.rts.host.shape

    def address(self, name: str) -> int:
        """The absolute address of a symbol of the runtime. Raises UndefinedSymbolsError."""
        return self.rts.host.address(name)

    def locate(self, package: str, module: str, name: str, suffix: str) -> int:
        """The absolute address of a name of the runtime's own packages, or of one that was required.

        Raises UndefinedSymbolsError when the package has no such name.
        """
        unit = package if package in WIRED else self._converted[package].unit
        return self.rts.host.address(symbol_of(Name(unit, module, name, suffix)))

    def require(self, package: str) -> None:
        """Bring in a package whose values are converted: the newest version that is installed, unless one is there.

        Raises LinkError when it is not installed, or there in two versions, UnsupportedError for an unknown version.
        """
        self.rts.refuse_held()
        installed = [each for each in self.packages.by_id.values() if each.name == package]
        there = [each for each in installed if self.rts.host.has(each)]
        chosen = choose_version(package, there or installed, there)
        self.need([chosen])
        self._converted[package] = chosen

    def need(self, packages: Sequence[Package]) -> None:
        """Bring in packages and what they need. Raises the errors of `Host.need`."""
        with LOCK:
            missing = [each for each in self.packages.closure(packages) if not self.rts.host.has(each)]
            if missing:
                self.rts.host.need(missing)
                self.linked()

    def version(self, package: str) -> tuple[int, ...]:
        """The version of a package that was required."""
        return self._converted[package].numbers

    def lock(self) -> int:
        """A capability for this thread."""
        held = self.rts.held()
        heap = held.__enter__()
        self._held.setdefault(get_ident(), []).append(Section(held, heap))
        return heap.capability

    def unlock(self, capability: int) -> None:
        """Give the capability back."""
        stack = self._held[get_ident()]
        section = stack.pop()
        if not stack:
            del self._held[get_ident()]
        try:
            if section.acted:
                section.heap.run(self.rts.closure(FLUSH))
        finally:
            section.held.__exit__(None, None, None)

    def capability(self) -> int:
        """The capability that this thread has now."""
        return self._held[get_ident()][-1].heap.capability

    def evaluate(self, closure: int, io: bool) -> int:
        """The closure evaluated, or what the action returned.

        Raises ForeignExceptionError for a Haskell exception.
        """
        section = self._held[get_ident()][-1]
        heap = section.heap
        if io and not section.acted:
            section.acted = True
            _write_out()
        return heap.run(closure) if io else heap.force(closure)

    def linked(self) -> None:
        """To be called when new code was linked: it may lie where code was that is gone, with other info tables."""
        if self._values is not None:
            self._values.heap.tables.clear()

    @property
    def values(self) -> Values:
        """Python's values to Haskell's and back, over this runtime."""
        with self._making:  # two threads may ask at once, and the turn is one
            if self._values is None:
                from rtlinker.haskell.values import Values

                self._values = Values(self)
            return self._values


class Section:
    """What one thread does between `lock` and `unlock`; `acted` says whether an action has run."""

    __slots__ = ("acted", "heap", "held")

    def __init__(self, held: Held, heap: Heap) -> None:
        self.held = held
        self.heap = heap
        self.acted = False


def _write_out() -> None:
    """Python's own output so far; a stream that is closed or broken is its owner's matter."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue
