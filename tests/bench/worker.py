"""One case in a process of its own: `python -m tests.bench.worker CASE DIRECTORY QUICK`, groups to the
descriptor that BENCH_RESULTS names.

What one case imports (LLVM) is then not in another's process, and a peer that crashes takes only its case along.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path


def main(case: str, directory: str, quick: str) -> None:
    """Run the case; every group is one line of JSON as soon as it is there."""
    with os.fdopen(int(os.environ["BENCH_RESULTS"]), "w", encoding="utf-8") as results:
        for group in importlib.import_module(f"tests.bench.case_{case}").run(Path(directory), quick == "quick"):
            results.write(json.dumps(asdict(group)) + "\n")
            results.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
