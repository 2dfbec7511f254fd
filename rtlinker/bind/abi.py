"""Whether two compilations agree about a function or about data, and if not, field by field where they differ.

A change is either one under which old callers, or bytes that already exist, are misread (`break`), or one that may
have moved a meaning while every byte stayed (`note`): a renamed field, a renamed struct, a further enumerator.
Renamed parameters are nothing.
"""

from __future__ import annotations

from rtlinker.bind.change import BREAK, NOTE, Change
from rtlinker.bind.compare import Comparison
from rtlinker.bind.ctype import Array, CType, FunctionType, Pointer, Record
from rtlinker.bind.shape import record_name, shape_of, undressed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BREAK", "NOTE", "Change", "abi_hash", "breaks", "layout_changes", "reachable_records", "record_changes",
           "signature_changes"]  # fmt: skip


def signature_changes(old: FunctionType, new: FunctionType) -> tuple[Change, ...]:
    """What a caller compiled against `old` gets wrong about `new`; empty where nothing is."""
    return tuple(Comparison().signature(old, new))


def layout_changes(old: CType, new: CType) -> tuple[Change, ...]:
    """What code compiled against `new` gets wrong about bytes that `old` describes; empty where nothing is."""
    return tuple(Comparison().types("", old, new))


def breaks(changes: tuple[Change, ...]) -> bool:
    """Whether any of the changes is more than a note."""
    return any(change.severity == BREAK for change in changes)


def abi_hash(ctype: CType) -> str:
    """16 hexadecimal digits that are equal for types without any change, notes included, and for no others.

    Notes cannot be left out: renaming both fields of `{int a; int b;}` twice leads to `{int b; int a;}`, in steps that
    are notes each. So equal hashes need no comparison, others ask for one.
    """
    from hashlib import blake2b

    return blake2b(shape_of(ctype).encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def reachable_records(ctype: CType) -> dict[str, CType]:
    """The structs, unions and classes that a value of the type can lead to, by the name that they are known by.

    Through pointers, members, elements, parameters and results. The complete one where others are only declared; two
    of one name that differ (of other namespaces: their names here are without) are `name` and `name#2`. Those without
    any name are part of what holds them.
    """
    found: dict[str, CType] = {}
    seen: set[int] = set()
    rest = [ctype]
    while rest:
        each = rest.pop()
        inner, _ = undressed(each)
        name = record_name(each)
        if isinstance(inner, Record) and name:
            _keep(found, name, each)
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        if isinstance(inner, Record):
            rest += [member.type for member in reversed(inner.members)]
        elif isinstance(inner, FunctionType):
            rest += [*(parameter.type for parameter in reversed(inner.parameters)), inner.result]
        elif isinstance(inner, Pointer):
            rest.append(inner.target)
        elif isinstance(inner, Array):
            rest.append(inner.element)
    return found


def _keep(found: dict[str, CType], name: str, ctype: CType) -> None:
    """Add a record under its name, unless it is there or known better."""
    key, number = name, 2
    while key in found:
        there, mine = undressed(found[key])[0], undressed(ctype)[0]
        assert isinstance(there, Record)
        assert isinstance(mine, Record)
        if there is mine or mine.size is None or shape_of(there) == shape_of(mine):
            return
        if there.size is None:
            break
        key, number = f"{name}#{number}", number + 1
    found[key] = ctype


def record_changes(old: Mapping[str, CType], new: Mapping[str, CType]) -> dict[str, tuple[Change, ...]]:
    """The changes of the named records that both tables of `reachable_records` hold, without those that have none.

    A record that is only declared on one side says nothing. Of several records of one name (`name#2`) those that both
    sides have are set aside first, since their numbers depend on where each was met.
    """
    found = {}
    before, after = _by_base(old), _by_base(new)
    for base in before.keys() & after.keys():
        was, now = before[base], after[base]
        gone = [was[shape] for shape in was if shape not in now]
        fresh = [now[shape] for shape in now if shape not in was]
        for key, (left, right) in zip([base, *(f"{base}#{at}" for at in range(2, len(gone) + 1))], zip(gone, fresh)):
            changes = layout_changes(left, right)
            if changes:
                found[key] = changes
    return dict(sorted(found.items()))


def _by_base(records: Mapping[str, CType]) -> dict[str, dict[str, Record]]:
    """The complete records by name without number, and by shape."""
    found: dict[str, dict[str, Record]] = {}
    for name, ctype in records.items():
        record = undressed(ctype)[0]
        if isinstance(record, Record) and record.size is not None:
            base, _, number = name.rpartition("#")
            found.setdefault(base if number.isdecimal() else name, {})[shape_of(record)] = record
    return found
