"""The functions and variables of a module, by name: always those of its newest version."""

from __future__ import annotations

from rtlinker.errors import LinkError, UndefinedSymbol, UndefinedSymbolsError
from rtlinker.hot.calls import HotFunction, closed
from rtlinker.hot.described import passing
from rtlinker.hot.errors import SymbolRemovedError
from rtlinker.hot.standing import Standing
from rtlinker.hot.state import ModuleState
from rtlinker.live.collect import LOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rtlinker.bind.call import Data
    from rtlinker.bind.ctype import CType, FunctionType
    from rtlinker.hot.carry import Placed
    from rtlinker.hot.version import Version
    from rtlinker.link.scope import Definition


class ModuleNames(ModuleState):
    """What a module offers by name."""

    def function(self, name: str, prototype: str | None = None) -> HotFunction:
        """The function of that name, always its newest version: typed by `prototype`, else by debug information.

        Raises UndefinedSymbolsError when no version has had it, SymbolRemovedError when the newest has it no more.
        """
        with LOCK:
            symbol = self._symbol(name)
            handle = self.handles.get(symbol)
            if handle is not None and prototype is None:
                return handle
            ctype = self._declared(symbol)
            if prototype is not None:
                from rtlinker.bind.prototype import parse_prototype

                wanted = parse_prototype(prototype)
                self._compare(symbol, wanted, ctype)
                ctype = wanted
                self._typed_by_hand.add(symbol)
            if handle is not None and ctype is not None:
                handle.retype(ctype)
                return handle
            from rtlinker.bind.ctype import UNTYPED

            number = self.domain.numbers[self._entry_name(symbol)]
            address = self.domain.entries.address(number, low=False)
            made = HotFunction(address, ctype or UNTYPED, name, self, self.domain.calls)
            self.handles[symbol] = made
            return made

    def _compare(self, symbol: str, wanted: FunctionType, declared: FunctionType | None) -> None:
        """Raise SignatureError for a prototype that is not what the function was compiled with."""
        if declared is None or not declared.prototyped:
            return
        from rtlinker.bind.ctype import declare
        from rtlinker.errors import SignatureError

        if passing(wanted) != passing(declared):
            headline = f"prototype does not fit {symbol}"[:72]
            raise SignatureError(headline, declare(wanted, symbol), f"it was compiled as {declare(declared, symbol)}")

    def _symbol(self, name: str) -> str:
        if self.closed:
            raise closed(self.name, name)()
        where = self.current.where
        if name in where:
            return name
        from rtlinker.live.mangled import symbol_called

        mangled = symbol_called(name, [symbol for symbol in where if symbol.startswith("_Z")])
        if mangled is not None:
            return mangled
        for version in reversed(self.versions_kept[:-1]):
            if name in version.where:
                raise SymbolRemovedError(self.name, name, version.number + 1, version.number)
        raise UndefinedSymbolsError([UndefinedSymbol(name, (), None)], self.name)

    def address(self, name: str) -> int:
        """The absolute address of a name: a function's entry, which never changes, or a variable."""
        if not self.closed and name in self.current.where:
            return self.domain.entries.address(self.domain.numbers[self._entry_name(name)], low=False)
        return self[name].address  # type: ignore[no-any-return]

    def __getitem__(self, name: str) -> Any:
        """The function or variable of that name; a static one by its name in the source, `function::name` if in one."""
        with LOCK:
            if self.closed:
                raise closed(self.name, name)()
            try:
                return self.function(name)
            except UndefinedSymbolsError:
                known = self._variable(name)
                if known is None:
                    raise
                return known

    def _variable(self, name: str) -> Data | None:
        from rtlinker.bind.call import Data
        from rtlinker.bind.ctype import UNSIGNED_CHAR, Array

        cached = self._data.get(name)
        if cached is not None and cached[0] == self.version:
            return cached[1]
        for placed in self.current.placed.values():
            variable = placed.variable
            if variable.kind != "virtual" and name in {variable.name, variable.symbol}:
                ctype: CType = variable.ctype or Array(UNSIGNED_CHAR, variable.size)
                place: int | Callable[[], int] = placed.definition.address
                if placed.definition.variable is not None:
                    place = self._thread_local(placed)
                data = Data(place, ctype, name, Standing(self, name, placed.definition))
                self._data[name] = self.version, data
                return data
        return None

    def _thread_local(self, placed: Placed) -> Callable[[], int]:
        """What gives the calling thread's address of a thread-local variable."""
        home = next(version for version in self.versions_kept if version.number == placed.body)
        return _thread_local(home, placed.definition)

    def place_of(self, placed: Placed) -> int:
        """The absolute address of a variable, in the calling thread if it is thread-local."""
        return self._thread_local(placed)() if placed.definition.variable is not None else placed.definition.address

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            found = self[name]
        except UndefinedSymbolsError as error:
            raise AttributeError(str(error)) from None
        if isinstance(found, HotFunction):
            self.__dict__[name] = found
        return found

    def __contains__(self, name: str) -> bool:
        try:
            self[name]
        except LinkError:
            return False
        return True

    def names(self) -> list[str]:
        """The functions and variables that are for everybody, sorted."""
        names = {name for name in self.current.where if self.current.visible(name)}
        names |= {placed.variable.name for placed in self.current.placed.values() if not placed.variable.local}
        return sorted(names)

    def __dir__(self) -> list[str]:
        if self.closed:
            return sorted(super().__dir__())
        return sorted({*super().__dir__(), *(name for name in self.names() if name.isidentifier())})


def _thread_local(version: Version, definition: Definition) -> Callable[[], int]:
    """What gives the calling thread's address of a thread-local variable."""
    from rtlinker.host.written_library import thread_local_address

    variable = definition.variable
    assert variable is not None
    threads = version.image.addresses.threads
    assert threads is not None
    return lambda: thread_local_address(threads.module, variable.offset)
