"""`python -m tests.soak [ROUNDS]`: 10,000 rounds unless told otherwise; exit code 1 when something has grown."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.soak.loads import SLACK, SOURCE, grown

FLAGS = ("-fPIC", "-fPIE", "-fno-pic", "-fPIC -mtls-dialect=gnu2")


def main() -> int:
    """Compile the object, run the rounds, print what the process held before and after."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as directory:
        source, path = Path(directory, "soak.cc"), Path(directory, "soak.o")
        source.write_text(SOURCE)
        for flags in FLAGS:
            subprocess.run(["g++", "-O1", *flags.split(), "-c", source, "-o", path], check=True)
            begin = time.monotonic()
            before, after = grown(path, 500, count)
            seconds = time.monotonic() - begin
            shown = ", ".join(f"{name} {before[name]:,} -> {after[name]:,}" for name in before)
            print(f"{flags}: {count:,} loads and unloads in {seconds:.0f} s: {shown}", flush=True)
            steady = {name: value for name, value in before.items() if name != "memory"}
            grown_memory = after["memory"] > before["memory"] + SLACK
            if grown_memory or any(after[name] != value for name, value in steady.items()):
                print("something has grown")
                return 1
    return 0


sys.exit(main())
