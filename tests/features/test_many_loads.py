"""Unloading gives everything back: `make soak` does 10,000 rounds of what is done a few hundred times here."""

import subprocess
import sys
from pathlib import Path


def test_loads_and_unloads_leave_nothing():
    # in a process of its own: a fork of the test runner shares pages, and copies them as it goes
    ran = subprocess.run(
        [sys.executable, "-m", "tests.soak", "300", "loads"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("300 loads and unloads") == 4
