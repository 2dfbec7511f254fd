"""Outcomes to the part of docs/compatibility.md between its two markers, and back to what it lists as working."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.compat.recipe import Given
    from tests.compat.run import Outcome

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compatibility.md"
BEGIN = "<!-- from here to the other marker: written by `make compat`, do not edit -->"
END = "<!-- end of what `make compat` writes -->"
HEAD = ("name", "language", "compiler", "rtlinker is given", "what the program uses of its runtime", "result")


def write(outcomes: Sequence[Outcome], page: Path = PAGE) -> None:
    """Replace the table of the page."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{draw(outcomes)}\n{END}{after}")


def listed(page: Path = PAGE) -> set[str]:
    """The names of the rows that the page says work."""
    return set(re.findall(r"^\| `([^`]+)` \|.*\| works[^|]* \|$", page.read_text(), re.MULTILINE))


def draw(outcomes: Sequence[Outcome]) -> str:
    """The count, the table, and the commands and errors, which are too long for a cell."""
    working = sum(outcome.works is True for outcome in outcomes)
    lines = [f"{working} of {len(outcomes)} work.", "", _row(HEAD), _row(["---"] * len(HEAD))]
    lines += [_row(_cells(outcome)) for outcome in outcomes]
    failed = [outcome for outcome in outcomes if not outcome.works]
    if failed:
        lines += ["", "## What stops the others"]
        for outcome in failed:
            lines += ["", f"`{outcome.recipe.name}`:", "", "```text", _short(outcome.why), "```"]
            lines += ["", outcome.recipe.note.strip()] if outcome.recipe.note else []
    staying = [outcome for outcome in outcomes if outcome.works and outcome.recipe.note]
    if staying:
        lines += ["", "## Why some are not unloaded"]
        lines += [f"\n`{outcome.recipe.name}`:\n{outcome.recipe.note.strip()}" for outcome in staying]
    lines += ["", "## How each program was built", "", "```text"]
    for outcome in outcomes:
        lines += [f"{outcome.recipe.name + ':':16} {command}" for command in outcome.commands]
    return "\n".join([*lines, "```", ""])


def _cells(outcome: Outcome) -> list[str]:
    recipe = outcome.recipe
    program = f"[{recipe.language}](../tests/compat/programs/{recipe.source})"
    result = "works" if outcome.works else "see below"
    if outcome.works and outcome.given and not outcome.given.rounds:
        result = "works; is not unloaded"
    return [f"`{recipe.name}`", program, _compiler(outcome), _given(outcome.given), recipe.uses, result]


def _compiler(outcome: Outcome) -> str:
    """What the compiler calls itself; some only give a number."""
    version = outcome.version.rstrip(":")
    name, _, _ = outcome.recipe.name.partition("-")
    return f"{name} {version}" if version[:1].isdigit() else version


def _given(given: Given | None) -> str:
    if given is None:
        return ""
    files = given.shown or ", ".join(f"`{os.path.basename(path)}`" for path in (*given.objects, *given.archives))
    parts = [files, *(f"`{'' if '/' in name else '-l '}{os.path.basename(name)}`" for name in given.libraries)]
    calls = [f"`{call.name}()`" for call in given.start]
    ends = [f"`{call.name}()`" for call in given.finish]
    if calls:
        parts.append(f"first {', '.join(calls)} is called" + (f", last {', '.join(ends)}" if ends else ""))
    return ", ".join(parts)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _short(text: str) -> str:
    """An error as far as it is read: few lines, none endless, without addresses, which are others every time."""
    lines = re.sub(r"\b0x[0-9a-f]{5,}", "0x…", text).splitlines()
    return "\n".join([line[:160] for line in lines[:12]] + (["..."] if len(lines) > 12 else []))
