"""docs/hot-reload.md names tests that there are, one at least for each of its scenarios."""

import re
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def test_each_scenario_has_tests_that_exist():
    page = (CHECKOUT / "docs" / "hot-reload.md").read_text().partition("\n## What is tested\n")[2]
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| (.+) \|$", page, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, 46))
    there = {
        f"{path.stem.removeprefix('test_')}::{name}"
        for path in (CHECKOUT / "tests" / "features" / "hot").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    missing = [name for _, _, tests in rows for name in re.findall(r"`(\w+::\w+)`", tests) if name not in there]
    assert not missing
    assert all("::" in tests or "tests/bench" in tests for _, _, tests in rows)
