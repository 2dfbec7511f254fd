"""Notices of the kernel that something happened in some directories, by the library watchfiles (inotify(7)).

Directories are watched and not files: a file that is renamed over another one is a new file, which nobody would watch.
watchfiles reports each write, of which the last one comes before the file is closed, each change of attributes and each
rename, so whoever looks after the last notice sees the file as its writer left it (`hot.watching` waits until it stands
still). A notice says no more than that a look is worth it. Where there are none (watchfiles is not installed, no
inotify watches are left, or the file system is of another machine's making) looks come by the clock, a little later.
"""

from __future__ import annotations

import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

UNNOTICED = 0.1
"""Seconds between two looks where nothing gives notice."""

NOTICED = 1.0
"""Seconds between two looks although there are notices: changes that come over a network have none."""

GROUP, STEP = 100, 10
"""Milliseconds: how long changes are gathered at most, and how long without one ends that."""


class Notices:
    """`fileno()` becomes readable when something has happened in one of the directories; `take` makes it wait again.

    `by_kernel` says whether there are notices at all; `why_not` why there are none. `interval` is how many seconds may
    pass without a look. `close` ends the thread that listens, within a second.
    """

    def __init__(self, directories: Sequence[str]) -> None:
        self._reader = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._stop = threading.Event()
        self.why_not = ""
        self._listen(directories)

    @property
    def by_kernel(self) -> bool:
        """Whether the kernel gives notice."""
        return not self.why_not

    @property
    def interval(self) -> float:
        """Seconds."""
        return NOTICED if self.by_kernel else UNNOTICED

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._reader

    def take(self) -> None:
        """Forget the notices that have come."""
        try:
            os.eventfd_read(self._reader)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Listen no longer. The descriptor stays open, since the thread may still write to it."""
        self._stop.set()

    def _listen(self, directories: Sequence[str]) -> None:
        try:
            from watchfiles import watch
        except ImportError:
            self.why_not = "watchfiles is not installed"
            return
        there = [path for path in directories if os.path.isdir(path)]  # noqa: PTH112
        changes = watch(
            *there,
            watch_filter=None,
            debounce=GROUP,
            step=STEP,
            rust_timeout=1000,
            stop_event=self._stop,
            raise_interrupt=False,
            recursive=False,
        )
        threading.Thread(target=_tell, args=(changes, self._ring, self._fail), name="notices", daemon=True).start()

    def _ring(self) -> None:
        os.eventfd_write(self._reader, 1)

    def _fail(self, why: str) -> None:
        self.why_not = why
        self._ring()


def _tell(changes: Iterator[object], ring: Callable[[], None], fail: Callable[[str], None]) -> None:
    """The listening thread's life."""
    try:
        for _ in changes:
            ring()
    except Exception as error:  # a directory that has gone, no inotify watches left: the clock takes over
        fail(str(error) or type(error).__name__)
