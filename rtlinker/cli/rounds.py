"""The loop of `rtlinker watch`: wait, look, build, reload, call, tell. Nothing but Ctrl-C ends it.

What takes time happens elsewhere: a build in its own process, loading, reloading and calling in the holder. So the loop
is always ready for what comes next. What is due is kept in `wants`, and done when nothing is in its way, always in the
same order: build, reload, call.
"""

from __future__ import annotations

import select
import signal
import sys
import time

from rtlinker.cli.changes import Changes
from rtlinker.cli.holder import Holder
from rtlinker.cli.news import News
from rtlinker.cli.watch import paths_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

    from rtlinker.cli.build import Build
    from rtlinker.cli.command import Words

FAILED, INTERRUPTED, CLOSED_PIPE = 1, 130, 141


class Rounds:
    """One watch. `run` returns its exit code; as a context manager it ends every process that it began."""

    def __init__(self, words: Words, every: float | None) -> None:
        self.restart = words.has("restart")
        self.command = words.last("build")
        self.every = every
        self.holder = Holder(words)  # first of all: it forks, and what follows has threads
        self.changes = Changes(paths_of(words), self.command is not None)
        self.news = News()
        self.build: Build | None = None
        self.code: int | None = None
        self.wants: set[str] = set()
        self.changed: dict[str, None] = {}
        """Files that have changed since the last version, or the last failure, was told."""
        self.objects_changed = False
        """Whether there are objects among them that the holder has not been asked to load."""
        self.asked = ""
        """What the holder does beside calling: `start`, `reload`, `end`, or nothing."""
        self.version = 0
        """What runs; 0 while nothing does."""
        self.process = 0
        self.calling: float | None = None
        """Since when a call runs."""
        self.called = False
        """Whether one has run since the last look."""
        self.returned = False
        """Whether one has returned in this holder."""
        self.revive = False
        """Whether a new holder is to be begun when the next call is due."""
        self.due = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.changes.close()
        if self.build is not None:
            self.build.stop()
        self.holder.end(busy=self.calling is not None or bool(self.asked))

    def run(self) -> int:
        """Watch until somebody ends it."""
        if self.command is not None and self.changes.stale():
            self.wants.add("build")
        else:
            self.wants.add("reload")
        try:
            while self.code is None:
                self._act()
                self._wait()
        except KeyboardInterrupt:
            return INTERRUPTED
        return self.code

    def _act(self) -> None:
        """Begin what is due, if nothing is in its way."""
        if self.build is not None or self.asked:
            return
        if "build" in self.wants:
            from rtlinker.cli.build import Build

            assert self.command is not None
            self.wants.discard("build")
            self.news.building([*self.changed])
            self.build = Build(self.command)
        elif "reload" in self.wants or (self.revive and self._is_due()):
            self.wants.discard("reload")
            self.objects_changed = self.revive = False
            self._ask("reload" if self.version else "start")
        elif self.version and self.calling is None and ("call" in self.wants or self._is_due()):
            self.wants.discard("call")
            self.calling = time.monotonic()
            self.called = True
            self.due = self.calling + (self.every or 0)
            self.holder.ask("call")

    def _ask(self, what: str) -> None:
        self.asked = what
        self.holder.ask(what)

    def _is_due(self) -> bool:
        return self.every is not None and time.monotonic() >= self.due

    def _wait(self) -> None:
        """Wait for the next thing to happen, and see to it."""
        ends: list[float] = []
        if self.build is None:
            ends.append(self.changes.patience())
            if self.every is not None and not self.asked and self.calling is None and (self.version or self.revive):
                ends.append(max(0.0, self.due - time.monotonic()))
        noticed = self.changes.notices
        waited: list[Any] = [self.holder, noticed, *([self.build] if self.build is not None else [])]
        ready, _, _ = select.select(waited, [], [], min(ends, default=None))
        if noticed in ready:
            noticed.take()
        if self.holder in ready:
            self._hear(*self.holder.receive())
        if self.build is not None:
            if self.build in ready:
                self._built(self.build)
        elif self.changes.is_due(noticed in ready):
            self._look()

    def _look(self) -> None:
        found = self.changes.look(self.called)
        self.called = self.calling is not None
        self.changed.update(dict.fromkeys((*found.edits, *found.objects)))
        if found.objects:
            self.objects_changed = True
            self.wants.add("reload")
        if found.edits and self.command is not None:
            self.wants.add("build")

    def _built(self, build: Build) -> None:
        self.build = None
        built, found = build.finish(), self.changes.after_build()
        self.news.built = built.seconds
        self.objects_changed |= bool(found.objects)
        reload = not built.code and (self.objects_changed or not self.version)
        if reload:
            self.wants.add("reload")
        else:
            self.wants.discard("reload")
            self.changed.clear()
            self.news.built_in_vain(built, self.version)
        self.changed.update(dict.fromkeys(found.edits))
        if found.edits:
            self.wants.add("build")

    def _hear(self, kind: str, body: dict[str, Any]) -> None:
        """See to what the holder says."""
        if kind == "called":
            self.calling, self.returned = None, True
            self.news.returned(body["said"])
        elif kind == "failed":
            self._failed(body)
        elif kind == "ended":
            self._ended(body)
        elif kind == "closed":
            self.code = CLOSED_PIPE
        else:
            self._taken(kind, body)

    def _taken(self, kind: str, body: dict[str, Any]) -> None:
        """The holder has a version, perhaps a new one."""
        self.asked, self.version = "", body["version"]
        self.changes.add(body["paths"])
        if kind == "loaded":
            self.process, self.returned = body["process"], False
            self.news.loaded(body, self.changes.told())
        elif body["unchanged"]:
            self.news.nothing_new(self.version)
        else:
            self.news.reloaded(body, [*self.changed], self.calling)
        self.changed.clear()
        if kind == "loaded" or not body["unchanged"]:
            self.wants.add("call")

    def _failed(self, body: dict[str, Any]) -> None:
        doing = body["doing"]
        anew = doing == "reload" and body["refused"] and self.restart
        if doing == "call":
            self.calling, self.returned = None, True
        else:
            self.changed.clear()
            self.asked = "end" if doing == "load" else ""
        self.news.failed(body, self.version, anew)
        if anew:
            self.wants.add("reload")
            self.asked = "end"
            self.holder.leave(self.process, at_once=self.calling is not None)

    def _ended(self, body: dict[str, Any]) -> None:
        """The holder is gone."""
        if body["signal"] == signal.SIGPIPE and _nobody_reads():
            self.code = CLOSED_PIPE
        elif self.asked != "end":
            self.revive = self.every is not None and self.returned and not self.asked
            self.news.ended(body, self.revive)
        if not body.get("supervised", True):
            self.code = FAILED
        self.asked, self.version, self.calling = "", 0, None
        self.wants.discard("call")


def _nobody_reads() -> bool:
    """Whether standard output is a pipe whose reader has gone."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
