"""One change of a domain at a time: other threads wait for their turn, and within a change there is no other.

Constructors, load hooks and migrations run while a reload is half done. What they call back may ask for another
reload, for a rollback, or to close the module: its versions would go while the reload still writes to them.
"""

from __future__ import annotations

import os
from _thread import get_ident

from rtlinker.errors import ReloadError
from rtlinker.live.collect import LOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class Turn:
    """Entered for a change of the domain; `taken` while there is one. Raises ReloadError within another change."""

    def __init__(self) -> None:
        self.taken = False
        self._thread = 0
        os.register_at_fork(after_in_child=self._forget_others)

    def _forget_others(self) -> None:
        """The thread that has the turn does not exist in a child that another one has forked."""
        if self._thread != get_ident():
            self.taken = False

    def __enter__(self) -> None:
        LOCK.acquire()
        if self.taken:
            LOCK.release()
            hint = "do it when that has returned: not from a constructor, a load hook or a migration"
            raise ReloadError("check", "a reload is under way", (), hint)
        self.taken, self._thread = True, get_ident()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.taken = False
        LOCK.release()
