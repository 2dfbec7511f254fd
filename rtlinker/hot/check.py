"""What a new version changes, and whether that can be: between resolving a link and placing it."""

from __future__ import annotations

from rtlinker.errors import UndefinedSymbol, UndefinedSymbolsError
from rtlinker.facts import replace
from rtlinker.host.demangle import readable
from rtlinker.hot.carry import Literals, carry, rebind
from rtlinker.hot.described import read_programs
from rtlinker.hot.errors import IncompatibleLayoutError, RemovedError, UnsafeRebindError
from rtlinker.hot.gate import Gate
from rtlinker.hot.redirect import LATEST, functions_of, is_low, redirect
from rtlinker.hot.report import Report
from rtlinker.hot.variables import pair_units, unit_names, variables_of
from rtlinker.link.resolution import InObject
from rtlinker.link.scope import Definition
from rtlinker.live.undo import UndoStack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rtlinker.hot.domain import Domain, EntryDefinitions
    from rtlinker.hot.layouts import Migration
    from rtlinker.hot.module import Module
    from rtlinker.hot.options import Options
    from rtlinker.hot.scope import Neighbourhood
    from rtlinker.hot.variables import Variable
    from rtlinker.hot.version import Version
    from rtlinker.link.resolution import Resolution


class Check:
    """The check of one module's new version against its current one, and what follows for entries and state."""

    def __init__(
        self, module: Module, version: Version, options: Options, around: Neighbourhood, drafts: Iterable[Version]
    ) -> None:
        self.module = module
        self.version = version
        self.options = options
        self.around = around
        self.old: Version | None = module.versions_kept[-1] if module.versions_kept else None
        self.numbers: dict[str, int] = {}
        self.renewed: dict[str, int] = {}
        self.gate = Gate(self.old, version, options, drafts)
        self._gone: dict[str, int] = {}
        self._traps: dict[str, int] = {}

    def rewrite(self, found: Resolution, definitions: EntryDefinitions, undo: UndoStack) -> Resolution:
        """The resolution in which functions lead to entries, and variables that live on to where they are.

        Raises a ReloadError for what must not be.
        """
        version, domain = self.version, self.module.domain
        version.resolved(found)
        version.where = functions_of(found)
        read_programs(version, self.old)
        self._refuse_unknown_latest(found, domain)
        self.gate.signatures.check(self.module, self._others())
        low = is_low(found)
        entries = {}
        for name, where in version.where.items():
            self.numbers[name] = self._number(name, undo)
            entries[where] = domain.definition(name, self.numbers[name], low)
        resolution = redirect(found, entries, self._inner(found))
        self.gate.signatures.check_removed(self.module, self._others())
        resolution = self._outside(resolution, domain, low)
        return self._carry(resolution)

    @property
    def migrations(self) -> list[Migration]:
        """Variables whose new value a function of the caller makes."""
        return self.gate.layouts.migrations

    def entry_name(self, name: str) -> str:
        """What the entry of a function is called in the domain: hidden functions are their module's own."""
        return name if self.version.visible(name) else f"{self.module.name}\0{name}"

    def _number(self, name: str, undo: UndoStack) -> int:
        domain, called = self.module.domain, self.entry_name(name)
        if name in self.gate.signatures.changed:
            self.renewed[name] = domain.numbers[called]
            return domain.renew(called, undo)
        return domain.number(called, undo)

    def _others(self) -> list[Version]:
        """The current versions of the other modules that stay as they are."""
        return [
            other.current
            for other in self.module.domain.modules
            if other is not self.module and other.name not in self.gate.reloading
        ]

    def _refuse_unknown_latest(self, found: Resolution, domain: Domain) -> None:
        """Raise for RTL_LATEST of a function that nobody has."""
        unknown = [
            name
            for name in sorted(self.around.latest)
            if name not in self.version.where
            and domain.module_of(name) is None
            and not any(other.exports_function(name) for other in self.gate.drafts)
        ]
        if unknown:
            symbols = []
            for name in unknown:
                users = [
                    object.name
                    for object, index in zip(found.objects, found.indexes)
                    if LATEST + name in index.undefined
                ]
                symbols.append(UndefinedSymbol(LATEST + name, users, f"no hot module defines {name}"))
            raise UndefinedSymbolsError(symbols)

    def _inner(self, found: Resolution) -> frozenset[int]:
        """The objects whose own calls are redirected, too. Raises UnsafeRebindError where that is not proven safe."""
        if self.module.settings.self_calls != "latest":
            return frozenset()
        from rtlinker.hot.flags import missing_flag

        for number, object in enumerate(found.objects):
            missing = missing_flag(self.version.programs.get(number))
            if missing is not None:
                raise UnsafeRebindError([("file", object.name), ("compiled", missing)])
        return frozenset(range(len(found.objects)))

    def _outside(self, resolution: Resolution, domain: Domain, low: bool) -> Resolution:
        """References to other modules' entries: a link in low memory needs the entries that are there."""
        self.version.entries_used = {}
        for name in [*self.around.functions, *self.around.latest]:
            number = domain.numbers.get(name)
            if number is not None:
                self.version.entries_used[name] = number
        if not low:
            return resolution
        lowered = {
            domain.entries.address(number, False): domain.definition(name, number, True)
            for name, number in self.version.entries_used.items()
        }
        bound = tuple(
            {
                symbol: lowered.get(meaning.address, meaning) if isinstance(meaning, Definition) else meaning
                for symbol, meaning in mine.items()
            }
            for mine in resolution.bound
        )
        return replace(resolution, bound=bound)

    def _carry(self, resolution: Resolution) -> Resolution:
        version, old = self.version, self.old
        names = [name for units in unit_names(resolution) for _, name in units]
        version.units = pair_units(list(old.units.values()) if old else [], names) if old else {}
        version.units = {**{name: name for name in names}, **version.units}
        variables = variables_of(resolution, version.programs, version.units)
        matched = self.gate.layouts.check(variables)
        literals = Literals(self.module.literals() if old else {})
        carried = carry(resolution, variables, matched, literals)
        if carried.crowded:
            raise crowded_error(carried.crowded)
        if carried.misaligned:
            raise misaligned_error(carried.misaligned)
        version.carried = carried
        return rebind(resolution, carried)

    def neighbours(self, domain: Domain, drafts: Mapping[str, Version], version: Version) -> None:
        """Raise for variables that other modules use and that are elsewhere now, or gone."""
        gone: list[tuple[str, str]] = []
        for other in domain.modules:
            user = drafts.get(other.name, other.current)
            self._compare_data(user, version, gone)
        for user in drafts.values():
            if all(other.name != user.module for other in domain.modules):
                self._compare_data(user, version, gone)
        if gone:
            raise RemovedError([name for name, _ in gone], [("moved", text) for _, text in gone])

    def _compare_data(self, user: Version, version: Version, gone: list[tuple[str, str]]) -> None:
        if user.module == version.module or user.around is None:
            return
        for name, (owner, known) in user.around.data.items():
            if owner == version.module:
                now = version.exported_datum(name)
                if now is None or (now.address, now.variable) != (known.address, known.variable):
                    what = "gone" if now is None else "elsewhere"
                    gone.append((name, f"{readable(name)} is {what}, and {user.module} uses it"))

    def targets(self) -> dict[int, int]:
        """Where each entry of the version leads to."""
        found = {}
        for name, number in self.numbers.items():
            first = self.module.domain.module_of(name) if self.version.visible(name) else None
            if first is None or first is self.module or not self._is_weak(name):
                found[number] = self.version.functions[name]
        return found

    def _is_weak(self, name: str) -> bool:
        return self.version.strong_place(name) is None

    def before_switch(self, undo: UndoStack) -> None:
        """Note what goes, while the old version is still the current one."""
        if self.old is not None:
            for name in self.old.where:
                if name not in self.version.where:
                    called = name if self.old.visible(name) else f"{self.module.name}\0{name}"
                    number = self.module.domain.numbers.get(called)
                    if number is not None:
                        self._gone[name] = number
            renewed = self.old.renewed
            undo.push(lambda: [renewed.pop(number, None) for number in self.renewed.values()])
            renewed.update({number: name for name, number in self.renewed.items()})

    def abandoned(self, domain: Domain) -> dict[int, int]:
        """Where the entries of functions that are gone lead to: another module's, else code that says so and aborts."""
        found, messages = {}, {}
        for name, number in self._gone.items():
            other = domain.module_of(name)
            text = f"{readable(name)} was removed from {self.module.name} by version {self.version.number}"
            text += ", and was called all the same"
            if other is not None:
                found[number] = other.current.functions[name]
            elif self.module.calls_of(name):  # a call may be about to jump: it runs the old function still
                domain.later[number] = self.module.handles[name], text
            else:
                messages[number] = text
        return {**found, **domain.traps(messages)}

    @property
    def gone(self) -> tuple[str, ...]:
        """Functions that the new version lacks."""
        return tuple(self._gone)

    def report(self, in_flight: tuple[str, ...], seconds: dict[str, float]) -> Report:
        """What was done for the module, or would be."""
        carried = self.version.carried
        assert carried is not None
        reports = self.gate.findings
        kept = shown(new for new, _ in carried.kept)
        fresh = shown(carried.fresh) if self.old else ()
        notes = (*reports.notes, *self.version.linker.notes)
        return Report(
            self.module.name, self.version.number, False, kept, fresh, tuple(reports.dropped), in_flight,
            tuple(reports.unverified), notes, seconds, (self.version, self.old),
        )  # fmt: skip


