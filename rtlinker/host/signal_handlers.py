"""Which signals have a handler in given pieces of memory."""

from __future__ import annotations

import ctypes

from rtlinker.facts import Fact
from rtlinker.host import libc
from rtlinker.host.signal_names import signal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SIGNALS = range(1, 65)
ACTION_SIZE = 152
"""Bytes of struct sigaction; the handler comes first."""


class Handler(Fact):
    """The handler of a signal: the signal's number and name (`SIGUSR1`), and the function's absolute address."""

    signal: int
    name: str
    address: int


def handlers_in(spans: Iterable[tuple[int, int]]) -> tuple[Handler, ...]:
    """The handlers that lie in one of the spans (start and end, absolute), by number (sigaction(2))."""
    spans = [*spans]
    action = (ctypes.c_uint64 * (ACTION_SIZE // 8))()
    return tuple(
        [
            Handler(number, signal_name(number), action[0])
            for number in SIGNALS
            if not libc.sigaction(number, None, action) and any(start <= action[0] < end for start, end in spans)
        ]
    )


def signals_handled_in(start: int, end: int) -> list[str]:
    """Names of the signals whose handler lies between two absolute addresses."""
    return [handler.name for handler in handlers_in([(start, end)])]
