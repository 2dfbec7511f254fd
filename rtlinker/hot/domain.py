"""A domain: hot modules that call each other, and the entries by which they do."""

from __future__ import annotations

import ctypes

from rtlinker.facts import Fact
from rtlinker.hot.calls import Calls
from rtlinker.hot.entries import Entries, Table, trap_page
from rtlinker.hot.turn import Turn
from rtlinker.link.scope import Definition
from rtlinker.live.undo import UndoStack
from rtlinker.x86_64.entries import ENTRY_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rtlinker.host.memory import Reservation
    from rtlinker.hot.calls import HotFunction
    from rtlinker.hot.module import Module
    from rtlinker.hot.version import Version

    Targets = dict[int, int]

PROVIDER = "hot modules"


class Retired(Fact):
    """A table of entries that was replaced, and the epoch that began then."""

    table: Table
    epoch: int


class Domain:
    """Modules that see each other's functions and variables, and whose calls of each other reach the newest version.

    There is one for everybody (`rtlinker.hot.domain`); programs that want modules apart make their own.
    """

    def __init__(self) -> None:
        self.entries = Entries()
        self.turn = Turn()
        self.calls = Calls()
        self.modules: list[Module] = []
        self.numbers: dict[str, int] = {}
        self.retired: list[Retired] = []
        self.closing: list[Module] = []
        self.later: dict[int, tuple[HotFunction, str]] = {}
        """Entries of functions that are gone, whose last calls have not returned: then they lead to the text."""
        self._traps: list[tuple[Reservation, tuple[int, ...]]] = []
        self.opening: list[Callable[[], None]] = []
        """What lets calls go on that wait for a reload."""

    @property
    def epoch(self) -> int:
        """How many switches there have been."""
        return self.calls.epoch[0]

    def number(self, name: str, undo: UndoStack) -> int:
        """The number of the entry of a name, a new one if it has none; undoing takes that back."""
        number = self.numbers.get(name)
        if number is None:
            number = self.numbers[name] = self.entries.take(undo)
            undo.push(lambda: self.numbers.pop(name, None))
        return number

    def renew(self, name: str, undo: UndoStack) -> int:
        """Another entry for a name, whose old one stays with those who have it."""
        old = self.numbers.pop(name, None)
        if old is not None:
            undo.push(lambda: self.numbers.update({name: old}))
        return self.number(name, undo)

    def definition(self, name: str, number: int, low: bool = False) -> Definition:
        """What a reference to the newest version of a function means."""
        address = self.entries.address(number, low)
        return Definition(name, address, PROVIDER, "function", ENTRY_SIZE, writable=False)

    def switch(self, targets: Targets, done: list[bool] | None = None) -> None:
        """Let entries lead to new code, all at once; an epoch ends. `done[0]` is true from then on.

        Python lets an interrupt in where a function is called: there is none between the first store and the last.
        """
        entries, epochs, done = self.entries, self.calls.epoch, [False] if done is None else done
        table, epoch = entries.changed(targets), epochs[0] + 1
        later = {number: gone for number, gone in self.later.items() if number not in targets}
        retired, address = [*self.retired, Retired(entries.table, epoch)], ctypes.addressof(table)
        word = entries.word
        word.value = address  # the one store
        entries.table = table
        epochs[0] = epoch
        self.retired = retired
        self.later = later  # a function that came back is gone no more
        done[0] = True
        for module in self.modules:
            if module.registry is not None:
                module.registry.set_epoch(self.epoch)

    def open_gates(self) -> None:
        """Let calls go on."""
        while self.opening:
            self.opening[-1]()
            self.opening.pop()

    def traps(self, messages: Mapping[int, str]) -> Targets:
        """For entries that lead nowhere, code that says why and aborts; it stays as long as one leads there."""
        if not messages:
            return {}
        page, addresses = trap_page(list(messages.values()))
        self._traps.append((page, tuple(messages)))
        return dict(zip(messages, addresses))

    def _settle_traps(self) -> None:
        for trap in list(self._traps):
            page, numbers = trap
            targets = [self.entries.target(number) for number in numbers]
            if not any(page.address <= target < page.address + page.size for target in targets):
                self._traps.remove(trap)
                page.release()

    def forget(self, version: Version, module: str) -> None:
        """Let no entry lead into a version's code any more: those that still do say what happened."""
        start, end = version.text
        lost = {
            number: f"an old signature of {name} was called; its version {version.number} of {module} is gone"
            for number, name in version.renewed.items()
            if start <= self.entries.target(number) < end
        }
        for number in [number for number in self.later if start <= self.entries.target(number) < end]:
            lost[number] = self.later.pop(number)[1]
        if lost:
            self.switch(self.traps(lost))

    def sweep(self) -> None:
        """Free what nobody can be in any more: old versions, and what closed modules have left."""
        from rtlinker.hot import retire
        from rtlinker.hot.closing import free_closed

        for module in self.modules:
            retire.sweep(module)
        self.closing = [module for module in self.closing if not free_closed(module)]
        self.settle_tables()

    def settle_tables(self) -> None:
        """Let go of tables that no call can be reading."""
        running = {id(mark[0]) for mark in list(self.calls.running.values())}
        done = {number: text for number, (handle, text) in self.later.items() if id(handle) not in running}
        if done:
            for number in done:
                del self.later[number]
            self.switch(self.traps(done))
        if not self.retired:
            return
        marks = [mark[1] for mark in list(self.calls.running.values())]
        marks += [thread.epoch for module in (*self.modules, *self.closing) for thread in module.native_threads()]
        oldest = min(marks, default=self.epoch)
        for old in self.retired:
            if old.epoch <= oldest:  # what is left over in freed memory shall not look like a pointer
                ctypes.memset(old.table, 0, ctypes.sizeof(old.table))
        self.retired = [old for old in self.retired if old.epoch > oldest]
        if not self.retired:
            self._settle_traps()

    def module_of(self, name: str) -> Module | None:
        """The first module whose current version defines a function for everybody."""
        return next((module for module in self.modules if module.current.exports_function(name)), None)

    def others(self, module: str, pending: Mapping[str, Version]) -> Iterator[Version]:
        """The versions of the other modules, those about to be current where there are such."""
        for other in self.modules:
            if other.name != module:
                yield pending.get(other.name, other.current)
        known = {other.name for other in self.modules}
        for name, version in pending.items():
            if name not in known and name != module:
                yield version


class EntryDefinitions:
    """Names to entries, made when they are asked for; undoing what asked takes them back."""

    def __init__(self, domain: Domain, undo: UndoStack) -> None:
        self._domain = domain
        self._undo = undo

    def __getitem__(self, name: str) -> Definition:
        return self._domain.definition(name, self._domain.number(name, self._undo))
