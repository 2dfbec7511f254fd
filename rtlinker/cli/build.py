"""The build command of `rtlinker watch`: a shell runs it while everything else goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time

from rtlinker.facts import Fact

SHOWN = 1 << 16
"""Bytes of a failed build's output that are shown, from the end."""


class Built(Fact):
    """How a build ended: its exit code (-N for signal N), seconds, and its output where that was not shown yet."""

    code: int
    seconds: float
    output: str


class Build:
    """A build that runs; `fileno()` becomes readable when it has ended.

    Its output goes to standard error as it comes when that is a terminal, so that compilers colour it; else it is kept
    for a failure. Standard output is for results only. Ctrl-C reaches it as any program of the terminal.
    """

    def __init__(self, command: str) -> None:
        self.live = sys.stderr.isatty()
        self._kept = tempfile.TemporaryFile()  # noqa: SIM115  # closed in `finish`
        self._began = time.monotonic()
        self._ended = os.eventfd(0, os.EFD_CLOEXEC)
        output = sys.stderr.fileno() if self.live else self._kept.fileno()
        self._process = subprocess.Popen(  # noqa: S602  # the user's own command line, meant for the shell
            command, shell=True, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        threading.Thread(target=self._wait, name="build", daemon=True).start()

    def _wait(self) -> None:
        self._process.wait()
        os.eventfd_write(self._ended, 1)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._ended

    def finish(self) -> Built:
        """How it ended; waits for the end."""
        code = self._process.wait()
        seconds = time.monotonic() - self._began
        size = self._kept.seek(0, os.SEEK_END)
        self._kept.seek(max(0, size - SHOWN))
        output = self._kept.read().decode("utf-8", "replace")
        self._kept.close()
        return Built(code, seconds, output)

    def stop(self) -> None:
        """End it, as Ctrl-C would."""
        if self._process.poll() is None:
            self._process.terminate()
