"""What `rtlinker watch` says of what happens, on standard error: drawn by rich in a terminal, plain everywhere else."""

from __future__ import annotations

import os
import sys
import time

from rtlinker.cli.held import LISTS, some
from rtlinker.host.signal_names import signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from rtlinker.cli.build import Built

SHORT = 5e-5
"""Seconds below which a step is not worth a word."""

GOOD, BAD, DIM = "bold green", "bold red", "dim"


class News:
    """Says what has happened: a headline with a style, and below it rows of a label and a text.

    `built` are the seconds that a build took whose outcome has not been told.
    """

    def __init__(self) -> None:
        self._console = _console()
        self.built = 0.0
        self._failure = ""

    def building(self, edited: Sequence[str]) -> None:
        """A build begins; said where its output is seen."""
        if sys.stderr.isatty():
            self._say(f"building: {some(edited) or 'the first version'}", DIM)

    def loaded(self, body: Mapping[str, Any], watched: str) -> None:
        """A holder has loaded the module; `watched` says what is watched, if that is news."""
        self._version(body, {"load": body["seconds"]})
        self._rows([("loaded", some(body["paths"])), ("watched", watched), ("note", body["notes"])])

    def reloaded(self, report: Mapping[str, Any], files: Sequence[str], calling: float | None) -> None:
        """A new version runs; of a call since `calling` it is said that it goes on."""
        self._version(report, report["seconds"])
        running = report["in_flight"]
        if calling is not None:
            running += "\n" * bool(running) + f"the call that began {duration(time.monotonic() - calling)} ago"
        rows = [("files", some(files)), *[(label, report[label]) for label in LISTS], ("dropped", report["dropped"])]
        self._rows([*rows, ("running", running), ("unverified", report["unverified"]), ("note", report["notes"])])

    def nothing_new(self, version: int) -> None:
        """The files hold what runs already."""
        self._say(f"version {version} stays, the files hold what it has: {self._times({})}".removesuffix(": "), DIM)

    def built_in_vain(self, built: Built, version: int) -> None:
        """A build that brings no version: it failed, or made what was there."""
        if not built.code:
            self.nothing_new(version)
            return
        how = f"exit code {built.code}" if built.code > 0 else signal_name(-built.code)
        self._say(f"error: the build failed with {how} in {duration(built.seconds)}", BAD)
        self._plain(built.output.rstrip("\n"))
        self._stays(version)
        self.built = 0.0

    def failed(self, body: Mapping[str, Any], version: int, anew: bool) -> None:
        """Loading, reloading or calling failed; `anew` says that a refusal is answered by a new process.

        A call that fails as the one before it did is told once.
        """
        if body["doing"] == "call" and body["text"] == self._failure:
            return  # calls every so often would say it for ever
        self._failure = body["text"]
        self._error(f"error: {body['text']}")
        if anew:
            self._say("  the state is lost: a new process starts with the new files", DIM)
        elif body["doing"] == "load":
            self._say("  the next change is tried", DIM)
        elif body["doing"] == "reload":
            self._stays(version, "; with --restart a new process would take the new files" * body["refused"])
        if body["doing"] != "call":
            self.built = 0.0

    def ended(self, body: Mapping[str, Any], revive: bool) -> None:
        """The holder has ended, although nobody asked it to."""
        code = body["code"]
        self._error(body["report"] or f"error: the called code ended its process, exit code {code}")
        again = "a new process calls it again" if revive else "a new process starts with the next change"
        self._say(f"  the state is lost: {again}", DIM)

    def returned(self, text: str) -> None:
        """A call has returned, with something to be said beside its result or nothing."""
        self._failure = ""
        if text:
            self._say(f"note: {text}", DIM)

    def _stays(self, version: int, more: str = "") -> None:
        if version:
            self._say(f"  version {version} stays{more}", DIM)

    def _version(self, body: Mapping[str, Any], steps: Mapping[str, float]) -> None:
        self._failure = ""
        self._say(f"version {body['version']}: {self._times(steps)}", GOOD)

    def _error(self, text: str) -> None:
        headline, _, rest = text.partition("\n")
        self._say(headline, BAD)
        self._plain(rest)

    def _times(self, steps: Mapping[str, float]) -> str:
        """How long each step took: `build 120 ms, link 2.1 ms`; from now on the build is told."""
        steps = {"build": self.built} | {**steps} if self.built else steps
        self.built = 0.0
        return ", ".join(f"{name} {duration(seconds)}" for name, seconds in steps.items() if seconds >= SHORT)

    def _rows(self, rows: Sequence[tuple[str, str]]) -> None:
        shown = [(label, text) for label, text in rows if text]
        width = max((len(label) for label, _ in shown), default=0)
        for label, text in shown:
            first, *more = text.split("\n")
            self._say(f"  {label.ljust(width)}  ", DIM, first)
            for line in more:
                self._say(f"  {' ' * width}  ", DIM, line)

    def _plain(self, text: str) -> None:
        if text:
            self._say("", "", text)

    def _say(self, text: str, style: str, plain: str = "") -> None:
        if self._console is None:
            print(f"{text}{plain}".rstrip(), file=sys.stderr, flush=True)
        else:
            self._console.print(text, style=style, end="")
            self._console.print(plain)


def _console() -> Any:
    """Rich's, for a terminal that shall have colours; None where plain text is due."""
    if not sys.stderr.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """`0.4 ms`, `12 ms`, `1.3 s`."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds < 0.01 else f"{seconds * 1e3:.0f} ms"