def shown(variables: Iterable[Variable]) -> tuple[str, ...]:
    """The names that people read, without what compilers made up for themselves."""
    return tuple([
        readable(variable.name)
        for variable in variables
        if variable.kind != "virtual" and not variable.symbol.startswith("DW.ref.")
    ])  # fmt: skip


def crowded_error(crowded: tuple[tuple[str, tuple[str, ...]], ...]) -> IncompatibleLayoutError:
    """Variables of one section that would have to move apart."""
    facts = [(section, ", ".join(names)) for section, names in crowded]
    names = [name for _, several in crowded for name in several]
    hint = "compile with -fdata-sections: each variable then has a section of its own and keeps its place"
    return IncompatibleLayoutError(names, facts, hint)


def misaligned_error(misaligned: tuple[tuple[Variable, int], ...]) -> IncompatibleLayoutError:
    """Variables that cannot stay where they are, since the new code takes their addresses for rounder ones."""
    facts = [
        (readable(each.name), f"needs an alignment of {align} bytes, its place has less") for each, align in misaligned
    ]
    hint = "give migrate={name: function(old, new)} or reset=[name]: it then has a place of its own"
    return IncompatibleLayoutError([readable(each.name) for each, _ in misaligned], facts, hint)


def where_is(version: Version, name: str) -> InObject | None:
    """Where a version defines a function."""
    return version.where.get(name)
