"""The process that holds the watched module, seen from outside: begun, asked for things, and begun again when it died.

It is a grandchild. Tracing a process takes a thread that waits for it, and forking takes a process without threads, so
in between stands one that does nothing else: it was forked before the watcher had any thread, traces the holder
(`isolate.run`), reports its crash, and forks the next one. All three share one pair of sockets. The watcher has one
end; the other is the holder's while it lives, and that of the process in between while there is none. Should the
watcher die, so does the one in between, and with it the traced holder.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from rtlinker.host.demangle import readable
from rtlinker.host.signal_names import signal_name
from rtlinker.isolate import ptrace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from typing import Any

    from rtlinker.cli.command import Words
    from rtlinker.isolate.run import Outcome

    Message = tuple[str, dict[str, Any]]
    Symbol = tuple[int, int, str]

PATIENCE, GRACE = 5.0, 1.0
"""Seconds that the holder's destructors may take when the watch ends, and a call that is under way then."""


class Holder:
    """Asks for `start`, `call`, `reload` and `end`, one of each at a time; answers come to `receive`.

    Answers are a kind and a body: `loaded`, `reloaded`, `called`, `failed` (with a text), `closed` (nobody reads
    standard output any more), and `ended` when the process is gone, whether it was asked to or not.
    """

    def __init__(self, words: Words) -> None:
        from multiprocessing.connection import Pipe

        self._connection, others = Pipe()
        watcher = os.getpid()
        self._supervisor = os.fork()
        if not self._supervisor:
            try:
                self._connection.close()
                _supervise(others, words, watcher)
            finally:
                os._exit(0)
        others.close()

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._connection.fileno()

    def ask(self, what: str) -> None:
        """Send a request; one that nobody is there to read is answered by `ended`."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(what)

    def receive(self) -> Message:
        """The next answer; blocks."""
        try:
            message: Message = self._connection.recv()
        except (EOFError, OSError):
            report = "error: the process that begins others was killed"
            return "ended", {"signal": signal.SIGKILL, "code": None, "report": report, "supervised": False}
        return message

    def leave(self, process: int, at_once: bool) -> None:
        """End the holder alone; `ended` will come. Destructors run, unless it is to be `at_once`."""
        if at_once:
            os.kill(process, signal.SIGKILL)
        else:
            self.ask("end")

    def end(self, busy: bool) -> None:
        """End both processes. Destructors run, unless it is `busy` and does not come to an end of that soon."""
        patience = GRACE if busy else PATIENCE
        try:
            self.ask("end")
            while self._connection.poll(patience) and self.receive()[0] != "ended":
                patience = PATIENCE
        finally:
            os.kill(self._supervisor, signal.SIGKILL)
            os.waitpid(self._supervisor, 0)
            self._connection.close()


def _supervise(connection: Connection, words: Words, watcher: int) -> None:
    """Fork, trace and report one holder after the other, until the watcher closes its end."""
    from rtlinker.isolate.run import run_in_child

    interruptible = signal.getsignal(signal.SIGINT) != signal.SIG_IGN
    ptrace.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the watcher answers it
    if os.getppid() != watcher:
        return
    names = os.memfd_create("rtlinker names")

    def work() -> int:
        from rtlinker.cli.holding import hold

        return hold(connection, words, names, interruptible)

    with suppress(EOFError, OSError):
        while True:
            if connection.recv() == "start":  # others were meant for a holder that has died
                os.ftruncate(names, 0)
                connection.send(("ended", _told(run_in_child(work), read_names(names))))


def _told(outcome: Outcome, names: list[Symbol]) -> dict[str, Any]:
    """How a holder ended, for the watcher."""
    report = ""
    if outcome.crash is not None:
        from rtlinker.isolate.report import crash_report

        report = crash_report(outcome.crash, lambda address: named(names, address))
    elif outcome.signal is not None:
        report = f"error: the called code died of {signal_name(outcome.signal)}"
    return {"signal": outcome.signal, "code": outcome.exit_code, "report": report}


def write_names(file: int, symbols: list[Symbol]) -> None:
    """Leave the symbols of the holder's images where they outlive it: (start, end, name), absolute addresses."""
    import marshal

    data = marshal.dumps(sorted(symbols))
    os.ftruncate(file, 0)
    os.pwrite(file, data, 0)


def read_names(file: int) -> list[Symbol]:
    """What `write_names` left; nothing if the holder died before, or while, it wrote."""
    import marshal

    try:
        found: list[Symbol] = marshal.loads(os.pread(file, os.fstat(file).st_size, 0))  # noqa: S302  # our own fork's
    except (EOFError, ValueError, TypeError):
        return []
    return found


def named(symbols: list[Symbol], address: int) -> str | None:
    """`step+0x12 (game.o)` for an address in the holder: of its images, else of libraries that we have, too."""
    from bisect import bisect_right

    at = bisect_right(symbols, address, key=lambda symbol: symbol[0]) - 1
    if at >= 0 and address < symbols[at][1]:
        start, _, text = symbols[at]
        function, _, place = text.partition("\t")
        return f"{readable(function)}+{address - start:#x} ({place})"
    from rtlinker.live.describe import describe

    return describe((), address)
