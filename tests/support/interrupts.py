"""Interrupts wherever CPython lets one in: when a function is entered, behind a call, at the end of a loop."""

from __future__ import annotations

import dis
import sys
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import CodeType, FrameType
    from typing import Any

    Place = tuple[CodeType, int]


ENOUGH = 20
"""So often a function returns without a new place before it is watched no longer: watching costs more than loading."""


class Interrupter:
    """Interrupts an act at a place where it was not interrupted before, in the modules of some directories.

    `places` are those that were tried; a place is tried when it is first reached.
    """

    def __init__(self, directories: Collection[str]) -> None:
        self._directories = tuple(directories)
        self._before: dict[FrameType, int] = {}
        self._quiet: dict[CodeType, int] = {}
        self.places: dict[Place, None] = {}

    def interrupts(self, act: Callable[[], object]) -> bool:
        """Whether the act was interrupted; if not, there was no new place."""
        sys.settrace(self._trace)
        try:
            act()
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(None)
            self._before.clear()
        return False

    def last(self) -> str:
        """Where the last interrupt came."""
        code, at = [*self.places][-1]
        line = next((line for start, end, line in code.co_lines() if start <= at < end), None)
        return f"{code.co_filename}:{line} in {code.co_qualname}, at {at}"

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        code, at = frame.f_code, frame.f_lasti
        if event == "call":
            watched = code.co_filename.startswith(self._directories) and self._quiet.get(code, 0) <= ENOUGH
            if not watched or code.co_name == "__del__":  # whose exceptions Python only prints
                return None
            frame.f_trace_opcodes = True
        elif event == "opcode":
            before = self._before.get(frame)
            self._before[frame] = at
            if before is None or (_lets_in(code, before) and _handler(code, before) == _handler(code, at)):
                self._reach(code, at)
        elif event == "return":
            self._before.pop(frame, None)
            self._quiet[code] = self._quiet.get(code, 0) + 1
        return self._trace

    def _reach(self, code: CodeType, at: int) -> None:
        if (code, at) not in self.places:
            self.places[code, at] = None
            self._quiet[code] = -1  # leaving it now returns, too
            sys.settrace(None)
            raise KeyboardInterrupt


def _lets_in(code: CodeType, at: int) -> bool:
    return dis.opname[code.co_code[at]].startswith(("CALL", "JUMP_BACKWARD"))


@cache
def _handler(code: CodeType, at: int) -> int:
    """Where an exception goes that is raised at an instruction.

    Ours comes one instruction late: where that one has another handler, as at the end of a `with`, it would not be
    what CPython does.
    """
    return next((entry.target for entry in dis._parse_exception_table(code) if entry.start <= at < entry.end), -1)
