"""Rows as text, and as the part of docs/features.md between its two markers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.matrix.features import GROUPS
from tests.matrix.run import LOADERS, Outcome, installed_jitlink, orc_runtime

if TYPE_CHECKING:
    from tests.matrix.feature import Feature

    Row = dict[str, Outcome]
    """Loader -> what came of it."""

PAGE = Path(__file__).resolve().parents[2] / "docs" / "features.md"
BEGIN = "<!-- from here to the other marker: written by `make features`, do not edit -->"
END = "<!-- end of what `make features` writes -->"
SIGNS = {"yes": "yes", "refused": "refuses", "wrong": "wrong", "crash": "crashes", "hang": "hangs", "unbuilt": "?"}


def line(feature: Feature, row: Row) -> str:
    """A feature for a terminal, with what the failures said."""
    failed = [f"\n    {LOADERS[name]}: {o.verdict}: {o.why}" for name, o in row.items() if o.verdict != "yes"]
    return f"{feature.name}: {sum(o.verdict == 'yes' for o in row.values())} of {len(row)}{''.join(failed)}"


def totals(rows: dict[str, Row], loaders: list[str]) -> str:
    """`rtlinker 60 of 60`, a line per loader."""
    return "\n".join(f"{LOADERS[name]:22} {_works(rows.values(), name)} of {len(rows)}" for name in loaders)


def write(rows: dict[str, Row], loaders: list[str]) -> None:
    """Replace the tables of the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{draw(rows, loaders)}\n{END}{after}")


def draw(rows: dict[str, Row], loaders: list[str]) -> str:
    """Versions, totals, a table for each group, and the reasons of all that do not work."""
    lines = [versions(), "", _cells("", *(LOADERS[name] for name in loaders)), _cells("---", *["--:"] * len(loaders))]
    for verdict, title in VERDICTS.items():
        counts = [Counter(row[name].verdict for row in rows.values())[verdict] for name in loaders]
        lines.append(_cells(title, *map(str, counts)))
    lines.append(_cells("of", *[str(len(rows))] * len(loaders)))
    for title, features in GROUPS.items():
        lines += ["", f"## {title[0].upper()}{title[1:]}", "", _cells("feature", *(LOADERS[name] for name in loaders))]
        lines.append(_cells("---", *[":-:"] * len(loaders)))
        for feature in features:
            lines.append(_cells(feature.name, *(SIGNS[rows[feature.name][name].verdict] for name in loaders)))
    lines += ["", "## What was said where it does not work", ""]
    lines += [_cells("feature", "loader", "", "what was said"), _cells(*["---"] * 4)]
    for features in GROUPS.values():
        for feature in features:
            lines += _reasons(feature, rows[feature.name])
    return "\n".join([*lines, ""])


VERDICTS = {"yes": "works", "refused": "refuses", "wrong": "gives a wrong result", "crash": "crashes", "hang": "hangs"}


def versions() -> str:
    """Whose results these are."""
    from importlib.metadata import version

    from tests.corpus.inventory import said

    gcc, glibc = said("gcc", "-dumpfullversion"), said("getconf", "GNU_LIBC_VERSION").split()[-1]
    binutils = said("ld", "--version").splitlines()[0].split()[-1]
    text = f"With gcc {gcc}, glibc {glibc}, binutils {binutils}, llvmlite {version('llvmlite')} ({_llvm()})"
    tool = installed_jitlink()
    if tool:
        runtime = "with" if orc_runtime() else "without"
        text += f", llvm-jitlink {said(tool, '--version').split('version ')[1].split()[0]} {runtime} its ORC runtime"
    return f"{text}:"


def _llvm() -> str:
    import llvmlite.binding as binding

    return "LLVM " + ".".join(map(str, binding.llvm_version_info))


def _reasons(feature: Feature, row: Row) -> list[str]:
    """A line for each different thing said; loaders that say the same share it."""
    by_outcome: dict[Outcome, list[str]] = {}
    for name, outcome in row.items():
        if outcome.verdict != "yes":
            by_outcome.setdefault(outcome, []).append(LOADERS[name])
    lines = []
    for outcome, names in by_outcome.items():
        why = f"`{outcome.why.replace('`', chr(39))}`" if outcome.why else ""
        if feature.refused and LOADERS["rtlinker"] in names:
            why += f": {feature.refused}"
        lines.append(_cells(feature.name, "; ".join(names), VERDICTS.get(outcome.verdict, outcome.verdict), why))
    return lines


def _works(rows: object, name: str) -> int:
    return sum(row[name].verdict == "yes" for row in rows)  # type: ignore[attr-defined]


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
