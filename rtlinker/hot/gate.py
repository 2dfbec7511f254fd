"""The gate: what of a new version does not fit what is alive of the old one. Refused unless the caller decides.

Types come from debug information, compared as the machine sees them: sizes, offsets, encodings. Where it is missing,
sizes are compared, and what nothing could verify is told.
"""

from __future__ import annotations

import sys

from rtlinker.bind.ctype import VOID, FunctionType, Parameter, declare
from rtlinker.facts import Fact
from rtlinker.host.demangle import readable
from rtlinker.hot.errors import (
    IncompatibleLayoutError,
    IncompatibleSignatureError,
    RemovedError,
    UnverifiedError,
)
from rtlinker.hot.redirect import LATEST
from rtlinker.hot.variables import VIRTUAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rtlinker.bind.abi import Change
    from rtlinker.bind.ctype import CType
    from rtlinker.dwarf.program import NamedFunction, NamedVariable
    from rtlinker.hot.carry import Placed
    from rtlinker.hot.module import Module
    from rtlinker.hot.options import Options
    from rtlinker.hot.variables import Key, Variable
    from rtlinker.hot.version import Version

HELD = 3
"""References to a function's handle that only the module's table has: the table's, a local name's, the question's."""

SHOWN = 24


class Migration(Fact):
    """A variable whose new value is made from the old one by `function`."""

    old: Placed
    new: Variable
    function: Callable[..., object]


