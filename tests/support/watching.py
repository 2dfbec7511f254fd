"""`rtlinker watch` as a process of its own, whose lines tests wait for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.child import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO

SECONDS = 60
"""How long anything may take on a busy machine."""


class Watch:
    """One watch in a directory. `out` and `err` are what it has written so far."""

    def __init__(self, directory: Path, *arguments: object, environment: dict[str, str] | None = None) -> None:
        known = {**os.environ, "PYTHONPATH": str(CHECKOUT), "NO_COLOR": "1", **(environment or {})}
        command = [sys.executable, "-m", "rtlinker", "watch", *map(str, arguments)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, cwd=directory, env=known, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
        )
        self.out = ""
        self.err = ""
        self._news = threading.Condition()
        streams = {"out": self.process.stdout, "err": self.process.stderr}
        self._readers = [threading.Thread(target=self._take, args=each, daemon=True) for each in streams.items()]
        for reader in self._readers:
            reader.start()

    def _take(self, name: str, stream: IO[str]) -> None:
        for line in stream:
            with self._news:
                setattr(self, name, getattr(self, name) + line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def until(self, claim: Callable[[], bool], what: str = "") -> None:
        """Wait until something is true of what was written."""
        __tracebackhide__ = True
        with self._news:
            if not self._news.wait_for(claim, SECONDS):
                pytest.fail(f"waited in vain for {what}\n--- out\n{self.out}\n--- err\n{self.err}")

    def printed(self, text: str) -> None:
        """Wait until standard output is this text."""
        __tracebackhide__ = True
        self.until(lambda: self.out.startswith(text), f"standard output {text!r}")
        assert self.out == text

    def said(self, text: str, times: int = 1) -> None:
        """Wait until a text was written to standard error, so often in all."""
        __tracebackhide__ = True
        self.until(lambda: self.err.count(text) >= times, f"{text!r} on standard error")

    def interrupt(self) -> int:
        """Press Ctrl-C, and wait for the end and all that was written before; the exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(SECONDS)
        for reader in self._readers:
            reader.join(SECONDS)
        return code

    def close(self) -> None:
        """End it, however it is."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def children(self) -> list[int]:
        """The processes below it, as long as it lives."""
        found, todo = [], [self.process.pid]
        while todo:
            process = todo.pop()
            for thread in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{thread}/children") as file:
                    todo += map(int, file.read().split())
            found.append(process)
        return found[1:]


def gone(process: int) -> bool:
    """Whether a process ends within the time that anything may take."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            with open(f"/proc/{process}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] in "ZX":
                    return True
        except OSError:
            return True
        threading.Event().wait(0.01)
    return False
