"""The scripts of docs/examples run and end well."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((CHECKOUT / "docs" / "examples").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_ends_well_and_prints_something(script, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    ran = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout


def test_there_are_scripts():
    assert len(SCRIPTS) >= 3
