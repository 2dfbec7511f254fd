"""Groups to text: one table, in which a ratio above 1 means that rtlinker was faster."""

from __future__ import annotations

from .measure import Group, Row

HEAD = f"{'':52} {'median ms':>10} {'quartiles':>19} {'runs':>6} {'ratio':>8}  note"


def draw(group: Group) -> str:
    """A group as lines of the table."""
    lines = [f"[{group.case}] {group.title}"]
    lines += [f"  {_line(row)}" for row in group.rows]
    lines += [f"    {remark}" for remark in group.remarks]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    if row.median is None:
        return f"{row.name:50} {'-':>10} {'':>19} {row.runs or '':>6} {'':>8}  {row.note}".rstrip()
    spread = f"{_short(row.low)} .. {_short(row.high)}"
    ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
    return f"{row.name:50} {_short(row.median):>10} {spread:>19} {row.runs:>6} {ratio:>8}  {row.note}".rstrip()


def _short(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return ""
    return f"{value:.3f}" if value < 10 else f"{value:.1f}" if value < 1000 else f"{value:,.0f}"
