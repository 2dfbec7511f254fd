"""The comparison behind `rtlinker.bind.abi`: two types side by side, down to the members that differ."""

from __future__ import annotations

from rtlinker.bind.change import BREAK, NOTE, Change
from rtlinker.bind.ctype import Array, CType, Enum, FunctionType, Parameter, Pointer, Record, declare, size_of
from rtlinker.bind.members import compare_members
from rtlinker.bind.shape import record_name, shape_of, undressed

TYPE_CHECKING = False
if TYPE_CHECKING:
    Places = tuple[int | None, int | None]

NOWHERE: Places = (None, None)


class Comparison:
    """One comparison; it remembers which structs it takes for renamed ones, so that those may refer to themselves."""

    def __init__(self) -> None:
        self.assumed: set[tuple[str, str]] = set()

    def signature(self, old: FunctionType, new: FunctionType) -> list[Change]:
        """The changes of result and parameters."""
        found = self.types("return", old.result, new.result)
        for at in range(max(len(old.parameters), len(new.parameters))):
            given = [kind.parameters[at] if at < len(kind.parameters) else None for kind in (old, new)]
            found += self.parameter(at + 1, *given)
        if old.variadic != new.variadic:
            was, now = ("", "...") if new.variadic else ("...", "")
            text = f"takes {'any further' if new.variadic else 'no further'} arguments"
            found.append(Change("arguments", "variadic", text, was, now))
        return found

    def parameter(self, number: int, was: Parameter | None, now: Parameter | None) -> list[Change]:
        """The changes of one parameter, which may be new or gone."""
        known = now or was
        what = f"parameter {number}" + (f" '{known.name}'" if known and known.name else "")
        if was and now:
            return self.types(what, was.type, now.type)
        if now:
            said = declare(now.type)
            return [Change(what, "added", f"{what} {said} new", "", said, None, None, None, size_of(now.type))]
        said = declare(was.type) if was else ""
        return [
            Change(what, "removed", f"{what} {said} gone", said, "", None, None, size_of(was.type) if was else None)
        ]

    def types(self, what: str, old: CType, new: CType, places: Places = NOWHERE) -> list[Change]:
        """The changes between two types of one thing."""
        was, now = undressed(old)[0], undressed(new)[0]
        if isinstance(was, Record) and isinstance(now, Record) and None not in (was.size, now.size):
            return self.records(what, was, now)
        if isinstance(was, Array) and isinstance(now, Array):
            return self.arrays(what, was, now, places)
        if shape_of(old) == shape_of(new):
            return []
        if isinstance(was, FunctionType) and isinstance(now, FunctionType):
            return self.signature(was, now)
        if isinstance(was, Enum) and isinstance(now, Enum):
            return [enumerated(what, was, now, places)]
        if isinstance(was, Pointer) and isinstance(now, Pointer):
            deep = self.behind(what, was.target, now.target)
            if deep is not None:
                return deep
        return [retyped(what, old, new, places)]

    def arrays(self, what: str, old: Array, new: Array, places: Places) -> list[Change]:
        """The changes of bounds, and of what elements are."""
        found = []
        if old.count != new.count:
            counts = ["any number of" if count is None else str(count) for count in (old.count, new.count)]
            text = f"{quoted(what)}has {counts[1]} elements, was {counts[0]}"
            said = spelled(old, new)
            found.append(Change(what, "count", text, *said, *places, size_of(old), size_of(new)))
        return found + self.types(f"{what}[]", old.element, new.element)

    def behind(self, what: str, old: CType, new: CType) -> list[Change] | None:
        """The notes about what two pointers lead to, or None if it is not the same."""
        was, now = undressed(old)[0], undressed(new)[0]
        if shape_of(Pointer(old)) == shape_of(Pointer(new)):
            return []
        if isinstance(was, Pointer) and isinstance(now, Pointer):
            return self.behind(what, was.target, now.target)
        if isinstance(was, Record) and isinstance(now, Record):
            return self.renamed(what, old, new)
        if isinstance(was, FunctionType) and isinstance(now, FunctionType):
            found = self.signature(was, now)
        elif isinstance(was, (Array, Enum)) and type(was) is type(now):
            found = self.types(what, was, now)
        else:
            return None
        return None if any(change.severity == BREAK for change in found) else found

    def renamed(self, what: str, old: CType, new: CType) -> list[Change] | None:
        """A note if two structs of other names are the same in all that they hold, else None."""
        names = record_name(old), record_name(new)
        if names in self.assumed:
            return []
        was, now = undressed(old)[0], undressed(new)[0]
        if not isinstance(was, Record) or not isinstance(now, Record) or None in (was.size, now.size):
            return None
        if (was.kind == "union") != (now.kind == "union"):
            return None
        self.assumed.add(names)
        found = self.records("", was, now)
        if any(change.severity == BREAK for change in found):
            self.assumed.discard(names)
            return None
        text = f"{quoted(what)}leads to {spelled(old, new)[1]}, which was {spelled(old, new)[0]}"
        return [Change(what, "tag", text, *spelled(old, new), severity=NOTE)]

    def records(self, what: str, old: Record, new: Record) -> list[Change]:
        """The changes of a struct that is there as a whole: of its size, of how it is passed, of its members."""
        if old is new:
            return []
        found = compare_members(self, what, old, new)
        if old.trivial != new.trivial:
            was, now = ["by value" if record.trivial else "by reference" for record in (old, new)]
            found.insert(0, Change(what, "type", f"{quoted(what)}is passed {now}, was {was}", was, now))
        return found


def quoted(what: str) -> str:
    """The path in quotes with a blank behind it; nothing for the whole."""
    if not what:
        return ""
    return f"{what} " if what == "return" or what.startswith("parameter ") else f"'{what}' "


def spelled(old: CType, new: CType) -> tuple[str, str]:
    """Both types as C; where that is the same text, without typedefs, or with the values of enumerations."""
    texts = declare(old), declare(new)
    if texts[0] != texts[1]:
        return texts
    texts = declare(undressed(old)[0]), declare(undressed(new)[0])
    return texts if texts[0] != texts[1] else (shape_of(old), shape_of(new))


def retyped(what: str, old: CType, new: CType, places: Places) -> Change:
    """The change of a type as a whole."""
    said = spelled(old, new)
    text = f"{quoted(what)}is {said[1]}, was {said[0]}" if what else f"{said[0]} -> {said[1]}"
    return Change(what, "type", text, *said, *places, size_of(old), size_of(new))


def enumerated(what: str, old: Enum, new: Enum, places: Places) -> Change:
    """The change of an enumeration: a note if it only has further names for further values."""
    was, now = dict(old.values), dict(new.values)
    grown = {name: value for name, value in now.items() if name not in was}
    kept = all(now.get(name) == value for name, value in was.items())
    same = (old.size, old.signed) == (new.size, new.signed)
    said = _values(old), _values(new)
    if kept and same:
        text = f"{quoted(what)}has further values: {', '.join(f'{name}={value}' for name, value in grown.items())}"
        return Change(what, "enum", text, *said, *places, old.size, new.size, NOTE)
    return Change(what, "enum", f"{quoted(what)}is {said[1]}, was {said[0]}", *said, *places, old.size, new.size)


def _values(enum: Enum) -> str:
    size = "" if enum.size == 4 else f" of {enum.size} bytes"
    return f"enum {{{','.join(f'{name}={value}' for name, value in enum.values)}}}{size}"
