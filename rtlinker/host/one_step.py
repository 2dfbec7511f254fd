"""Acts whose result is noted in the same step of the interpreter, so that no interrupt comes between the two.

Python lets an exception in (KeyboardInterrupt, PyThreadState_SetAsyncExc) behind every call: what an act has given
would be lost before it is stored, and with it the way to take it back. A C function that C calls, as `map` does, has
no such gap. So there is a list first, which whoever undoes knows already, and the act fills it.
"""

from __future__ import annotations

import os
from itertools import filterfalse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")
    Push = Callable[[Callable[[], object]], None]

FAILED = frozenset((None, (1 << 64) - 1))
"""What C functions give that have failed: NULL, and MAP_FAILED (mmap(2))."""


def act(given: list[Any], function: Callable[..., Any], *arguments: object) -> Any:
    """What a C function returns for these arguments, now the last in `given`; None, and nothing there, if it failed."""
    before = len(given)
    given.extend(filterfalse(FAILED.__contains__, map(function, *zip(arguments))))
    return given[-1] if len(given) > before else None


def take_back(given: list[Any], at: int, function: Callable[..., Any], *rest: object) -> Any:
    """Call a C function with the thing at a place of the list, and `rest`: what it returns. The list is without it."""
    return next(map(function, map(given.pop, (at,)), *zip(rest)))


def with_file(path: str | bytes | os.PathLike[str], use: Callable[[int], T], flags: int = 0) -> T:
    """What a function gives for the descriptor of a file, opened to be read and closed again. Raises OSError."""
    files: list[int] = []
    closing = map(os.close, files)
    try:
        act(files, os.open, path, os.O_RDONLY | os.O_CLOEXEC | flags)
        return use(files[0])
    finally:
        _ = [*closing]


def read_whole(file: int) -> bytes:
    """The bytes of an open file from where it is, to its end."""
    parts = []
    while part := os.read(file, 1 << 16):
        parts.append(part)
    return b"".join(parts)


def once(made: list[T], make: Callable[[Push], T]) -> T:
    """The one thing that a process has of a kind, in `made`, where `add` has put it the first time it was asked for."""
    if not made:
        add(made, make)
    return made[0]


def add(made: list[T], make: Callable[[Push], T]) -> None:
    """Add what `make` makes to those of its kind that are there for good.

    `make` gets a function to which it gives the inverse of each act before it acts; when it fails, they run.
    """
    inverses: list[Callable[[], object]] = []
    before = len(made)
    try:
        made.append(make(inverses.append))
    except BaseException:
        if len(made) == before:
            for inverse in reversed(inverses):
                inverse()
        raise
