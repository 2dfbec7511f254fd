"""`python -m tests.soak [ROUNDS] [loads | reloads]`: 10,000 rounds of both unless told otherwise.

The exit code is 1 when something has grown, or was seen that must not be.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.soak import reloads
from tests.soak.loads import SLACK, SOURCE, grown

FLAGS = ("-fPIC", "-fPIE", "-fno-pic", "-fPIC -mtls-dialect=gnu2")
WARM = 500


def loads(directory: Path, count: int) -> bool:
    """Compile the object, run the rounds, print what the process held before and after; whether that is the same."""
    source, path = Path(directory, "soak.cc"), Path(directory, "soak.o")
    source.write_text(SOURCE)
    for flags in FLAGS:
        subprocess.run(["g++", "-O1", *flags.split(), "-c", source, "-o", path], check=True)
        begin = time.monotonic()
        before, after = grown(path, WARM, count)
        print(f"{flags}: {count:,} loads and unloads {_told(begin, before, after)}", flush=True)
        steady = {name: value for name, value in before.items() if name != "memory"}
        grown_memory = after["memory"] > before["memory"] + SLACK
        if grown_memory or any(after[name] != value for name, value in steady.items()):
            print("something has grown")
            return False
    return True


def reloads_under_load(directory: Path, count: int) -> bool:
    """The same for reloads of two modules that threads call; whether what was seen is right, too."""
    objects = {}
    for name, text in reloads.SOURCES.items():
        source, objects[name] = Path(directory, f"{name}.c"), Path(directory, f"{name}.o")
        source.write_text(text)
        subprocess.run(["gcc", *reloads.FLAGS.split(), "-c", source, "-o", objects[name]], check=True)
    begin = time.monotonic()
    found = reloads.reload_under_load(objects, WARM, count)
    what = f"{count:,} reloads of two modules that {reloads.THREADS} threads call"
    print(f"{what} {_told(begin, found.before, found.parts[-1])}")
    memory = [f"{part['memory']:,}" for part in found.parts]
    print(f"memory after each part: {', '.join(memory)}")
    print(f"{found.turns:,} looks: {found.wrong} wrong, {found.lost} calls lost; all old versions freed: {found.freed}")
    grew = reloads.grew(found)
    if grew:
        print(f"something has grown: {', '.join(grew)}")
    return not grew and found.right


def _told(begin: float, before: dict[str, int], after: dict[str, int]) -> str:
    shown = ", ".join(f"{name} {before[name]:,} -> {after[name]:,}" for name in before)
    return f"in {time.monotonic() - begin:.0f} s: {shown}"


def main() -> int:
    """Both, or what the command line says."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    wanted = sys.argv[2:] or ["loads", "reloads"]
    with tempfile.TemporaryDirectory() as directory:
        works = {"loads": loads, "reloads": reloads_under_load}
        return int(not all(works[name](Path(directory), count) for name in wanted))


sys.exit(main())
