"""`Module`: what a Python programmer holds of code that is replaced while it runs."""

from __future__ import annotations

import ctypes
from time import monotonic

from rtlinker.errors import LinkError, UndefinedSymbol, UndefinedSymbolsError
from rtlinker.hot import retire
from rtlinker.hot.calls import HotFunction, closed, removed, stale
from rtlinker.hot.errors import NotPurgedError, StickyError, StillInUseError, SymbolRemovedError
from rtlinker.hot.gate import functions_by_symbol
from rtlinker.hot.migrating import call_text
from rtlinker.hot.options import options
from rtlinker.hot.rebinding import rebind_registrations
from rtlinker.hot.transaction import Transaction
from rtlinker.link.scope import Definition
from rtlinker.live.collect import LOCK
from rtlinker.x86_64.registry import NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Any

    from rtlinker.bind.call import Data
    from rtlinker.bind.ctype import CType, FunctionType
    from rtlinker.hot.check import Check
    from rtlinker.hot.domain import Domain
    from rtlinker.hot.options import Settings
    from rtlinker.hot.registry import NativeThread, Registry
    from rtlinker.hot.report import Report
    from rtlinker.hot.version import Version, VersionState
    from rtlinker.live.undo import UndoStack

PAUSE = 0.002
"""Seconds between two looks at whether old code is still in use."""


