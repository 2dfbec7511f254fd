"""One change of a domain at a time: other threads wait for their turn, and within a change there is no other.

Constructors, load hooks and migrations run while a reload is half done. What they call back may ask for another
reload, for a rollback, or to close the module: its versions would go while the reload still writes to them.
"""

from __future__ import annotations

from rtlinker.errors import ReloadError
from rtlinker.live.collect import LOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class Turn:
    """Entered for a change of the domain; `taken` while there is one. Raises ReloadError within another change."""

    def __init__(self) -> None:
        self.taken = False

    def __enter__(self) -> None:
        LOCK.acquire()
        if self.taken:
            LOCK.release()
            hint = "do it when that has returned: not from a constructor, a load hook or a migration"
            raise ReloadError("check", "a reload is under way", (), hint)
        self.taken = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.taken = False
        LOCK.release()
