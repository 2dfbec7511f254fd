"""The runtime as `haskell.heap` wants it: names, the lock, and evaluation."""

from __future__ import annotations

from _thread import get_ident

from rtlinker.errors import LinkError, UndefinedSymbolsError
from rtlinker.haskell.names import Name, symbol_of
from rtlinker.haskell.packages import WIRED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.haskell.packages import Packages
    from rtlinker.haskell.rts import Heap, Held, Rts


class RtsMachine:
    """A Machine over a runtime. It starts the runtime when it is locked for the first time."""

    def __init__(self, rts: Rts, packages: Packages) -> None:
        self.rts = rts
        self.packages = packages
        self._held: dict[int, list[tuple[Held, Heap]]] = {}

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
            return self.rts.host.address(symbol)

    def lock(self) -> int:
        """A capability for this thread."""
        held = self.rts.held()
        heap = held.__enter__()
        self._held.setdefault(get_ident(), []).append((held, heap))
        return heap.capability

    def unlock(self, capability: int) -> None:
        """Give the capability back."""
        stack = self._held[get_ident()]
        held, _ = stack.pop()
        if not stack:
            del self._held[get_ident()]
        held.__exit__(None, None, None)

    def evaluate(self, capability: int, closure: int, io: bool) -> tuple[int, int]:
        """The capability held afterwards, and the closure evaluated, or what the action returned.

        Raises ForeignExceptionError for a Haskell exception.
        """
        _, heap = self._held[get_ident()][-1]
        result = heap.run(closure) if io else heap.force(closure)
        return heap.capability, result
