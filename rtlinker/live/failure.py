"""Exceptions of callbacks, and of native code that a guard stopped, kept while C returns to the call that raises."""

from __future__ import annotations

from _thread import get_ident

from rtlinker.errors import ForeignExceptionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

failures: dict[int, list[BaseException]] = {}
"""Exceptions that no call has raised yet, oldest first, by the thread they belong to; true while there are any.

Each thread touches its own entry only, and each act is one step of the interpreter, so that none needs a lock.
"""


def keep_failure(error: BaseException) -> None:
    """Keeps an exception for the call that is running below in this thread."""
    failures.setdefault(get_ident(), []).append(error)


def take_failures() -> list[BaseException]:
    """The exceptions of this thread, oldest first, which are forgotten."""
    return failures.pop(get_ident(), [])


def raise_failure(function: str = "") -> None:
    """Raises the first exception kept in this thread, and forgets the others of the thread.

    `function` is what was called: a foreign exception learns here which call it left.
    """
    mine = take_failures()
    if mine:
        error = mine[0]
        if isinstance(error, ForeignExceptionError) and not error.function:
            from rtlinker.host.demangle import readable

            error = ForeignExceptionError(error.language, error.type, error.what, readable(function))
        raise error


def run_native(jump: Callable[..., T], function: str, *arguments: object) -> T:
    """What a guarded ctypes function returns; raises what this call left, and nothing that was kept before it.

    When the call itself raises, as for a crash, what its callbacks raised before is that exception's context.
    """
    held = take_failures()
    try:
        answer = jump(*arguments)
        raise_failure(function)
    except BaseException as raised:
        before = take_failures()
        if before:
            raised.__context__ = before[0]
        raise
    finally:
        for error in held:
            keep_failure(error)
    return answer
