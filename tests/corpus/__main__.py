"""`python -m tests.corpus [--engines] [--write] [PATH ...]`: accepted of total for each archive of the corpus."""

from __future__ import annotations

import argparse
import sys

from tests.corpus.attempt import ENGINES
from tests.corpus.inventory import of_path, the_corpus
from tests.corpus.page import PAGE, known_reasons, page, refusal, table, unexpected
from tests.corpus.run import run


def main() -> int:
    """Print the table and the refusals; 1 when one of them is not explained in docs/corpus.md."""
    parser = argparse.ArgumentParser(prog="python -m tests.corpus", description="Link every member of real archives.")
    parser.add_argument("paths", metavar="PATH", nargs="*", help="archives and objects instead of the corpus")
    parser.add_argument("--engines", action="store_true", help="link with both engines and compare the bytes")
    parser.add_argument("--write", action="store_true", help="also write docs/corpus.md")
    options = parser.parse_args()
    if options.write and options.paths:
        parser.error("--write is for the whole corpus")
    parts = [part for path in options.paths for part in of_path(path)] if options.paths else the_corpus()
    rows = list(run(parts, ENGINES if options.engines else ("auto",)))
    reasons = known_reasons()
    print(table(rows))
    for row in rows:
        for outcome in row.refused:
            print(refusal(outcome, reasons))
    if options.write:
        missing = [row.part.missing for row in rows if row.part.missing]
        if missing:
            parser.error(f"--write needs the whole corpus: {', '.join(missing)}")
        PAGE.write_text(page(rows, reasons))
    return bool(unexpected(rows, reasons))


if __name__ == "__main__":
    sys.exit(main())
