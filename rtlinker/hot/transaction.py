"""A reload, of any number of modules: everything that can fail happens before the one store that makes it true.

    read      files to objects; what is unchanged is left alone
    link      each new version: its names, the check against the old one, its memory
    start     constructors and load hooks of the new versions
    migrate   state whose layout changed, while calls from Python wait
    switch    one store: from here on every call reaches the new versions
    retire    the old versions, which go when nobody can be in them

Until the switch an undo stack takes everything back.
"""

from __future__ import annotations

from time import perf_counter

from rtlinker.errors import LinkError, ReloadError, UndefinedSymbolsError
from rtlinker.hot.check import Check
from rtlinker.hot.domain import EntryDefinitions
from rtlinker.hot.drafting import draft
from rtlinker.hot.report import Report
from rtlinker.hot.scope import Neighbourhood
from rtlinker.hot.starting import Starting
from rtlinker.live.undo import UndoStack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from rtlinker.hot.domain import Domain
    from rtlinker.hot.module import Module
    from rtlinker.hot.options import Options
    from rtlinker.hot.version import Version

    Request = tuple[Module, Sequence[object]]


class Transaction:
    """One reload of several modules, each with the files for it."""

    def __init__(self, domain: Domain, requests: Sequence[Request], options: Options) -> None:
        self._domain = domain
        self._requests = requests
        self._options = options
        self._undo = UndoStack()
        self._seconds: dict[str, float] = {}
        self._drafts: dict[str, Version] = {}
        self._modules: dict[str, Module] = {}
        self._unchanged: list[Module] = []
        self._checks: dict[str, Check] = {}
        self._starting: dict[str, Starting] = {}
        self._switched = [False]

    def run(self, dry: bool = False) -> tuple[Report, ...]:
        """Do it, or with `dry` only find out what would be done. Raises LinkError when it cannot be; all is as before.

        One at a time: a second thread waits for the first. Raises ReloadError within another one.
        """
        with self._domain.turn:
            try:
                self._prepare()
                if dry:
                    return self._reports()
                self._start()
                self._migrate()
                self._switch()
                return self._reports(self._retire())
            except BaseException:
                if self._switched[0]:  # interrupted behind the store: what follows from it must not be missing
                    self._retire()
                raise
            finally:
                if not self._switched[0]:
                    self._undo.run()

    def _timed(self, step: str, began: float) -> None:
        self._seconds[step] = self._seconds.get(step, 0.0) + perf_counter() - began

    def _prepare(self) -> None:
        began = perf_counter()
        for module, paths in self._requests:
            version = draft(module, paths, self._undo)
            current = module.versions_kept[-1] if module.versions_kept else None
            if current is not None and current.content == version.content and not self._options.forced:
                self._unchanged.append(module)
                version.linker.close()
                continue
            module.admit()
            self._drafts[module.name] = version
            self._modules[module.name] = module
        self._timed("read", began)
        began = perf_counter()
        self._link_all()
        for name, version in self._drafts.items():
            self._checks[name].neighbours(self._domain, self._drafts, version)
        self._timed("link", began)

    def _link_all(self) -> None:
        """Link the drafts, those first whose variables others need. Raises what none of the orders can help."""
        waiting = list(self._drafts)
        while waiting:
            failure: UndefinedSymbolsError | None = None
            before = len(waiting)
            for name in list(waiting):
                try:
                    self._link(self._modules[name], self._drafts[name])
                    waiting.remove(name)
                except UndefinedSymbolsError as error:
                    failure = failure or error
                    if len(waiting) == 1 or not self._helped(error, waiting, name):
                        raise
            if failure is not None and len(waiting) == before:
                raise failure

    def _helped(self, error: UndefinedSymbolsError, waiting: list[str], name: str) -> bool:
        """Whether drafts that are not linked yet have all of the missing names."""
        others = [self._drafts[other] for other in waiting if other != name]
        return all(any(other.strong_place(symbol.name) for other in others) for symbol in error.symbols)

    def _link(self, module: Module, version: Version) -> None:
        undo = self._undo
        definitions = EntryDefinitions(self._domain, undo)
        around = Neighbourhood(list(self._domain.others(module.name, self._drafts)), definitions)
        check = Check(module, version, self._options, around, self._drafts.values())
        version.around, self._checks[module.name] = around, check
        extra = module.extra_definitions(undo)
        version.linker.build(around, extra, lambda found: check.rewrite(found, definitions, undo))
        undo.push(version.linker.free_body)
        undo.push(version.linker.free_text)
        version.settle()
        for name in version.where:
            number = check.numbers[name]
            if self._domain.entries.target(number) == self._domain.entries.nowhere:
                self._domain.entries.preset(number, version.functions[name])

    def _start(self) -> None:
        began = perf_counter()
        for name, version in self._drafts.items():
            starting = self._starting[name] = Starting(self._modules[name], version, self._options)
            starting.run(self._undo)
        self._timed("start", began)

    def _migrate(self) -> None:
        began = perf_counter()
        checks = [check for check in self._checks.values() if check.migrations]
        if checks:
            from rtlinker.hot.migrating import migrate_all

            migrate_all(self._domain, checks, self._undo, self._options.timeout)
        self._timed("migrate", began)

    def _switch(self) -> None:
        """The store, and what is noted before it."""
        began, domain, targets = perf_counter(), self._domain, {}
        later = dict(domain.later)
        self._undo.push(lambda: setattr(domain, "later", later))
        for name, version in self._drafts.items():
            targets.update(self._checks[name].targets())
            self._checks[name].before_switch(self._undo)
            _append(domain.modules, self._modules[name], self._undo)
            _append(self._modules[name].versions_kept, version, self._undo)
        for check in self._checks.values():
            targets.update(check.abandoned(domain))
        if self._drafts:
            domain.switch(targets, self._switched)
        self._timed("switch", began)

    def _retire(self) -> dict[str, tuple[str, ...]]:
        """What follows from the store; doing it again does no harm. Who is in old code, by module."""
        began = perf_counter()
        self._domain.open_gates()
        self._undo.drop()  # from here on there is no way back
        in_flight = {}
        for name, version in self._drafts.items():
            in_flight[name] = self._modules[name].replaced(version, self._checks[name])
        self._timed("switch", began)
        return in_flight

    def _reports(self, in_flight: dict[str, tuple[str, ...]] | None = None) -> tuple[Report, ...]:
        reports = []
        for module, _ in self._requests:
            version = self._drafts.get(module.name)
            if version is None:
                reports.append(_unchanged(module, self._seconds))
            else:
                check = self._checks[module.name]
                flight = in_flight.get(module.name, ()) if in_flight is not None else module.would_be_in_flight()
                reports.append(check.report(flight, self._seconds))
        return tuple(reports)


def _append(things: list[Any], thing: object, undo: UndoStack) -> None:
    """Append a thing that is not there yet; undoing removes it."""
    if thing not in things:
        undo.push(lambda: things.remove(thing) if thing in things else None)
        things.append(thing)


def _unchanged(module: Module, seconds: dict[str, float]) -> Report:
    current = module.current
    return Report(module.name, current.number, True, (), (), (), (), (), (), seconds, (current, current))


def check_one_domain(modules: Sequence[Module]) -> Domain:
    """The domain of modules that are to be reloaded together. Raises LinkError for several, for none, and for twins."""
    if not modules:
        raise TypeError("nothing to reload: give at least one module")
    if len({id(module) for module in modules}) < len(modules):
        raise ReloadError("check", "module given twice", [("module", ", ".join(module.name for module in modules))])
    domains = {id(module.domain) for module in modules}
    if len(domains) > 1:
        raise LinkError("modules of different domains", [("module", ", ".join(module.name for module in modules))])
    return modules[0].domain