class Gate:
    """The comparison of a new version with the current one; without one, there is nothing to compare."""

    def __init__(self, old: Version | None, new: Version, options: Options, drafts: Iterable[Version] = ()) -> None:
        self._old = old
        self._new = new
        self._options = options
        self.drafts = [other for other in drafts if other is not new]
        self.reloading = {other.module for other in self.drafts}
        self.changed_signatures: dict[str, tuple[str, str]] = {}
        self.migrations: list[Migration] = []
        self.notes: list[str] = []
        self.unverified: list[str] = []
        self.dropped: list[str] = []

    # functions

    def signatures(self, module: Module, others: list[Version]) -> None:
        """Find functions whose type changed. Raises IncompatibleSignatureError for those that somebody may call."""
        if self._old is None:
            return
        refused: list[str] = []
        rows: list[tuple[str, str]] = []
        before, after = functions_by_symbol(self._old), functions_by_symbol(self._new)
        for name in self._new.where:
            if name not in self._old.where:
                continue
            was, now = before.get(name), after.get(name)
            if was is None or now is None:
                self._cannot_tell(name, "function")
                continue
            from rtlinker.bind.abi import signature_changes

            changes = [change for change in signature_changes(was.type, now.type) if change.severity != "note"]
            if not changes:
                continue
            self.changed_signatures[name] = declare(was.type, was.name), declare(now.type, now.name)
            callers = self._callers(module, name, others)
            if self._allowed(name, self._options.allow):
                continue
            if not callers and self._called_inside(name):
                self.notes.append(f"{now.name} has another signature now; all its callers are new, too")
                continue
            refused.append(now.name)
            rows += _signature_rows(was, now, changes, callers)
        if refused:
            raise IncompatibleSignatureError(refused, shortened(rows))

    def _callers(self, module: Module, name: str, others: Iterable[Version]) -> list[str]:
        """Who calls a function from outside of the module and stays as it is."""
        found = [f"module {other.module}" for other in others if self._uses(other, module, name)]
        handle = module.handles.get(name)
        if handle is not None and sys.getrefcount(handle) > HELD + (name in module.__dict__):
            found.append("a Python handle")
        return found

    def _uses(self, other: Version, module: Module, name: str) -> bool:
        if other.around is None or name not in {*other.around.functions, *other.around.latest}:
            return False
        return other.around.functions.get(name, module.name) == module.name

    def _called_inside(self, name: str) -> bool:
        """Whether another object of the old version refers to it: such callers are replaced together with it."""
        assert self._old is not None
        assert self._old.before is not None
        owner = self._old.where[name].object
        indexes = self._old.before.indexes
        return any(name in index.undefined for number, index in enumerate(indexes) if number != owner)

    def removed(self, module: Module, others: list[Version]) -> None:
        """Raise RemovedError for functions that are gone while somebody refers to them."""
        if self._old is None:
            return
        rows = []
        names = []
        for name in self._old.where:
            if name in self._new.where or not self._old.visible(name) or self._allowed(name, self._options.allow):
                continue
            if module.domain_has_other(name):
                continue
            callers = [*self._callers(module, name, others), *module.calls_of(name)]
            if callers:
                names.append(readable(name))
                rows.append((readable(name), "\n".join(f"referred to by {caller}" for caller in callers)))
        if names:
            raise RemovedError(names, shortened(rows))

    def _cannot_tell(self, name: str, what: str) -> None:
        text = f"{what} {readable(name)}: no debug information"
        self.unverified.append(text)

    @staticmethod
    def _allowed(name: str, names: frozenset[str]) -> bool:
        return name in names or (bool(names) and readable(name) in names)

    # variables

    def variables(self, variables: list[Variable]) -> dict[Key, Placed]:
        """The variables of the old version that the new one can go on with, by their keys.

        Raises IncompatibleLayoutError for those that changed without a migration, UnverifiedError if that is asked.
        """
        if self._old is None:
            return {}
        matched, rows, names = {}, [], []
        for variable, placed in self._pairs(variables):
            migrate = self._given(variable, self._options.migrate)
            if migrate is not None:
                self.migrations.append(Migration(placed, variable, migrate))
            elif self._given(variable, dict.fromkeys(self._options.reset, True)):
                self.notes.append(f"{variable.name} begins anew, as asked")
            else:
                changes = self._layout(variable, placed)
                if changes is None:
                    continue
                if changes:
                    names.append(readable(variable.name))
                    rows += _layout_rows(variable, placed, changes)
                matched[variable.key] = placed
                self._note_initial(variable, placed)
        self._records(rows, names)
        if names:
            hint = "give migrate={name: function(old, new)}, or reset=[name], or assume_no_live=[struct]"
            raise IncompatibleLayoutError(names, shortened(rows), hint)
        self._note_dropped(variables)
        if self._options.strict and self.unverified:
            raise UnverifiedError(self.unverified)
        return matched

    def _given(self, variable: Variable, options: Mapping[str, object]):  # type: ignore[no-untyped-def]
        return options.get(variable.name, options.get(variable.symbol, options.get(readable(variable.symbol))))

    def _pairs(self, variables: list[Variable]) -> list[tuple[Variable, Placed]]:
        """New variables with the old ones that they are. Raises for those that cannot be told apart."""
        assert self._old is not None
        counts: dict[Key, int] = {}
        for variable in variables:
            counts[_counted(variable)] = counts.get(_counted(variable), 0) + 1
        pairs, unclear = [], {}
        for variable in variables:
            candidates = self._candidates(variable)
            if len(candidates) == 1 and counts[_counted(variable)] == 1 and not _are_twins(variable, candidates[0]):
                pairs.append((variable, candidates[0]))
            elif candidates and not self._given(variable, dict.fromkeys(self._options.reset, True)):
                unclear[variable.symbol] = ", ".join(placed.variable.name for placed in candidates)
        if unclear:
            rows = [(symbol, f"may be {names}") for symbol, names in unclear.items()]
            hint = "compile with -g: it tells static variables of functions apart"
            raise IncompatibleLayoutError(list(unclear), shortened(rows), hint)
        return pairs

    def _candidates(self, variable: Variable) -> list[Placed]:
        """Old variables that a new one may be: its own key, or one of its name where only one side has scopes."""
        assert self._old is not None
        known = self._old.placed
        exact = known.get(variable.key)
        if exact is not None and variable.key[0] != "numbered":
            return [exact]
        if not variable.local:
            return []
        kind, unit, name = variable.key[0], variable.key[1], variable.key[-1]
        found = []
        for key, placed in known.items():
            same = len(key) > 2 and key[1] == unit and key[-1].partition("#")[0] == name.partition("#")[0]
            if not same or not placed.variable.local:
                continue
            numbered = "numbered" in {kind, key[0]} and (kind != key[0] or kind == "numbered")
            if numbered or (kind == key[0] == "static" and key[2:-1] == variable.key[2:-1]):
                found.append(placed)
        return found

    def _layout(self, variable: Variable, placed: Placed) -> list[str] | None:
        """What changed, as texts; empty when nothing did, None when the old place is not wanted."""
        old = placed.variable
        if variable.kind == "virtual":
            return self._virtual(variable, old)
        if (variable.kind == "thread") != (old.kind == "thread"):
            return ["thread-local in one version only"]
        if variable.ctype is not None and old.ctype is not None:
            from rtlinker.bind.abi import layout_changes

            changes = layout_changes(old.ctype, variable.ctype)
            self.notes += [f"{variable.name}: {change.text}" for change in changes if change.severity == "note"]
            texts = [change.text for change in changes if change.severity != "note"]
            if texts or variable.size == old.size:
                return texts
        else:
            compiler_made = not variable.local and variable.symbol.startswith(("_ZGV", "DW.ref."))
            if not compiler_made:
                self._cannot_tell(variable.name, "variable")
        if variable.size != old.size:
            return [f"{old.size} -> {variable.size} bytes"]
        return []

    def _virtual(self, variable: Variable, old: Variable) -> list[str] | None:
        """Tables of virtual functions: objects of the old version go on with the new one's, if their entries agree."""
        resolution = self._new.before
        assert resolution is not None
        if any(not symbol or symbol.startswith(".") for _, _, symbol, _ in variable.references):
            self.notes.append(f"{readable(variable.symbol)} has entries local to its object: old objects keep theirs")
            return None
        if variable.references == old.references and variable.initial == old.initial:
            return []
        if variable.symbol.startswith(VIRTUAL[0]):
            was, now = ([_plain(name) for _, _, name, _ in each.references] for each in (old, variable))
            new, gone = [name for name in now if name not in was], [name for name in was if name not in now]
            texts = [f"virtual function {name} is new" for name in new]
            texts += [f"virtual function {name} is gone" for name in gone]
            return texts or ["virtual functions are in another order"]
        return ["description of the class changed"]

    def _note_initial(self, variable: Variable, placed: Placed) -> None:
        old = placed.variable
        if variable.kind in {"virtual", "common"} or variable.initial == old.initial:
            return
        was, now = (_initial_text(each) for each in (old, variable))
        self.notes.append(f"{variable.name}: initialiser {was} -> {now}, the live value is kept")

    def _note_dropped(self, variables: list[Variable]) -> None:
        """Old variables that the new version has no more; their values are told."""
        assert self._old is not None
        known = {variable.key for variable in variables} | {migration.old.variable.key for migration in self.migrations}
        names = {variable.name for variable in variables}
        for key, placed in self._old.placed.items():
            old = placed.variable
            if key in known or old.kind == "virtual" or old.name in names or old.symbol.startswith("DW.ref."):
                continue
            text = f"{old.name}{live_value(placed)}"
            folded = self._folded(old)
            if folded is not None:
                constant = f"; new code uses the constant {folded.constant!r}" if folded.constant is not None else ""
                text += f", removed by the compiler{constant}"
                self.unverified.append(f"variable {text}")
            self.dropped.append(text)

    def _folded(self, old: Variable) -> NamedVariable | None:
        """What the new version's debug information says of a variable that the compiler gave no storage."""
        assert self._old is not None
        for was in self._old.programs.values():
            for known in was.variables:
                if (known.section, known.offset) == (old.section, old.offset) and known.name in old.name:
                    for program in self._new.programs.values():
                        found = program.missing(known)
                        if found is not None:
                            return found
        return None

    def _records(self, rows: list[tuple[str, str]], names: list[str]) -> None:
        """Structs that live objects may have the old layout of, since functions or variables point to them."""
        assert self._old is not None
        old, new = _records_of(self._old), _records_of(self._new)
        if not old or not new:
            return
        from rtlinker.bind.abi import record_changes

        for record, changes in record_changes(old, new).items():
            texts = [change.text for change in changes if change.severity != "note"]
            spelled = record.split(" ", 1)[-1]
            if not texts or {record, spelled} & self._options.assume_no_live:
                continue
            rows += [(record, "\n".join(texts)), ("", "objects of it may be alive, reached through pointers")]
            names.append(record)


