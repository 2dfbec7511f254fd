"""docs/hot-reload.md names tests that there are, and the page of ReloadError the errors of hot reload."""

import inspect
import re
from pathlib import Path

from rtlinker import hot
from rtlinker.hot import errors

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


def test_each_error_of_hot_reload_is_public_and_on_the_page_of_reload_error():
    page = (CHECKOUT / "docs" / "errors" / "ReloadError.md").read_text()
    classes = {
        name for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__
    }
    assert classes <= set(hot.__all__)
    assert set(re.findall(r"^\| `(\w+Error)` \|", page, re.MULTILINE)) == classes
