"""Variables of a new version, and types that they lead to, whose layout is not that of what is alive."""

from __future__ import annotations

from rtlinker.bind.ctype import declare
from rtlinker.errors import ReloadError
from rtlinker.facts import Fact
from rtlinker.host.demangle import readable
from rtlinker.hot.classes import abandoned_objects
from rtlinker.hot.described import records_of
from rtlinker.hot.errors import IncompatibleLayoutError, UnverifiedError
from rtlinker.hot.findings import Findings, shortened
from rtlinker.hot.identity import pair_variables
from rtlinker.hot.redirect import LATEST
from rtlinker.hot.variables import VIRTUAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from rtlinker.dwarf.program import NamedVariable
    from rtlinker.hot.carry import Placed
    from rtlinker.hot.options import Options
    from rtlinker.hot.variables import Key, Variable
    from rtlinker.hot.version import Version


class Migration(Fact):
    """A variable whose new value is made from the old one by `function`."""

    old: Placed
    new: Variable
    function: Callable[..., object]


class Layouts:
    """The comparison of variables; `migrations` are those whose new value a function of the caller makes."""

    def __init__(self, old: Version | None, new: Version, options: Options, findings: Findings) -> None:
        self._old = old
        self._new = new
        self._options = options
        self._findings = findings
        self.migrations: list[Migration] = []

    def check(self, variables: list[Variable]) -> dict[Key, Placed]:
        """The variables of the old version that the new one can go on with, by their keys.

        Raises IncompatibleLayoutError for those that changed without a migration, UnverifiedError if that is asked.
        """
        if self._old is None:
            return {}
        matched, rows, names = {}, [], []
        pairs = pair_variables(variables, self._old.placed, self._options.reset)
        for variable, placed in pairs:
            migrate = self._given(variable, self._options.migrate)
            if migrate is not None:
                _refuse_thread_local(variable, placed)
                self.migrations.append(Migration(placed, variable, migrate))
            elif self._given(variable, dict.fromkeys(self._options.reset, True)):
                self._findings.notes.append(f"{variable.name} begins anew, as asked")
            else:
                changes = self._layout(variable, placed)
                if changes is None:
                    continue
                if changes:
                    names.append(readable(variable.name))
                    rows += _layout_rows(variable, placed, changes)
                matched[variable.key] = placed
                self._note_initial(variable, placed)
                self._note_order(variable)
        self._records(rows, names)
        lost = abandoned_objects(
            self._old, self._new, {placed.variable.key for _, placed in pairs}, self._options.assume_no_live
        )
        rows += lost
        names += [name for name, _ in lost]
        if names:
            hint = "give migrate={name: function(old, new)}, or reset=[name], or assume_no_live=[struct]"
            raise IncompatibleLayoutError(names, shortened(rows), hint)
        self._note_unknown(pairs)
        self._note_dropped({key for new, old in pairs for key in (new.key, old.variable.key)})
        if self._options.strict and self._findings.unverified:
            raise UnverifiedError(self._findings.unverified)
        return matched

    def _given(self, variable: Variable, options: Mapping[str, object]):  # type: ignore[no-untyped-def]
        return options.get(variable.name, options.get(variable.symbol, options.get(readable(variable.symbol))))

    def _layout(self, variable: Variable, placed: Placed) -> list[str] | None:
        """What changed, as texts; empty when nothing did, None when the old place is not wanted."""
        old = placed.variable
        if variable.kind == "virtual":
            return self._virtual(variable, old)
        if (variable.kind == "thread") != (old.kind == "thread"):
            return ["thread-local in one version only"]
        if variable.ctype is not None and old.ctype is not None:
            if variable.ctype is old.ctype and variable.size == old.size:
                return []
            from rtlinker.bind.abi import layout_changes

            changes = layout_changes(old.ctype, variable.ctype)
            self._findings.notes += [
                f"{variable.name}: {change.text}" for change in changes if change.severity == "note"
            ]
            texts = [change.text for change in changes if change.severity != "note"]
            if texts or variable.size == old.size:
                return texts
        else:
            compiler_made = not variable.local and variable.symbol.startswith(("_ZGV", "DW.ref."))
            if not compiler_made:
                self._findings.cannot_tell(variable.name, "variable")
        if variable.size != old.size:
            return [f"{old.size} -> {variable.size} bytes"]
        return []

    def _virtual(self, variable: Variable, old: Variable) -> list[str] | None:
        """Tables of virtual functions: objects of the old version go on with the new one's, if their entries agree."""
        resolution = self._new.before
        assert resolution is not None
        if any(not symbol or symbol.startswith(".") for _, _, symbol, _ in variable.references):
            self._findings.notes.append(
                f"{readable(variable.symbol)} has entries local to its object: old objects keep theirs"
            )
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
        self._findings.notes.append(f"{variable.name}: initialiser {was} -> {now}, the live value is kept")

    def _note_order(self, variable: Variable) -> None:
        """Two static variables of one name in one function, and those of lambdas, which compilers count, are twins."""
        if "#" in variable.key[-1] or any(lambda_ in variable.symbol for lambda_ in ("NUl", "NKUl")):
            text = f"variable {readable(variable.name)}: told from its like by their order in the source only"
            self._findings.unverified.append(text)

    def _note_unknown(self, pairs: list[tuple[Variable, Placed]]) -> None:
        """Names that were given for variables that are not both in the old version and in the new one."""
        names = {name for new, _ in pairs for name in (new.name, new.symbol, readable(new.symbol))}
        for option in ("migrate", "reset"):
            for name in sorted(set(getattr(self._options, option)) - names):
                self._findings.notes.append(f"{option}: no variable {name!r} that both versions have")

    def _note_dropped(self, known: Collection[Key]) -> None:
        """Old variables that none of the new version's is, as no one of `known`; their values are told."""
        assert self._old is not None
        for key, placed in self._old.placed.items():
            old = placed.variable
            if key in known or old.kind == "virtual" or old.symbol.startswith("DW.ref."):
                continue
            if self._given(old, dict.fromkeys(self._options.reset, True)):
                continue
            text = f"{readable(old.name)}{live_value(placed)}"
            folded = self._folded(old)
            if folded is not None:
                constant = f"; new code uses the constant {folded.constant!r}" if folded.constant is not None else ""
                text += f", removed by the compiler{constant}"
                self._findings.unverified.append(f"variable {text}")
            self._findings.dropped.append(text)

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
        old, new = records_of(self._old), records_of(self._new)
        if not old or not new or old is new:
            return
        from rtlinker.bind.abi import record_changes

        for record, changes in record_changes(old, new).items():
            texts = [change.text for change in changes if change.severity != "note"]
            spelled = record.split(" ", 1)[-1]
            if not texts or {record, spelled} & self._options.assume_no_live:
                continue
            rows += [(record, "\n".join(texts)), ("", "objects of it may be alive, reached through pointers")]
            names.append(record)


def _refuse_thread_local(variable: Variable, placed: Placed) -> None:
    """Raise ReloadError for what every thread has of its own: no thread can write another's."""
    if "thread" in {variable.kind, placed.variable.kind}:
        hint = f"reset=[{variable.name!r}] lets it begin anew in every thread"
        raise ReloadError("migrate", "thread-local variable cannot migrate", [("variable", variable.name)], hint)


def _plain(symbol: str) -> str:
    """A function as people name it, where a reference names its entry."""
    return readable(symbol.removeprefix(LATEST))


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