def shortened(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """As many rows as people read; all names are in the error's fields."""
    return rows if len(rows) <= SHOWN else [*rows[:SHOWN], ("", f"and {len(rows) - SHOWN:,} lines more")]


def _counted(variable: Variable) -> Key:
    """Under what variables count as ones that could be each other."""
    return (*variable.key[:2], variable.key[-1]) if variable.key[0] == "numbered" else variable.key


def _plain(symbol: str) -> str:
    """A function as people name it, where a reference names its entry."""
    return readable(symbol.removeprefix(LATEST))


def _are_twins(new: Variable, old: Placed) -> bool:
    """Whether there is another variable of that name and scope in one version only, so that this may be either."""
    return new.key != old.variable.key and "#" in new.key[-1] + old.variable.key[-1]


def functions_by_symbol(version: Version) -> dict[str, NamedFunction]:
    """What debug information says of a version's functions."""
    if version.described is None:
        version.described = _functions_by_symbol(version)
    return version.described


def _functions_by_symbol(version: Version) -> dict[str, NamedFunction]:
    found: dict[str, NamedFunction] = {}
    for program in version.programs.values():
        for function in program.functions:
            if function.section is not None:
                found.setdefault(function.symbol, function)
    return found


def _records_of(version: Version) -> dict[str, CType]:
    """The structs and unions, by name, of which a version's functions and variables can reach objects."""
    if version.records is None:
        version.records = _reachable_of(version) if version.programs else {}
    return version.records


def _reachable_of(version: Version) -> dict[str, CType]:
    from rtlinker.bind.abi import reachable_records

    known = functions_by_symbol(version)
    types: list[CType] = [known[name].type for name in version.where if name in known]
    for program in version.programs.values():
        types += [variable.type for variable in program.variables if variable.located]
    return reachable_records(FunctionType(VOID, tuple([Parameter(None, ctype) for ctype in types])))


def _signature_rows(
    was: NamedFunction, now: NamedFunction, changes: list[Change], callers: list[str]
) -> list[tuple[str, str]]:
    rows = [
        ("was", f"{declare(was.type, was.name)}   {was.file}:{was.line}"),
        ("now", f"{declare(now.type, now.name)}   {now.file}:{now.line}"),
    ]
    rows += [("change", change.text) for change in changes]
    return rows + [("called by", caller) for caller in callers]


def _layout_rows(variable: Variable, placed: Placed, changes: list[str]) -> list[tuple[str, str]]:
    old = placed.variable
    rows = [(readable(variable.symbol) if variable.kind == "virtual" else variable.name, "\n".join(changes))]
    if old.ctype is not None and variable.ctype is not None:
        sizes = f"{old.size} -> {variable.size} bytes" if old.size != variable.size else f"{old.size} bytes"
        rows.insert(0, ("variable", f"{declare(variable.ctype, variable.name)}   {variable.place}   {sizes}".rstrip()))
    return rows


def _initial_text(variable: Variable) -> str:
    if not variable.initial.strip(b"\0"):
        return "0"
    if variable.size in {1, 2, 4, 8} and not variable.references:
        return str(int.from_bytes(variable.initial, "little", signed=True))
    return f"{len(variable.initial)} bytes"


def live_value(placed: Placed) -> str:
    """` = 42`, where the value is a number; for reports."""
    import ctypes

    variable = placed.variable
    if placed.definition.variable is not None or variable.size not in {1, 2, 4, 8}:
        return ""
    raw = ctypes.string_at(placed.definition.address, variable.size)
    return f" = {int.from_bytes(raw, 'little', signed=True)}"
