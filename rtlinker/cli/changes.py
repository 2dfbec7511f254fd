"""The files of `rtlinker watch`: which objects are to be reloaded, and which edits want a build."""

from __future__ import annotations

import os
import time

from rtlinker.cli.held import some
from rtlinker.facts import Fact
from rtlinker.hot.notices import Notices
from rtlinker.hot.sources import Sources, compiled_from
from rtlinker.hot.watching import SETTLE, Watched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Changed(Fact):
    """Files with new contents: `objects` of the link, and `edits` of what they are made from."""

    objects: tuple[str, ...]
    edits: tuple[str, ...]


class Changes:
    """Watches objects and, where there is a build, what it is made of.

    That is every source (`hot.sources`) beside an object, in the working directory, and in the directories of the files
    that the objects' debug information names.
    """

    def __init__(self, objects: Iterable[str], build: bool) -> None:
        self._build = build
        self._sources = Sources()
        self._sources.make(_own_output())
        self._watched = Watched((), ["."] if build else (), self._sources)
        self._look_at = time.monotonic()
        self._unsettled = False
        self.notices: Notices
        self._noticed: list[str] = []
        self._said = ""
        self.add(objects)

    def add(self, objects: Iterable[str]) -> None:
        """Watch these, too, and what they are made from: objects that others brought in, or that exist only now."""
        objects = [*objects]
        self._sources.make(objects)
        beside = [*map(_directory, objects)]
        directories = []
        if self._build:
            named = [_shown(each) for path in objects for each in compiled_from(path)]
            self._sources.name(named)
            directories = _apart([*self._watched.directories, *beside, *map(_directory, named)])
        self._watched.add(objects, directories)
        noticed = _apart([*self._noticed, *directories, *beside])
        if noticed != self._noticed:
            if self._noticed:
                self.notices.close()
            self._noticed, self.notices = noticed, Notices(noticed)

    def told(self) -> str:
        """What is watched and how, when that has changed since the last question; else nothing."""
        files = some(self._watched.files)
        said = f"{files}, and sources in {some(self._watched.directories)}" if self._build else files
        if not self.notices.by_kernel:
            said += f"\nlooked at {1 / self.notices.interval:.0f} times a second, since {self.notices.why_not}"
        self._said, before = said, self._said
        return said if said != before else ""

    def stale(self) -> bool:
        """Whether the first object is missing, or older than a source."""
        first = self._watched.files[0]
        return not os.path.exists(first) or bool(self._watched.newer_than(first))  # noqa: PTH110

    def patience(self) -> float:
        """Seconds until a look is due without a notice; 0 if it is."""
        return max(0.0, self._look_at - time.monotonic())

    def is_due(self, noticed: bool) -> bool:
        """Whether to look now: at a notice, but for a file that may be half written not before its time."""
        return (noticed and not self._unsettled) or not self.patience()

    def look(self, called: bool) -> Changed:
        """What has changed. Of files that changed while code was `called`, only sources by name count."""
        look = self._watched.look()
        self._unsettled = look.unsettled
        self._look_at = time.monotonic() + (SETTLE if look.unsettled else self.notices.interval)
        found = self._sorted(look.changed)
        return Changed(found.objects, self._sources.written(found.edits, by_build=False)) if called else found

    def after_build(self) -> Changed:
        """What has changed while a build ran: what it made, and edits that it may have missed."""
        found = self._sorted(self._watched.skip())
        return Changed(found.objects, self._sources.written(found.edits, by_build=True))

    def close(self) -> None:
        """Watch no longer."""
        self.notices.close()

    def _sorted(self, paths: Sequence[str]) -> Changed:
        objects = tuple([path for path in paths if path in self._watched.files])
        return Changed(objects, tuple([path for path in paths if path not in objects]))


def _own_output() -> list[str]:
    """The files that standard output and error go to, if they are files: what we say is no edit."""
    found = []
    for stream in (1, 2):
        try:
            found.append(os.readlink(f"/proc/self/fd/{stream}"))  # noqa: PTH115
        except OSError:
            continue
    return found


def _directory(path: str) -> str:
    return os.path.dirname(path) or "."  # noqa: PTH120


def _shown(path: str) -> str:
    """A path as people would write it here: relative when it is below the working directory."""
    here = os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118
    return path[len(here) :] if path.startswith(here) else path


def _apart(directories: Iterable[str]) -> list[str]:
    """Directories without those that are another one by another name."""
    return [*{os.path.realpath(each): each for each in reversed([*directories])}.values()][::-1]
