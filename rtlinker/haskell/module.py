"""A loaded Haskell module: its functions by any spelling."""

from __future__ import annotations

import os

from rtlinker.errors import LinkError, UndefinedSymbol, UndefinedSymbolsError
from rtlinker.facts import Fact
from rtlinker.haskell.names import Name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.haskell.objects import HaskellObject
    from rtlinker.haskell.rts import Rts


class Value(Fact):
    """An exported value: its decoded name, its symbol, and the absolute address of its closure until `unload`."""

    name: Name
    symbol: str
    address: int


class Module:
    """What `Runtime.load` gives back. `names` are the Haskell modules in it, `objects` the paths of their objects."""

    def __init__(self, rts: Rts, found: Sequence[HaskellObject]) -> None:
        self.rts = rts
        self.linker = rts.host.linker
        self.names = tuple([module for one in found for module in one.modules])
        self.objects = tuple([one.object.name for one in found])
        self._values = {symbol: name for one in found for name, symbol in one.closures}
        self._loaded = True

    def find(self, spelling: str) -> Value:
        """The value of a name: `maFonction`, `Test.maFonction` or `Test_maFonction_closure`.

        A plain name is looked for in the first object's modules first. Raises UndefinedSymbolsError when there is
        none, LinkError when several modules have one.
        """
        if not self._loaded:
            raise LinkError("haskell module was unloaded", [("name", spelling)], "load it again")
        symbol = spelling if spelling in self._values else self._called(spelling)
        address = self.linker.lookup(symbol) if symbol is not None else None
        if symbol is None or address is None:
            raise UndefinedSymbolsError([UndefinedSymbol(spelling, (), self._suggestion(spelling))], self.title)
        return Value(self._values[symbol], symbol, address)

    @property
    def title(self) -> str:
        """The objects' file names."""
        return ", ".join(os.path.basename(path) for path in self.objects)  # noqa: PTH119

    def _called(self, spelling: str) -> str | None:
        """The symbol of the value that is written so in Haskell."""
        symbols = [symbol for symbol, name in self._values.items() if spelling in {name.qualified, name.name}]
        first = [symbol for symbol in symbols if self._values[symbol].module == self.names[0]]
        chosen = first if len(symbols) > 1 and first else symbols
        if len(chosen) > 1:
            choices = "\n".join(self._values[symbol].qualified for symbol in chosen)
            raise LinkError("several modules have this name", [("name", spelling), ("choose", choices)])
        return chosen[0] if chosen else None

    def _suggestion(self, spelling: str) -> str | None:
        from difflib import get_close_matches

        names = {name.qualified for name in self._values.values()} | {name.name for name in self._values.values()}
        close = get_close_matches(spelling, sorted(names), 3)
        return f"did you mean {' or '.join(close)}?" if close else "it is not exported, or was inlined everywhere"

    def unload(self) -> None:
        """Take the module's names out of the process; a second call does nothing."""
        if self._loaded:
            self._loaded = False
            for path in self.objects:
                self.linker.unload(path)

    def __repr__(self) -> str:
        return f"<rtlinker.haskell.Module {', '.join(self.names)}{'' if self._loaded else ', unloaded'}>"
