"""Running Python at C's exit (atexit(3))."""

from __future__ import annotations

import ctypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def at_exit(function: Callable[[], None]) -> object:
    """Register `function` to be called by exit(3); the result must be kept alive until then."""
    handler = _HANDLER(lambda _: function())
    register = getattr(ctypes.CDLL(None), "__cxa_atexit")  # the name begins with underscores
    register.argtypes = [_HANDLER, ctypes.c_void_p, ctypes.c_void_p]
    register(handler, None, None)
    return handler
