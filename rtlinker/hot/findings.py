"""What the check of a new version found out that is not refused: for the report."""

from __future__ import annotations

from rtlinker.host.demangle import readable

SHOWN = 24
"""Lines of an error that people read."""


class Findings:
    """`notes` are sentences, `unverified` what nothing could check, `dropped` variables that are gone."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.unverified: list[str] = []
        self.dropped: list[str] = []

    def cannot_tell(self, name: str, what: str) -> None:
        """Note that debug information says nothing of a function or variable."""
        self.unverified.append(f"{what} {readable(name)}: no debug information")


def shortened(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """As many rows as people read; all names are in the error's fields."""
    return rows if len(rows) <= SHOWN else [*rows[:SHOWN], ("", f"and {len(rows) - SHOWN:,} lines more")]
