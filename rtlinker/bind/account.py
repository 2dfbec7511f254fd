"""Changes of types as people read them: the rows of an error, aligned, field by field."""

from __future__ import annotations

from rtlinker.bind.change import BREAK, Change
from rtlinker.bind.ctype import CType, FunctionType, declare, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = 20
"""How many lines an account lists before it only counts the rest."""


def account(name: str, old: CType, new: CType, changes: Sequence[Change]) -> tuple[tuple[str, str], ...]:
    """The rows (label, text) that say of a variable or function what it was, what it is, and each change.

    For the `facts` of a LinkError, in the manner of

        variable  g_state
        was       struct st, 8 bytes
        now       struct st, 12 bytes
        changes   inserted  nothing -> int @4
                  b         int @4  -> int @8
    """
    if isinstance(old, FunctionType):
        rows = [("function", name), ("was", declare(old, name)), ("now", declare(new, name))]
    else:
        rows = [("variable", name), ("was", _whole(old)), ("now", _whole(new))]
    hard = [change for change in changes if change.severity == BREAK]
    rows.append(("changes", table(hard)))
    rows.append(("notes", "\n".join(change.text for change in changes if change.severity != BREAK)))
    return tuple([row for row in rows if row[1]])


def table(changes: Sequence[Change]) -> str:
    """The changes one per line in three aligned columns: of what, how it was, how it is."""
    cells: dict[str, tuple[str, str]] = {}
    for change in changes:
        if change.kind not in ("size", "shape"):  # one line for a member that moved and changed its type
            cells.setdefault(change.what, (_side(change.old, change.old_offset), _side(change.new, change.new_offset)))
    rows = [(what, old, new) for what, (old, new) in cells.items()]
    first = max((len(what) for what, _, _ in rows[:SHOWN]), default=0)
    second = max((len(old) for _, old, _ in rows[:SHOWN]), default=0)
    lines = [f"{what.ljust(first)}  {old.ljust(second)} -> {new}".strip() for what, old, new in rows[:SHOWN]]
    if len(rows) > SHOWN:
        lines.append(f"and {len(rows) - SHOWN:,} more")
    return "\n".join(lines)


def _side(spelled: str, offset: int | None) -> str:
    if not spelled:
        return "nothing"
    return spelled if offset is None else f"{spelled} @{offset}"


def _whole(ctype: CType) -> str:
    size = size_of(ctype)
    return declare(ctype) + ("" if size is None else f", {size:,} byte{'s' * (size != 1)}")
