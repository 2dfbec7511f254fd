"""Machine code of ours as Python functions, and the addresses of what Python has in memory."""

from __future__ import annotations

import ctypes

from rtlinker.host import memory
from rtlinker.units import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Sequence

    Routine = Callable[[array[int]], int]

_kept: list[memory.Reservation] = []
"""The pages of all routines: one in use cannot be seen, and there are few."""


class _Buffer(ctypes.Structure):
    """Py_buffer (C API, Buffer Protocol): the first field is what we want, the rest is Python's."""

    _fields_ = (("address", ctypes.c_void_p), ("rest", ctypes.c_void_p * 10))


_get, _release = ctypes.pythonapi.PyObject_GetBuffer, ctypes.pythonapi.PyBuffer_Release
_get.argtypes = ctypes.py_object, ctypes.POINTER(_Buffer), ctypes.c_int
_release.argtypes, _release.restype = (ctypes.POINTER(_Buffer),), None


def address_of(data: object) -> int:
    """Where the bytes of a contiguous buffer are, as long as it lives and is not resized. Raises BufferError."""
    buffer = _Buffer()
    _get(data, ctypes.byref(buffer), 0)
    address = buffer.address or 0
    _release(ctypes.byref(buffer))
    return address


def routines(codes: Sequence[bytes]) -> list[Routine]:
    """Each code as a function of one array, whose address it gets; its result is a signed word.

    The code must call nothing: Python's lock is held while it runs. Raises OSError where memory may not be executed.
    """
    starts, content = [], b""
    for code in codes:
        starts.append(len(content))
        content += code.ljust((len(code) + 15) // 16 * 16, b"\xcc")
    reservation = memory.reserve(len(content), PAGE, low=False)
    try:
        reservation.view[: len(content)] = content
        reservation.protect(0, len(content), "r-x")
    except BaseException:
        reservation.release()
        raise
    _kept.append(reservation)
    make = ctypes.PYFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p)
    return [_taking_arrays(make(reservation.address + start)) for start in starts]


def _taking_arrays(function: Callable[[int], int]) -> Routine:
    return lambda words: function(words.buffer_info()[0])
