"""`python -m tests.bench [--quick] [--json FILE] [CASE ...]`: all cases, or those named, as one table."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from . import machine, table
from .measure import Group, Row

CASES = ("small", "hsbase", "haskell", "cli", "large", "archive", "engines", "memory", "hot")


def main() -> int:
    """Print the table; 1 when a case broke, whatever the times are."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="rtlinker against its peers.")
    parser.add_argument("cases", metavar="CASE", nargs="*", help=f"which of {', '.join(CASES)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="few rounds and smaller inputs: to see that it works")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write the table there")
    options = parser.parse_args()
    unknown = set(options.cases) - set(CASES)
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    facts = machine.facts()
    print(machine.line(facts))
    print("ratio: the peer's median over that of the group's first row; above 1, rtlinker was faster\n")
    print(table.HEAD)
    groups: list[Group] = []
    broken = []
    with tempfile.TemporaryDirectory(prefix="rtlinker-bench-") as directory:
        for case in options.cases or CASES:
            worker = _Worker(case, directory, options.quick)
            for group in worker.groups():
                groups.append(group)
                print(table.draw(group), flush=True)
            if worker.status:
                broken.append(case)
                print(f"[{case}] broke with status {worker.status}: the rows that are missing were not measured\n")
    if options.json:
        result = {"machine": facts, "quick": options.quick, "broken": broken, "groups": [*map(asdict, groups)]}
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return bool(broken)


class _Worker:
    """A case in its own process; `status` is its exit status once all groups were read."""

    def __init__(self, case: str, directory: str, quick: bool) -> None:
        self.command = [sys.executable, "-m", "tests.bench.worker", case, directory, "quick" if quick else "full"]
        self.status = 0

    def groups(self) -> Iterator[Group]:
        """Every group, as soon as it was measured. What peers print to standard output goes to standard error."""
        reading, writing = os.pipe()
        environment = {**os.environ, "BENCH_RESULTS": str(writing), "PYTHONPATH": str(machine.ROOT)}
        # an installed package has its bytecode; without this every process would compile rtlinker again
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        child = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            env=environment,
            pass_fds=(writing,),
            cwd=machine.ROOT,
        )
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as lines:
            for line in lines:
                fields = json.loads(line)
                rows = tuple(Row(**row) for row in fields.pop("rows"))
                yield Group(rows=rows, **fields)
        self.status = child.wait()


if __name__ == "__main__":
    sys.exit(main())
