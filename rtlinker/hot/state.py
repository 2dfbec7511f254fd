"""What a module is made of while it is loaded, reloaded and closed: its versions, handles, and registrations."""

from __future__ import annotations

import ctypes
from time import monotonic

from rtlinker.bind.ctype import declare
from rtlinker.errors import LinkError
from rtlinker.hot import retire
from rtlinker.hot.calls import HotFunction, closed, removed, stale
from rtlinker.hot.described import functions_by_symbol, passing
from rtlinker.hot.errors import NotPurgedError, StickyError
from rtlinker.hot.migrating import call_text
from rtlinker.hot.rebinding import rebind_registrations
from rtlinker.link.scope import Definition
from rtlinker.x86_64.registry import NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtlinker.bind.call import Data
    from rtlinker.bind.ctype import FunctionType
    from rtlinker.hot.check import Check
    from rtlinker.hot.domain import Domain
    from rtlinker.hot.options import Settings
    from rtlinker.hot.registry import NativeThread, Registry
    from rtlinker.hot.version import Version
    from rtlinker.live.undo import UndoStack


class ModuleState:
    """A module as the steps of a reload see it.

    `versions_kept` are the versions of which anything is left, oldest first, the current one last; `handles` are the
    functions that were given out, by symbol. `kept` and `thunks` hold what C code may call of Python's.
    """

    def __init__(self, name: str, paths: Sequence[object], settings: Settings, domain: Domain) -> None:
        self.name = name
        self.paths = paths
        self.settings = settings
        self.domain = domain
        self.versions_kept: list[Version] = []
        self.handles: dict[str, HotFunction] = {}
        self._refused: dict[tuple[str, int], HotFunction] = {}
        self.kept: dict[object, object] = {}
        self.thunks: dict[tuple[str, int, str], int | None] = {}
        self.closed = False
        self._sticky = False
        self.left_by_search = 0
        self._last = 0
        self.registry: Registry | None = None
        self.dso_handle = ctypes.create_string_buffer(8)
        self._data: dict[str, tuple[int, Data]] = {}

    @property
    def current(self) -> Version:
        """The version that calls reach. Raises LinkError when the module was closed and has none any more."""
        if self.closed and not self.versions_kept:
            raise LinkError("module was closed", [("module", self.name)], "load it again")
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
        if len(retire.old_versions(self)) >= self.settings.max_retained:
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

    def after_rollback(self, version: Version, left: Version, retyped: set[str]) -> None:
        """The same after a rollback from `left`; the functions in `retyped` have their old signature again."""
        version.since = monotonic()
        left.retired = self.domain.epoch
        rebind_registrations(self, left, version)
        for name in retyped & self.handles.keys():
            was, now = (functions_by_symbol(each)[name] for each in (left, version))
            handle = self.handles[name]
            handle.refuse(stale(handle.__name__, declare(was.type, was.name), declare(now.type, now.name)))
            self._drop_handle(name)
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
            elif check is not None and name in check.gate.signatures.changed:
                handle.refuse(stale(handle.__name__, *check.gate.signatures.changed[name]))
                self._drop_handle(name)
            else:
                handle.allow()
                declared = self._declared(name)
                if declared is not None and name not in self._typed_by_hand:
                    handle.retype(declared)
        self._take_back_handles(version)

    def _take_back_handles(self, version: Version) -> None:
        """Handles that were refused are good again when their function is back, at their own entry."""
        for (name, address), handle in list(self._refused.items()):
            number = self.domain.numbers.get(self._entry_name(name)) if name in version.where else None
            if number is not None and self.domain.entries.address(number, low=False) == address:
                del self._refused[name, address]
                handle.allow()
                self.handles.setdefault(name, handle)

    def _drop_handle(self, name: str) -> None:
        handle = self.handles.pop(name, None)
        if handle is not None:
            self._refused[name, handle.address] = handle
        self.__dict__.pop(name, None)

    def _entry_name(self, name: str) -> str:
        return name if self.current.visible(name) else f"{self.name}\0{name}"

    def _declared(self, symbol: str) -> FunctionType | None:
        known = functions_by_symbol(self.current).get(symbol)
        return known.type if known is not None else None

    @property
    def _typed_by_hand(self) -> set[str]:
        found: set[str] = self.__dict__.setdefault("_by_hand", set())
        return found

    def fits_by_hand(self, name: str, declared: FunctionType) -> bool:
        """Whether a handle that was typed by hand passes its values as the function takes them."""
        if name not in self._typed_by_hand or name not in self.handles or not declared.prototyped:
            return True
        return passing(self.handles[name].ctype) == passing(declared)

    def refuse_all(self) -> None:
        """Let every handle say that the module was closed."""
        for name, handle in [*self.handles.items(), *((name, each) for (name, _), each in self._refused.items())]:
            handle.refuse(closed(self.name, name))
