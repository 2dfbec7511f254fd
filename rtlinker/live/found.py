"""Where a name of a library is, and names as attributes of what has them."""

from __future__ import annotations

from rtlinker.errors import UndefinedSymbolsError
from rtlinker.link.resolution import Common, InObject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rtlinker.elf.object import Object, Symbol
    from rtlinker.live.install import LiveImage


class Found:
    """Where a name of a library is: `kind` is `function` or `data`, `size` bytes (0: unknown)."""

    __slots__ = ("_where", "kind", "live", "name", "object", "size")

    def __init__(
        self, name: str, kind: str, where: InObject | Common, size: int, object: Object | None, live: LiveImage
    ) -> None:
        self.name, self.kind, self._where, self.size, self.object, self.live = name, kind, where, size, object, live

    @property
    def address(self) -> int:
        """The absolute address; of a thread-local variable that of the calling thread's copy."""
        return self.live.address_of(self._where) or 0

    @property
    def place(self) -> int | Callable[[], int]:
        """The address, or what to ask for it each time."""
        return self.address if self.live.image.thread_place_of(self._where) is None else lambda: self.address

    @property
    def stands(self) -> bool:
        """Whether it is still there and its name was not taken back."""
        live = self.live
        kept = self.object is None or self.object.name in live.wanted
        return kept and not live.closed and self.name not in live.scope.hidden


def room(object: Object, symbol: Symbol) -> int:
    """The bytes from a symbol without a size, as assembler leaves it, to the next one or its section's end."""
    if symbol.section <= 0:
        return 0
    end = object.sections.sizes[symbol.section]
    values = object.symbols.columns[4]
    later = [
        values[at]
        for at, section in enumerate(object.symbols.sections)
        if section == symbol.section and values[at] > symbol.value
    ]
    return min([end, *later]) - symbol.value


class Named:
    """What has things by name (`named["add"]`), which are its attributes, too (`named.add`)."""

    if TYPE_CHECKING:

        def __getitem__(self, name: str) -> Any:
            """What has this name; raises UndefinedSymbolsError when nothing has."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):  # Python asks for these; no object means its own by them
            raise AttributeError(name)
        try:
            return self[name]
        except UndefinedSymbolsError as error:
            raise AttributeError(str(error)) from None
