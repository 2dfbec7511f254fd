"""The rows as text, and as docs/corpus.md; from there also the refusals that are known, each with its reason."""

from __future__ import annotations

from pathlib import Path

from rtlinker.show.table import Table
from tests.corpus.attempt import Outcome
from tests.corpus.inventory import said
from tests.corpus.run import Row

PAGE = Path(__file__).parents[2] / "docs" / "corpus.md"

INTRODUCTION = """\
# The corpus

<!-- made by: python -m tests.corpus --engines --write; only the reasons in the last table are written by hand -->

The archives that come with gcc, glibc and GHC hold what compilers and hand-written assembler really make. `make corpus`
links each of their members alone, at a pretended address and with a pretended address for every name that the member
leaves undefined, and counts how many are accepted. With `--engines` each is linked by the scalar and by the native
engine, and the bytes must be equal. `make corpus ARGS="FILE ..."` takes any other archives, objects or linker scripts.
tests/real/test_corpus.py does the same with what is installed: a refusal that is not named below fails it.

"""

VERSIONS = {
    "gcc": ("gcc", "-dumpfullversion"),
    "glibc": ("getconf", "GNU_LIBC_VERSION"),
    "GHC": ("ghc", "--numeric-version"),
}
"""How each toolchain says its version, as the last word."""

REFUSALS = """
## Refusals

A member that is refused and does not stand here, or stands here without a reason, makes the command fail.

"""


def table(rows: list[Row]) -> str:
    """One line per archive, for a terminal."""
    heads = ("archive", ">members", ">accepted", ">refused", ">seconds", "")
    return Table("", heads, [(*counts(row), f"{row.seconds:.1f}", row.part.missing) for row in rows]).text()


def counts(row: Row) -> tuple[str, str, str, str]:
    """Title, members, accepted, refused."""
    count, refused = len(row.outcomes), len(row.refused)
    return row.part.title, f"{count:,}", f"{count - refused:,}", f"{refused:,}"


def refusal(outcome: Outcome, reasons: dict[tuple[str, str], str]) -> str:
    """A refusal with its reason, for a terminal."""
    reason = reasons.get((outcome.member, outcome.error)) or "not explained in docs/corpus.md"
    return f"{outcome.member}: {outcome.error}\n    {outcome.facts}\n    reason: {reason}"


def page(rows: list[Row], reasons: dict[tuple[str, str], str]) -> str:
    """docs/corpus.md. Seconds are left out, so that it only changes when a count does."""
    lines = ["| archive | members | accepted | refused |", "|---|--:|--:|--:|"]
    lines += [f"| {' | '.join(counts(row))} |" for row in rows if row.outcomes]
    refused = [outcome for row in rows for outcome in row.refused]
    text = INTRODUCTION + versions() + "\n".join(lines) + "\n" + REFUSALS
    if not refused:
        return text + "None.\n"
    lines = ["| member | error | reason |", "|---|---|---|"]
    lines += [f"| `{o.member}` | {o.error} | {reasons.get((o.member, o.error), '')} |" for o in refused]
    return text + "\n".join(lines) + "\n"


def versions() -> str:
    """Whose archives the counts are of."""
    said_by = {name: said(*command).split() for name, command in VERSIONS.items()}
    return f"With {', '.join(f'{name} {words[-1]}' for name, words in said_by.items() if words)}:\n\n"


def known_reasons(text: str | None = None) -> dict[tuple[str, str], str]:
    """The reason for each member and error of the page that has one."""
    reasons = {}
    for line in (PAGE.read_text() if text is None else text).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 3 and cells[0].startswith("`") and cells[2]:
            reasons[cells[0].strip("`"), cells[1]] = cells[2]
    return reasons


def unexpected(rows: list[Row], reasons: dict[tuple[str, str], str]) -> list[Outcome]:
    """The refusals without a reason."""
    return [o for row in rows for o in row.refused if (o.member, o.error) not in reasons]
