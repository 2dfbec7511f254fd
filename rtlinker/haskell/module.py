"""A loaded Haskell module: its functions by any spelling."""

from __future__ import annotations

import os

from rtlinker.errors import LinkError, UndefinedSymbol, UndefinedSymbolsError
from rtlinker.facts import Fact
from rtlinker.haskell.names import Name
from rtlinker.live.collect import LOCK
from rtlinker.live.found import Named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from rtlinker.haskell.handles import Handle
    from rtlinker.haskell.interface import Interface
    from rtlinker.haskell.machine import RtsMachine
    from rtlinker.haskell.objects import HaskellObject
    from rtlinker.haskell.runtime import Runtime
    from rtlinker.haskell.types import Type


class Value(Fact):
    """An exported value: its decoded name, its symbol, and the absolute address of its closure until `unload`."""

    name: Name
    symbol: str
    address: int


class Module(Named):
    """What `Runtime.load` gives back: functions, actions and values of the loaded modules, by name.

    `module.double(21)` calls a function, `module.greet("you")` one that gives an IO action, and runs that; a value
    (`module.answer`) is evaluated and read. `module["names"]` is for names that Python has its own meaning for.
    `names` are the Haskell modules in it, `objects` the paths of their objects, or of the archives that have these.
    """

    def __init__(
        self, runtime: Runtime, machine: RtsMachine, found: Sequence[HaskellObject], foreign: Sequence[str] = ()
    ) -> None:
        self.runtime = runtime
        self.machine = machine
        self.linker = machine.rts.host.linker
        self._foreign = tuple(foreign)
        self._handles: dict[tuple[str, str | None], Handle] = {}
        self._loaded = True
        self.take(found, tuple([one.object.name for one in found]))

    def take(self, found: Sequence[HaskellObject], linked: tuple[str, ...]) -> None:
        """Be the module of these objects, which the linker knows by the names in `linked`."""
        from rtlinker.haskell.snapshot import Snapshot

        self.found = tuple(found)
        self.linked = linked
        self.names = tuple([module for one in found for module in one.modules])
        self.objects = tuple(dict.fromkeys([one.path for one in found]))
        self.snapshot = Snapshot.of(self.found)
        self._interfaces: tuple[Interface, ...] | None = None
        self._values = {symbol: name for one in found for name, symbol in one.closures}

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

    def type_of(self, spelling: str, signature: str | None = None) -> Type | None:
        """The type that a value is called with; None when neither its interface nor a signature tells.

        Raises SignatureError for a signature that is not the value's type, and for a type that Python cannot call.
        """
        from rtlinker.haskell.signatures import signature_of

        return signature_of(self.find(spelling).name, self.interfaces, signature)

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """What GHC wrote beside the objects (`.hi`, `.dyn_hi`)."""
        if self._interfaces is None:
            self._interfaces = self.snapshot.interfaces(self.machine.packages.compiler.program)
        return self._interfaces

    def handle(self, spelling: str, signature: str | None = None) -> Handle:
        """A value as a handle: functions and actions are called through it, other values stay in Haskell.

        The type is that of the interface beside the object, else that of `signature`, such as `"Int -> IO String"`;
        of a polymorphic value the signature chooses an instance. Raises UndefinedSymbolsError for an unknown name,
        SignatureError for a signature that does not fit or is needed.
        """
        known = self._handles.get((spelling, signature))
        if known is not None and self._loaded:
            return known
        found = self.find(spelling)
        kind = self.type_of(spelling, signature)
        if kind is None:
            from rtlinker.haskell.types import signature_error

            rows = [("name", found.name.qualified), ("missing", f"the .hi or .dyn_hi file beside {self.title}")]
            raise signature_error("a value of unknown type", rows, "give its type as text")
        from rtlinker.haskell.seeing import represented

        self.machine.keeper.start()
        with self.machine.values.heap.turn, LOCK:  # from the address to the handle that keeps it, no reload may come
            made = self.machine.values.handle(self.find(spelling).address, represented(kind, self.interfaces))
            self._handles[spelling, signature] = made
        return made

    def __getitem__(self, spelling: str) -> Any:
        """A function or an action, to be called; of anything else its value, as its type says."""
        from rtlinker.haskell.handles import HaskellFunction

        made = self.handle(spelling)
        return made if isinstance(made, HaskellFunction) else self.machine.values.value(made)

    def __dir__(self) -> Iterable[str]:
        return sorted({*super().__dir__(), *[name.name for name in self._values.values() if name.name.isidentifier()]})

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

    @property
    def loaded(self) -> bool:
        """Whether it was not unloaded."""
        return self._loaded

    def reload(self) -> None:
        """Link what the files of the module's objects hold now: the next call runs the new code.

        Functions that Python has got from the module are the new ones from then on; results of old calls stay valid,
        and keep the old code while they are not evaluated. Modules that import it are linked anew, too.

        Raises ReloadError, and the old code stays, when an exported name has another type now (both are shown), or
        when an importing module was compiled against what is no longer so; and the errors of loading.
        """
        from rtlinker.haskell.reload import reload

        reload(self)

    def renew_handles(self) -> None:
        """Lead the handles that were given out to the values that the names mean now; others are closed."""
        gone = [key for key in self._handles if key[0] not in self._values and self._called(key[0]) is None]
        for key in gone:
            self._handles.pop(key).close()
        addresses = [self.find(spelling).address for spelling, _ in self._handles]
        with self.machine.values.heap as heap:  # nobody reads a handle meanwhile
            for made, address in zip(self._handles.values(), addresses):
                old, made.stable = made.stable, heap.keep(address)
                heap.drop(old)

    def unload(self) -> None:
        """Take the module's names out of the process; a second call does nothing.

        The memory is given back as soon as nothing in Haskell reaches it any more: values that are not evaluated yet,
        handles and running threads may need the code (`haskell.keeper`).
        """
        with LOCK:
            if not self._loaded:
                return
            self._loaded = False
            self.runtime.modules.remove(self)
            for made in self._handles.values():
                made.close()
            self._handles.clear()
            self.machine.keeper.unload(*dict.fromkeys(self.linked), *self._foreign)

    def __repr__(self) -> str:
        return f"<rtlinker.haskell.Module {', '.join(self.names)}{'' if self._loaded else ', unloaded'}>"
