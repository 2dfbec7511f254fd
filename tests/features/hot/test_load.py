"""The load to hold: `make soak` does 10,000 of the reloads that are done a few hundred times here (T5, T25)."""

import subprocess
import sys
from pathlib import Path

import pytest

from rtlinker.hot.domain import Domain
from tests.soak import reloads


@pytest.fixture
def objects(compile):
    return {name: compile(source, name=f"{name}.o", flags=reloads.FLAGS) for name, source in reloads.SOURCES.items()}


def test_no_call_sees_one_module_new_and_another_old(objects, in_child):
    found = in_child(lambda: reloads.reload_under_load(objects, warm=0, rounds=200))
    assert (found.wrong, found.lost, found.idle, found.freed, found.version) == (0, 0, 0, True, 200)


def test_reloads_under_load_leave_nothing():
    # in a process of its own: a fork of the test runner shares pages, and copies them as it goes
    ran = subprocess.run(
        [sys.executable, "-m", "tests.soak", "300", "reloads"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "300 reloads" in ran.stdout and " 0 wrong, 0 calls lost" in ran.stdout


def test_the_same_load_sees_a_switch_that_is_two_stores(objects, in_child):
    def run():
        from threading import Event

        # long enough for threads to look in between, on a machine with one processor, too
        Domain.switch = reloads.switch_one_by_one(lambda: Event().wait(0.01))
        return reloads.reload_under_load(objects, warm=0, rounds=20).wrong

    assert in_child(run) > 0
