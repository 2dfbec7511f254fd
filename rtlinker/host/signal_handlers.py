"""Which signals have a handler in a piece of memory."""

from __future__ import annotations

import ctypes

from rtlinker.host import libc
from rtlinker.host.signal_names import signal_name

SIGNALS = range(1, 65)
ACTION_SIZE = 152
"""Bytes of struct sigaction; the handler comes first."""


def signals_handled_in(start: int, end: int) -> list[str]:
    """Names of the signals whose handler lies between two absolute addresses (sigaction(2))."""
    action = (ctypes.c_uint64 * (ACTION_SIZE // 8))()
    return [
        signal_name(number)
        for number in SIGNALS
        if not libc.sigaction(number, None, action) and start <= action[0] < end
    ]
