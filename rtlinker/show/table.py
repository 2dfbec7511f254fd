"""Tables as text: columns as wide as their widest cell of usual length, numbers to the right."""

from __future__ import annotations

from rtlinker.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


WIDEST = 40
"""How wide a column becomes at most: a longer cell, such as a C++ name, only makes its own line longer."""


class Table(Fact):
    """A title, column heads and rows of texts; a head that begins with `>` asks for alignment to the right."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def text(self) -> str:
        """The table as lines; an empty one says `none`."""
        if not self.rows:
            return f"{self.title}: none"
        heads = tuple(head.lstrip(">") for head in self.heads)
        columns = [[len(row[at]) for row in (heads, *self.rows)] for at in range(len(heads))]
        widths = [min(max(column), WIDEST) for column in columns]
        lines = [self.title] if self.title else []
        for row in (heads, *self.rows):
            cells = [
                cell.rjust(width) if head.startswith(">") else cell.ljust(width)
                for head, cell, width in zip(self.heads, row, widths)
            ]
            lines.append(("  " + "  ".join(cells)).rstrip())
        return "\n".join(lines)
