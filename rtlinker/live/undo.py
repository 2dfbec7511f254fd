"""The undo stack: every act on the process leaves its inverse here, and unload and rollback are the same walk.

An inverse is left before the act and takes back what was done by then, which may be nothing: see `host.one_step`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class UndoStack:
    """Inverses of what was done, taken back last first."""

    __slots__ = ("_inverses",)

    def __init__(self) -> None:
        self._inverses: list[Callable[[], object]] = []

    def push(self, inverse: Callable[[], object]) -> None:
        """Remember how to take back an act that is about to be done."""
        self._inverses.append(inverse)

    def drop(self) -> None:
        """What was done stays; nothing that the inverses refer to is kept."""
        self._inverses.clear()

    def run(self) -> None:
        """Take everything back. A failing inverse does not keep the others; the first failure is raised in the end."""
        failure: BaseException | None = None
        while self._inverses:
            try:
                self._inverses.pop()()
            except BaseException as error:  # the rest must still be undone
                failure = failure or error
        if failure is not None:
            raise failure
