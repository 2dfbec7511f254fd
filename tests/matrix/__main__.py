"""`python -m tests.matrix [--write] [--loader NAME] [NAME ...]`: which features work with which loader.

A NAME is a part of a feature's name. The exit status is 1 when rtlinker fails at a feature that it does not refuse on
purpose, or when a feature does not even work in an ordinary program. Then nothing is written.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tests.matrix import page
from tests.matrix.feature import BuildError, build
from tests.matrix.features import FEATURES
from tests.matrix.run import JITLINK, LOADERS, Outcome, attempt, installed_jitlink

if TYPE_CHECKING:
    from tests.matrix.feature import Feature
    from tests.matrix.page import Row


def main() -> int:
    """Print a line per feature as soon as all loaders have tried it, then the totals."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description="Features and loaders.")
    parser.add_argument("names", metavar="NAME", nargs="*", help="parts of features' names (default: all features)")
    parser.add_argument("--write", action="store_true", help="write the tables of docs/features.md")
    parser.add_argument("--loader", action="append", choices=tuple(LOADERS), help="only this one (repeatable)")
    options = parser.parse_args()
    if options.write and (options.names or options.loader):
        parser.error("the page is written from a run of everything")
    there = [name for name in LOADERS if name != JITLINK or installed_jitlink()]
    loaders = options.loader or there
    features = [row for row in FEATURES if not options.names or any(name in row.name for name in options.names)]
    if not features:
        parser.error("no feature has such a name")
    rows: dict[str, Row] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for feature, row in zip(features, pool.map(lambda feature: tried(feature, loaders), features)):
            rows[feature.name] = row
            print(page.line(feature, row), flush=True)
    print(page.totals(rows, loaders))
    failed = [row.name for row in features if wrong(row, rows[row.name])]
    if failed:
        print(f"not as it should be: {'; '.join(failed)}", file=sys.stderr)
    elif options.write:
        page.write(rows, loaders)
        print(f"wrote {page.PAGE}")
    return bool(failed)


def tried(feature: Feature, loaders: list[str]) -> Row:
    """What came of it with each loader; a feature that cannot be built is no loader's fault."""
    with tempfile.TemporaryDirectory(prefix="rtlinker-matrix-") as directory:
        try:
            built = build(feature, Path(directory))
        except BuildError as error:
            return dict.fromkeys(loaders, Outcome("unbuilt", str(error)))
        return {loader: attempt(loader, built, Path(directory)) for loader in loaders}


def wrong(feature: Feature, row: Row) -> bool:
    """Whether rtlinker did something else than it should, or the reference did not work, which is the test's fault."""
    wanted = {"rtlinker": "refused" if feature.refused else "yes", "program": "yes"}
    return any(outcome.verdict != wanted.get(name, outcome.verdict) for name, outcome in row.items())


if __name__ == "__main__":
    sys.exit(main())
