"""The runtime as `haskell.heap` wants it: names, the lock, and evaluation.

Haskell and Python buffer their output apart. So Python's is written out before Haskell gets its turn, and Haskell's
after an action has run: what both print comes in the order in which they printed it.
"""

from __future__ import annotations

import sys
from _thread import get_ident

from rtlinker.errors import LinkError, UndefinedSymbolsError
from rtlinker.haskell.keeper import Keeper
from rtlinker.haskell.names import Name, symbol_of
from rtlinker.haskell.packages import WIRED
from rtlinker.haskell.rts import FLUSH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.haskell.packages import Packages
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

    @property
    def shape(self) -> Shape:
        """How the runtime's closures lie in memory."""
        return self.rts.host.shape

    def address(self, name: str) -> int:
        """The absolute address of a symbol of the runtime. Raises UndefinedSymbolsError."""
        return self.rts.host.address(name)

    def locate(self, package: str, module: str, name: str, suffix: str) -> int:
        """The absolute address of a name of a package, which is brought in when it is not there.

        Raises LinkError when the package is not installed, UndefinedSymbolsError when it has no such name.
        """
        found = next((each for each in self.packages.by_id.values() if each.name == package), None)
        if found is None:
            raise LinkError("haskell package is not installed", [("package", package), ("for", f"{module}.{name}")])
        symbol = symbol_of(Name(package if package in WIRED else found.unit, module, name, suffix))
        try:
            return self.rts.host.address(symbol)
        except UndefinedSymbolsError:
            self.rts.host.need([found])
            self.linked()
            return self.rts.host.address(symbol)

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

    def evaluate(self, capability: int, closure: int, io: bool) -> tuple[int, int]:
        """The capability held afterwards, and the closure evaluated, or what the action returned.

        Raises ForeignExceptionError for a Haskell exception.
        """
        section = self._held[get_ident()][-1]
        heap = section.heap
        if io and not section.acted:
            section.acted = True
            _write_out()
        result = heap.run(closure) if io else heap.force(closure)
        return heap.capability, result

    def linked(self) -> None:
        """To be called when new code was linked: it may lie where code was that is gone, with other info tables."""
        if self._values is not None:
            self._values.heap.tables.clear()

    @property
    def values(self) -> Values:
        """Python's values to Haskell's and back, over this runtime."""
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
