"""The scripts of docs/examples run and end well."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((CHECKOUT / "docs" / "examples").glob("*.py"))
ACTORS = CHECKOUT / "docs" / "examples" / "actor" / "upgrade.py"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_ends_well_and_prints_something(script, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    ran = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout


def test_the_actors_lose_nothing_in_three_upgrades_and_a_refusal():
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    ran = subprocess.run([sys.executable, ACTORS], capture_output=True, text=True, env=environment, check=True)
    for text in ("upgrade 1: version 2", "upgrade 2: version 3", "upgrade 3: version 4", "refused: signature changed"):
        assert text in ran.stdout
    numbers = r"nothing is lost: ([\d,]+) messages sent, ([\d,]+) \+ ([\d,]+) \+ ([\d,]+) handled"
    found = re.search(numbers, ran.stdout)
    sent, *handled = (int(number.replace(",", "")) for number in found.groups())
    assert sent == sum(handled)
    assert min(handled) > 0
    assert ran.stdout.endswith("old versions are gone: [4] is left\n")


def test_there_are_scripts():
    assert len(SCRIPTS) >= 3