class Module:
    """Objects that are replaced together while the process runs: `module.step(...)` always runs the newest version.

    `reload` takes the new files in, or leaves everything as it was; `version` counts from 1. Functions keep their
    address, variables their place and value. Old code is freed when nobody can be in it: `versions` tells what is
    there and why, `running` what a call reaches now. A name of C that is also one of this class's is reached by
    `module.function(name)` or `module[name]`.
    """

    def __init__(self, name: str, paths: Sequence[object], settings: Settings, domain: Domain) -> None:
        self.name = name
        self.paths = paths
        self.settings = settings
        self.domain = domain
        self.versions_kept: list[Version] = []
        self.handles: dict[str, HotFunction] = {}
        self.kept: dict[object, object] = {}
        self.thunks: dict[tuple[str, int, str], int | None] = {}
        self.closed = False
        self._sticky = False
        self._last = 0
        self.registry: Registry | None = None
        self.dso_handle = ctypes.create_string_buffer(8)
        self._data: dict[str, tuple[int, Data]] = {}

    # what a reload asks

    @property
    def current(self) -> Version:
        """The version that calls reach."""
        return self.versions_kept[-1]

    @property
    def next_number(self) -> int:
        """What the next version will be called."""
        return self._last + 1

    def admit(self) -> None:
        """Raise when there must be no new version: StickyError, NotPurgedError, LinkError for a closed module."""
        if self.closed:
            raise LinkError("module was closed", [("module", self.name)], "load it again")
        if self._sticky:
            raise StickyError(self.name)
        if len(self.versions_kept) > self.settings.max_retained:
            retire.sweep(self, search=True)
            held = [version for version in retire.old_versions(self) if version.reasons]
            if len(held) >= self.settings.max_retained:
                raise NotPurgedError(self.name, len(held), [text for version in held for text in version.reasons])

    def extra_definitions(self, undo: UndoStack) -> Callable[[str], Definition | None]:
        """What finds names that are the module's, not a version's: those by which functions are registered."""

        def find(name: str) -> Definition | None:
            if name == "__dso_handle":
                return Definition(name, ctypes.addressof(self.dso_handle), self.name, "data", 8)
            if name not in NAMES:
                return None
            address = self._registry(undo).definitions({name}).get(name)
            return Definition(name, address, "rtlinker", "function") if address else None

        return find

    def _registry(self, undo: UndoStack) -> Registry:
        if self.registry is None:
            from rtlinker.hot.registry import Registry

            self.registry = Registry()
            self.registry.set_epoch(self.domain.epoch)
            undo.push(self._drop_registry)
        return self.registry

    def _drop_registry(self) -> None:
        registry, self.registry = self.registry, None
        if registry is not None:
            registry.close()

    def native_threads(self) -> tuple[NativeThread, ...]:
        """The threads that the module's code has started and that may still be in it."""
        return self.registry.threads() if self.registry is not None else ()

    def literals(self) -> dict[tuple[bytes, int], tuple[int, int]]:
        """Constants of all versions whose memory is there."""
        found: dict[tuple[bytes, int], tuple[int, int]] = {}
        for version in self.versions_kept:
            found.update(version.literals)
        return found

    def withdraw(self, version: Version) -> None:
        """Take back what a version registered that never became current."""
        if self.registry is not None:
            self.registry.withdraw(self.registry.pending(*version.span))

    def domain_has_other(self, name: str) -> bool:
        """Whether another module defines a function of that name, too."""
        return any(other is not self and other.current.exports_function(name) for other in self.domain.modules)

    def calls_of(self, name: str) -> list[str]:
        """Calls from Python of one function that run now."""
        return [
            call_text(thread, mark)
            for thread, mark in list(self.domain.calls.running.items())
            if mark[0] is self.handles.get(name)
        ]

    def would_be_in_flight(self) -> tuple[str, ...]:
        """Who would be in old code if there were a switch now."""
        return retire.in_flight(self.domain, self.domain.epoch + 1)

    def replaced(self, version: Version, check: Check | None) -> tuple[str, ...]:
        """After a switch: what old handles mean now, and which old code can go; who is still in old code."""
        self._last = max(self._last, version.number)
        version.since = monotonic()
        old = next((each for each in reversed(self.versions_kept[:-1]) if not each.text_freed), None)
        in_flight: tuple[str, ...] = ()
        if old is not None:
            old.retired = self.domain.epoch
            in_flight = (*retire.in_flight(self.domain, self.domain.epoch), *retire.native_threads(self, old))
            rebind_registrations(self, old, version)
        self._settle_handles(version, check, old)
        self.domain.settle_tables()
        retire.sweep(self)
        return in_flight

    def after_rollback(self, version: Version, left: Version) -> None:
        """The same after a rollback from `left`."""
        version.since = monotonic()
        left.retired = self.domain.epoch
        rebind_registrations(self, left, version)
        self._settle_handles(version, None, left)
        self.domain.settle_tables()
        retire.sweep(self)

    def _settle_handles(self, version: Version, check: Check | None, old: Version | None) -> None:
        for name in list(self.handles):
            handle = self.handles[name]
            if name not in version.where:
                last = old.number if old is not None else version.number
                handle.refuse(removed(self.name, name, version.number, last))
                self._drop_handle(name)
            elif check is not None and name in check.gate.changed_signatures:
                handle.refuse(stale(handle.__name__, *check.gate.changed_signatures[name]))
                self._drop_handle(name)
            else:
                handle.allow()
                declared = self._declared(name)
                if declared is not None and name not in self._typed_by_hand:
                    handle.retype(declared)

    def _drop_handle(self, name: str) -> None:
        self.handles.pop(name, None)
        self.__dict__.pop(name, None)

    # what people ask

    @property
    def version(self) -> int:
        """The number of the version that calls reach."""
        return self.current.number

    def versions(self) -> tuple[VersionState, ...]:
        """The versions that are there, oldest first: the state of each, and why one is retained."""
        with LOCK:
            if self.closed:
                return ()
            retire.sweep(self)
            current = self.current
            return tuple([version.state(current) for version in self.versions_kept if not version.text_freed])

    def running(self) -> dict[str, int]:
        """For each function, the number of the version that a call reaches now, as the entries' table has it."""
        found = {}
        for name in self.current.where:
            number = self.domain.numbers.get(self._entry_name(name))
            target = self.domain.entries.target(number) if number is not None else 0
            for version in self.versions_kept:
                start, end = version.text
                if not version.text_freed and start <= target < end:
                    found[name] = version.number
        return found

    def _entry_name(self, name: str) -> str:
        return name if self.current.visible(name) else f"{self.name}\0{name}"

    def reload(self, *paths: object, **choices: object) -> Report:
        """Take in the module's files again, or `paths` in their place; the report of what changed.

        Options: see `rtlinker.hot.reload`. Raises LinkError subclasses; the version that ran before still runs then.
        """
        made = options(**choices)
        (report,) = Transaction(self.domain, [(self, paths or self.paths)], made).run()
        if paths:
            self.paths = paths
        return report

    def prepare(self, *paths: object, **choices: object) -> Report:
        """What `reload` would do, without doing it: nothing is run, nothing changes. Raises what it would raise."""
        made = options(**choices)
        (report,) = Transaction(self.domain, [(self, paths or self.paths)], made).run(dry=True)
        return report

    def rollback(self, **choices: object) -> Report:
        """Make the version before the current one current again. Raises ReloadError when it is gone."""
        from rtlinker.hot.rollback import roll_back

        with LOCK:
            return roll_back(self, options(**choices))

    def soft_purge(self) -> bool:
        """Free all old versions, those kept for a rollback too, if nothing is in them; else leave all, and False."""
        with LOCK:
            old = retire.old_versions(self)
            for version in old:
                version.reasons = retire.reasons(self, version)
            if any(version.reasons for version in old):
                return False
            retire.release(self, old, search=True)
            return not retire.old_versions(self)

    def purge(self, timeout: float = 10.0) -> None:
        """Free all old versions, waiting up to `timeout` seconds for who is in them.

        Raises StillInUseError, which says who is in which function since when. Nothing is ever stopped.
        """
        from time import sleep

        deadline = monotonic() + timeout
        while not self.soft_purge():
            if monotonic() >= deadline:
                old = retire.old_versions(self)
                raise StillInUseError(self.name, [text for version in old for text in version.reasons])
            sleep(PAUSE)

    def stick(self) -> None:
        """Refuse reloads from now on."""
        self._sticky = True

    def unstick(self) -> None:
        """Allow reloads again."""
        self._sticky = False

    # names

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

        if _passing(wanted) != _passing(declared):
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

    def _declared(self, symbol: str) -> FunctionType | None:
        known = functions_by_symbol(self.current).get(symbol)
        return known.type if known is not None else None

    @property
    def _typed_by_hand(self) -> set[str]:
        found: set[str] = self.__dict__.setdefault("_by_hand", set())
        return found

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
                    home = next(version for version in self.versions_kept if version.number == placed.body)
                    place = _thread_local(home, placed.definition)
                data = Data(place, ctype, name, self)
                self._data[name] = self.version, data
                return data
        return None

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
        return sorted({*super().__dir__(), *(name for name in self.names() if name.isidentifier())})

    # the end

    def close(self) -> None:
        """Run destructors and give everything back; a second call does nothing.

        Raises LinkError while a call runs in the module; nothing has changed then.
        """
        from rtlinker.hot.closing import close_module

        with LOCK:
            if not self.closed:
                close_module(self)

    def refuse_all(self) -> None:
        """Let every handle say that the module was closed."""
        for name, handle in self.handles.items():
            handle.refuse(closed(self.name, name))

    def __enter__(self) -> Module:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; an exception on its way out goes on, with a note if closing is refused."""
        from rtlinker.live.linker import leave

        leave(self.close, error)

    def __repr__(self) -> str:
        if self.closed:
            return f"<rtlinker.hot.Module {self.name}, closed>"
        return f"<rtlinker.hot.Module {self.name}, version {self.version}>"


def _passing(ctype: FunctionType) -> tuple[object, ...]:
    """How a call passes each value: in what sort of register, of what size. A pointer is as good as its number."""
    from rtlinker.bind.ctype import Base, plain, size_of

    types = [plain(each) for each in (ctype.result, *(parameter.type for parameter in ctype.parameters))]
    sorts = [isinstance(each, Base) and each.encoding in {"float", "complex"} for each in types]
    return (ctype.variadic, *zip(sorts, [size_of(each) for each in types]))


def _thread_local(version: Version, definition: Definition) -> Callable[[], int]:
    """What gives the calling thread's address of a thread-local variable."""
    from rtlinker.host.written_library import thread_local_address

    variable = definition.variable
    assert variable is not None
    threads = version.image.addresses.threads
    assert threads is not None
    return lambda: thread_local_address(threads.module, variable.offset)
