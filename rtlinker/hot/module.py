"""`Module`: what a Python programmer holds of code that is replaced while it runs."""

from __future__ import annotations

from time import monotonic

from rtlinker.hot import retire
from rtlinker.hot.errors import StillInUseError
from rtlinker.hot.names import ModuleNames
from rtlinker.hot.options import options
from rtlinker.hot.transaction import Transaction
from rtlinker.live.collect import LOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from rtlinker.hot.report import Report
    from rtlinker.hot.version import VersionState

PAUSE = 0.002
"""Seconds between two looks at whether old code is still in use."""


class Module(ModuleNames):
    """Objects that are replaced together while the process runs: `module.step(...)` always runs the newest version.

    `reload` takes the new files in, or leaves everything as it was; `version` counts from 1. Functions keep their
    address, variables their place and value. Old code is freed when nobody can be in it: `versions` tells what is
    there and why, `running` what a call reaches now. A name of C that is also one of this class's is reached by
    `module.function(name)` or `module[name]`.
    """

    @property
    def version(self) -> int:
        """The number of the version that calls reach."""
        return self.current.number

    def versions(self) -> tuple[VersionState, ...]:
        """The versions that are there, oldest first: the state of each, and why one is retained."""
        with LOCK:
            if self.closed:
                return ()
            if not self.domain.turn.taken:
                retire.sweep(self)
            current = self.current
            return tuple([version.state(current) for version in self.versions_kept if not version.text_freed])

    def running(self) -> dict[str, int]:
        """For each function, the number of the version that a call reaches now, as the entries' table has it."""
        found = {}
        for name in self.current.where:
            number = self.domain.numbers.get(self._entry_name(name))
            target = self.domain.entries.target(number) if number is not None else 0
            for version in self.versions_kept:
                start, end = version.text
                if not version.text_freed and start <= target < end:
                    found[name] = version.number
        return found

    def reload(self, *paths: object, **choices: object) -> Report:
        """Take in the module's files again, or `paths` in their place; the report of what changed.

        Options: see `rtlinker.hot.reload`. Raises LinkError subclasses; the version that ran before still runs then.
        """
        made = options(**choices)
        (report,) = Transaction(self.domain, [(self, paths or self.paths)], made).run()
        if paths:
            self.paths = paths
        return report

    def prepare(self, *paths: object, **choices: object) -> Report:
        """What `reload` would do, without doing it: nothing is run, nothing changes. Raises what it would raise."""
        made = options(**choices)
        (report,) = Transaction(self.domain, [(self, paths or self.paths)], made).run(dry=True)
        return report

    def rollback(self, **choices: object) -> Report:
        """Make the version before the current one current again. Raises ReloadError when it is gone."""
        from rtlinker.hot.rollback import roll_back

        with self.domain.turn:
            return roll_back(self, options(**choices))

    def soft_purge(self) -> bool:
        """Free all old versions, those kept for a rollback too, if nothing is in them; else leave all, and False."""
        with self.domain.turn:
            self.domain.settle_tables()
            old = retire.old_versions(self)
            for version in old:
                version.reasons = retire.reasons(self, version)
            if any(version.reasons for version in old):
                return False
            retire.release(self, old, search=True)
            return not retire.old_versions(self)

    def purge(self, timeout: float = 10.0) -> None:
        """Free all old versions, waiting up to `timeout` seconds for who is in them.

        Raises StillInUseError, which says who is in which function since when. Nothing is ever stopped.
        """
        from time import sleep

        deadline = monotonic() + timeout
        while not self.soft_purge():
            if monotonic() >= deadline:
                old = retire.old_versions(self)
                raise StillInUseError(self.name, [text for version in old for text in version.reasons])
            sleep(PAUSE)

    def stick(self) -> None:
        """Refuse reloads from now on."""
        self._sticky = True

    def unstick(self) -> None:
        """Allow reloads again."""
        self._sticky = False

    def close(self) -> None:
        """Run destructors and give everything back; a second call does nothing.

        Raises LinkError while a call runs in the module; nothing has changed then.
        """
        from rtlinker.hot.closing import close_module

        with self.domain.turn:
            if not self.closed:
                close_module(self)

    def __enter__(self) -> Module:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; an exception on its way out goes on, with a note if closing is refused."""
        from rtlinker.live.linker import leave

        leave(self.close, error)

    def __repr__(self) -> str:
        if self.closed:
            return f"<rtlinker.hot.Module {self.name}, closed>"
        return f"<rtlinker.hot.Module {self.name}, version {self.version}>"
