"""Exceptions of callbacks, kept while C returns: nothing may unwind through C frames."""

from __future__ import annotations

from _thread import get_ident

failures: list[tuple[int, BaseException]] = []
"""Exceptions of callbacks that no call has raised yet, with the thread each belongs to."""


def keep_failure(error: BaseException) -> None:
    """Keeps an exception for the call that is running below in this thread."""
    failures.append((get_ident(), error))


def raise_failure() -> None:
    """Raises the first exception that a callback left in this thread, and forgets the others of the thread."""
    here = get_ident()
    mine = [error for thread, error in failures if thread == here]
    failures[:] = [failure for failure in failures if failure[0] != here]
    if mine:
        raise mine[0]
