"""Inside the process that holds the watched module: it loads, calls and reloads as it is asked to, and answers.

Calls run in the main thread, as they would in a program. A second thread reads the requests. While a call runs, that
thread also reloads, so that code which loops for ever gets its new version; otherwise the main thread does.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from queue import SimpleQueue

from rtlinker.errors import LinkError, ReloadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from typing import Any

    from rtlinker.cli.command import Words
    from rtlinker.cli.held import Held


def hold(connection: Connection, words: Words, names: int, interruptible: bool) -> int:
    """The life of the process: its exit code. `names` is the file for what a crash report needs."""
    import gc

    gc.enable()
    if interruptible:
        signal.signal(signal.SIGINT, lambda *_: None)  # the watcher ends us, so that destructors run
        signal.siginterrupt(signal.SIGINT, False)
    holding = _Holding(connection, names)
    if not holding.load(words):
        return 0
    threading.Thread(target=holding.listen, name="requests", daemon=True).start()
    return holding.work()


class _Holding:
    """The module, the requests, and the way back to the watcher."""

    def __init__(self, connection: Connection, names: int) -> None:
        self._connection = connection
        self._names = names
        self._sending = threading.Lock()
        self._requests: SimpleQueue[str] = SimpleQueue()
        self._calling = False
        self._held: Held | None = None

    @property
    def held(self) -> Held:
        """What is held, once it is loaded."""
        assert self._held is not None
        return self._held

    def load(self, words: Words) -> bool:
        """Load the module; whether that went well."""
        from rtlinker.cli.held import open_held, some

        began = time.monotonic()
        try:
            self._held = open_held(words)
        except (LinkError, OSError) as error:
            self._fail("load", error)
            return False
        self._tell_names()
        told = {"process": os.getpid(), "version": self.held.version, "paths": self.held.paths}
        self._send("loaded", told | {"seconds": time.monotonic() - began, "notes": some(self.held.notes(), "\n")})
        return True

    def listen(self) -> None:
        """The second thread: sort what comes. What it does not expect is a bug, and ends the process as one."""
        try:
            self._listen()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(70)

    def _listen(self) -> None:
        while True:
            try:
                request = self._connection.recv()
            except (EOFError, OSError):
                request = "end"
            if request == "reload" and self._calling:
                self.reload()
                continue
            if request == "call":
                self._calling = True  # before the main thread knows: a reload that follows must not wait for its end
            self._requests.put(request)
            if request == "end":
                return

    def work(self) -> int:
        """The main thread: what is asked for, one after the other."""
        while True:
            request = self._requests.get()
            if request == "end":
                with suppress(LinkError):  # it is in use: the process ends all the same
                    self.held.close()
                return 0
            if request == "reload":
                self.reload()
            elif request == "call":
                self._call()

    def reload(self) -> None:
        """Reload, and answer with what came of it."""
        try:
            report = self.held.reload()
        except (LinkError, OSError) as error:
            self._fail("reload", error)
            return
        self._tell_names()
        self._send("reloaded", {"paths": self.held.paths, **report})

    def _call(self) -> None:
        began = time.monotonic()
        try:
            said = self.held.call()
        except BrokenPipeError:
            self._send("closed", {})
        except (LinkError, OSError) as error:
            self._calling = False
            self._fail("call", error)
        else:
            self._calling = False
            self._send("called", {"seconds": time.monotonic() - began, "said": said})

    def _fail(self, doing: str, error: Exception) -> None:
        text = str(error)
        if isinstance(error, OSError):
            reason, where = error.strerror or text, f": {error.filename}" if error.filename else ""
            text = f"{reason[:1].lower()}{reason[1:]}{where}"
        self._send("failed", {"doing": doing, "text": text, "refused": isinstance(error, ReloadError)})

    def _send(self, kind: str, body: dict[str, Any]) -> None:
        with self._sending:
            self._connection.send((kind, body))

    def _tell_names(self) -> None:
        from rtlinker.cli.holder import write_names

        write_names(self._names, self.held.names())
