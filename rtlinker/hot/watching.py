"""Which of some files have new contents: names looked at again and again, until what they hold stands still.

Files are watched by name. A compiler that writes in place, `cp`, an editor that renames a new file over the old one and
`make` that deletes first all end in the same question: what does this name hold now? Three things are kept apart:

- something may have happened: a notice of the kernel (`hot.notices`), or a little time has passed;
- a file stands still: two looks in a row found the same size and time, so that nobody is in the middle of writing it;
- its contents are others: their hash says so. A touched file, or one that was written again as it was, is no news.

Nothing here waits: who watches calls `look` when it may be worth it, and again after SETTLE while a file is unsettled.
Files are read, never mapped: a mapping would see a later writer's bytes, or none at all (SIGBUS) once the file is cut.
"""

from __future__ import annotations

import os
import stat

from rtlinker.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SETTLE = 0.05
"""Seconds between two looks that must agree."""

LARGE = 1 << 24
"""Bytes from which on a file of a watched directory is told by its size and time: reading it would take too long."""

_Status = tuple[int, int, int]
"""Size in bytes, time of change in nanoseconds, inode."""


class Look(Fact):
    """What one look found: `changed` have new contents; `unsettled` says that another look is needed soon."""

    changed: tuple[str, ...]
    unsettled: bool


class Watched:
    """Some files by path, and those in some directories that `wanted` picks; what they hold now is not news.

    The files are a group: while one of them is being written none of them is reported, so that objects that are
    compiled together are reloaded together. Files of the directories are on their own. A file that is missing is
    waited for. Paths come back as they were given; those in directories are joined to the directory's.
    """

    def __init__(
        self,
        files: Iterable[str],
        directories: Iterable[str] = (),
        wanted: Callable[[str], bool] = lambda path: True,
    ) -> None:
        self.files: list[str] = []
        self.directories: list[str] = []
        self._wanted = wanted
        self._settled: dict[str, _Status] = {}
        self._pending: dict[str, _Status] = {}
        self._digests: dict[str, bytes] = {}
        self._held_back: dict[str, None] = {}
        self.add(files, directories)

    def add(self, files: Iterable[str], directories: Iterable[str] = ()) -> None:
        """Watch these, too; those that are watched already stay as they are."""
        known = {*self.files, *self._listed()}
        self.files += [path for path in dict.fromkeys(files) if path not in self.files]
        self.directories += [path for path in dict.fromkeys(directories) if path not in self.directories]
        for path in self._paths():
            now = _status(path) if path not in known else None
            if now is not None and path not in self._settled:
                self._settled[path] = now
                self._digests[path] = _digest(path, now, path in self.files)

    def look(self) -> Look:
        """What has changed since it was last reported, as far as it stands still."""
        unsettled, changed = False, []
        for path in self._paths():
            now = _status(path)
            if now is None or now == self._settled.get(path):
                self._pending.pop(path, None)
                continue
            if self._pending.get(path) != now:
                self._pending[path] = now
                unsettled = True
                continue
            del self._pending[path]
            self._settled[path] = now
            if self._is_news(path, now):
                changed.append(path)
        return self._grouped(changed, unsettled)

    def skip(self) -> tuple[str, ...]:
        """Take what everything holds now as known, and return what of it would have been reported."""
        found = [*self._held_back]
        self._held_back.clear()
        self._pending.clear()
        for path in self._paths():
            now = _status(path)
            if now is not None and now != self._settled.get(path):
                self._settled[path] = now
                if self._is_news(path, now):
                    found.append(path)
        return tuple(dict.fromkeys(found))

    def newer_than(self, path: str) -> tuple[str, ...]:
        """Files of the directories that were changed after `path` was; all of them when there is no such file."""
        made = _status(path)
        own = {os.path.abspath(each) for each in self.files}  # noqa: PTH100
        found = [each for each in self._listed() if os.path.abspath(each) not in own]  # noqa: PTH100
        return tuple([each for each in found if made is None or (_status(each) or made)[1] > made[1]])

    def _grouped(self, changed: list[str], unsettled: bool) -> Look:
        """What is to be reported of what has changed: the files all together, when none of them is being written."""
        self._held_back.update(dict.fromkeys([path for path in changed if path in self.files]))
        ready = [path for path in changed if path not in self._held_back]
        if not any(path in self._pending for path in self.files):
            ready += self._held_back
            self._held_back.clear()
        return Look(tuple(ready), unsettled)

    def _is_news(self, path: str, now: _Status) -> bool:
        digest = _digest(path, now, path in self.files)
        known, self._digests[path] = self._digests.get(path), digest
        return digest != known

    def _paths(self) -> list[str]:
        return list(dict.fromkeys([*self.files, *self._listed()]))

    def _listed(self) -> list[str]:
        """The wanted files of the directories; one that is gone has none."""
        found = []
        for directory in self.directories:
            try:
                names = sorted(os.listdir(directory))  # noqa: PTH208
            except OSError:
                continue
            paths = [os.path.join(directory, name) if directory != "." else name for name in names]  # noqa: PTH118
            found += [path for path in paths if self._wanted(path)]
        return found


def _status(path: str) -> _Status | None:
    """Of a regular file; None for what is none, or not there."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _digest(path: str, status: _Status, whole: bool) -> bytes:
    """A hash of what a file holds. What cannot be read, or is LARGE and not asked for whole, is told by its status."""
    if whole or status[0] < LARGE:
        from hashlib import blake2b

        try:
            with open(path, "rb") as file:  # noqa: PTH123
                return blake2b(file.read()).digest()
        except OSError:
            pass
    return repr(status[:2]).encode()
