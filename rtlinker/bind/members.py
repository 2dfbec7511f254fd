"""Two structs member by member: what moved, what is new, what is gone, what changed its type or only its name."""

from __future__ import annotations

from rtlinker.bind.change import BREAK, NOTE, Change
from rtlinker.bind.ctype import Record, declare
from rtlinker.bind.shape import Leaf, leaves, short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.bind.compare import Comparison

_FEW = 8
"""Structs of so many members are shown as a whole: `u16,u16 -> u8,u8,u16`."""


def compare_members(comparison: Comparison, what: str, old: Record, new: Record) -> list[Change]:
    """The changes from one record to another, both complete; `what` is their path, or empty."""
    was, now = _paths(leaves(old)), _paths(leaves(new))
    placed: list[tuple[int, list[Change]]] = []
    for path, leaf in now.items():
        if path in was:
            placed.append((leaf.bit, _one(comparison, _below(what, path), was[path], leaf)))
    gone = [leaf for path, leaf in was.items() if path not in now]
    fresh = [leaf for path, leaf in now.items() if path not in was]
    notes = _renamed(what, gone, fresh)
    placed += [(leaf.bit, [_added(what, leaf)]) for leaf in fresh]
    placed += [(leaf.bit, [_removed(what, leaf)]) for leaf in gone]
    placed.sort(key=lambda row: row[0])
    found = [change for _, changes in placed for change in changes] + notes
    whole = _whole(what, old, new)
    if whole and (old.size != new.size or any(change.severity == BREAK for change in found)):
        found.insert(0, whole)
    return found


def _paths(found: list[Leaf]) -> dict[str, Leaf]:
    """The leaves by path; of leaves of one path (in C++ bases and members) the later ones are numbered."""
    table: dict[str, Leaf] = {}
    for leaf in found:
        path, number = leaf.path, 2
        while path in table:
            path, number = f"{leaf.path}#{number}", number + 1
        table[path] = leaf
    return table


def _below(what: str, path: str) -> str:
    return f"{what}.{path}" if what and path else what or path


def _one(comparison: Comparison, what: str, old: Leaf, new: Leaf) -> list[Change]:
    """The changes of a member that both have."""
    moved = [_moved(what, old, new)] if old.bit != new.bit else []
    if (old.shape, old.width) == (new.shape, new.width):
        return moved
    if _bits(old) or _bits(new):
        text = f"'{what}' is {_spelled(new)} @{new.offset}, was {_spelled(old)} @{old.offset}"
        return [Change(what, "type", text, _spelled(old), _spelled(new), *_numbers(old, new))]
    return comparison.types(what, old.type, new.type, (old.offset, new.offset)) + moved


def _moved(what: str, old: Leaf, new: Leaf) -> Change:
    text = f"'{what}' moved {_place(old)} -> {_place(new)}"
    return Change(what, "moved", text, _spelled(old), _spelled(new), *_numbers(old, new))


def _renamed(what: str, gone: list[Leaf], fresh: list[Leaf]) -> list[Change]:
    """Notes about members that are the same but for their name; they are taken off both lists."""
    found: list[Change] = []
    there: dict[tuple[int, int, str], Leaf] = {}
    for leaf in gone:
        there.setdefault((leaf.bit, leaf.width, leaf.shape), leaf)
    for leaf in [*fresh]:
        old = there.pop((leaf.bit, leaf.width, leaf.shape), None)
        if old is not None:
            gone.remove(old)
            fresh.remove(leaf)
            text = f"'{_below(what, old.path)}' @{_place(old)} is called '{leaf.path}' now"
            said = declare(old.type, old.path), declare(leaf.type, leaf.path)
            change = Change(_below(what, leaf.path), "renamed", text, *said, *_numbers(old, leaf), NOTE)
            found.append(change)
    return found


def _added(what: str, leaf: Leaf) -> Change:
    path = _below(what, leaf.path)
    size = leaf.width // 8
    return Change(
        path, "added", f"field '{path}' @{_place(leaf)} new", "", _spelled(leaf), None, leaf.offset, None, size
    )


def _removed(what: str, leaf: Leaf) -> Change:
    path = _below(what, leaf.path)
    text = f"field '{path}' @{_place(leaf)} gone"
    return Change(path, "removed", text, _spelled(leaf), "", leaf.offset, None, leaf.width // 8)


def _whole(what: str, old: Record, new: Record) -> Change | None:
    """The change of a small record's members in one line, or of a large one's size; None if neither changed."""
    was, now = [",".join(short(leaf) for leaf in leaves(record)) for record in (old, new)]
    few = max(len(leaves(old)), len(leaves(new))) <= _FEW and was != now
    begin = f"'{what}' " if what else ""
    if old.size == new.size:
        return (
            Change(what, "shape", f"{begin}{was} -> {now}", was, now, None, None, old.size, new.size) if few else None
        )
    text = f"{begin}size {old.size} -> {new.size} bytes" + (f": {was} -> {now}" if few else "")
    return Change(what, "size", text, was, now, None, None, old.size, new.size)


def _bits(leaf: Leaf) -> bool:
    return leaf.shape.startswith(":")


def _spelled(leaf: Leaf) -> str:
    return declare(leaf.type) + (f" : {leaf.width} (bit {leaf.bit % 8})" if _bits(leaf) else "")


def _place(leaf: Leaf) -> str:
    """Bytes from the start, and for a bit-field the bit: `4`, `4 bit 3`."""
    return f"{leaf.offset} bit {leaf.bit % 8}" if _bits(leaf) else str(leaf.offset)


def _numbers(old: Leaf, new: Leaf) -> tuple[int, int, int, int]:
    return old.offset, new.offset, old.width // 8, new.width // 8
