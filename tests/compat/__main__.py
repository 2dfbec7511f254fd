"""`python -m tests.compat [--write] [NAME ...]`: build and run all programs, or those named.

The exit status is 1 when a program that docs/compatibility.md lists as working does not work, 2 when a compiler is
missing. `--write` brings the page up to date, but not when a listed program has stopped working.
"""

from __future__ import annotations

import argparse
import sys

from tests.compat import table
from tests.compat.recipes import RECIPES
from tests.compat.run import run


def main() -> int:
    """Print a line per program as soon as it has run."""
    names = [recipe.name for recipe in RECIPES]
    parser = argparse.ArgumentParser(prog="python -m tests.compat", description="Programs of many compilers.")
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"which of {', '.join(names)} (default: all)")
    parser.add_argument("--write", action="store_true", help="write the table of docs/compatibility.md")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"no such program: {', '.join(sorted(unknown))}")
    if options.write and options.names:
        parser.error("the page is written from a run of all programs")
    outcomes = []
    for recipe in RECIPES:
        if options.names and recipe.name not in options.names:
            continue
        outcome = run(recipe)
        outcomes.append(outcome)
        print(f"{recipe.name:16} {'works' if outcome.works else outcome.why}", flush=True)
    broken = sorted(table.listed() & {outcome.recipe.name for outcome in outcomes if outcome.works is False})
    missing = [outcome.recipe.name for outcome in outcomes if outcome.works is None]
    print(f"{sum(outcome.works is True for outcome in outcomes)} of {len(outcomes)} work")
    if broken:
        print(f"listed as working, and does not: {', '.join(broken)}", file=sys.stderr)
    if missing:
        print(f"not tried, the compiler is missing: {', '.join(missing)}", file=sys.stderr)
    if options.write and not broken and not missing:
        table.write(outcomes)
        print(f"wrote {table.PAGE}")
    return 1 if broken else 2 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
