"""Domains and threads for the tests of hot reload; all of it runs in a forked child."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.hot import Module

LATEST = f'#include "{Path(__file__).resolve().parents[2] / "rtlinker/hot/rtlinker.h"}"\n'
"""What C code includes to name the newest version."""


class Worker(threading.Thread):
    """A thread whose result, or exception, `wait` gives."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.work = work
        self.answer: object = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.answer = self.work()
        except BaseException as error:
            self.error = error

    def wait(self) -> object:
        self.join(60)
        if self.error is not None:
            raise self.error
        assert not self.is_alive(), "the thread has not ended within a minute"
        return self.answer


def purge_all(module: Module) -> bool:
    """Whether all old versions of a module are gone, which they must be within half a minute."""
    module.purge(30)
    return len(module.versions()) == 1


def until(condition: Callable[[], object], seconds: float = 30.0) -> object:
    """What a condition gives once it is true; fails after a while."""
    from time import monotonic

    event, deadline = threading.Event(), monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert monotonic() < deadline, f"did not come true within {seconds} seconds"
        event.wait(0.001)
