"""Tables on standard output: drawn by rich in a terminal where it is installed, plain text everywhere else."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.show.table import Table


def print_tables(tables: Sequence[Table]) -> None:
    """Print tables one below the other; nothing is cut off, in a narrow terminal lines wrap."""
    if sys.stdout.isatty() and _draw(tables):
        return
    print("\n\n".join(table.text() for table in tables))


def _draw(tables: Sequence[Table]) -> bool:
    try:
        from rich.console import Console
        from rich.table import Table as Drawn
    except ImportError:
        return False
    console = Console()
    for table in tables:
        drawn = Drawn(title=table.title, title_justify="left", title_style="bold", box=None, header_style="dim")
        for head in table.heads:
            drawn.add_column(head.lstrip(">"), justify="right" if head.startswith(">") else "left", overflow="fold")
        for row in table.rows:
            drawn.add_row(*(cell.replace("[", "\\[") for cell in row))
        console.print(drawn if table.rows else f"[bold]{table.title}[/bold]: none")
        console.print()
    return True
