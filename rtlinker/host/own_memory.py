"""Reading memory of this process that other threads may give back meanwhile: what has gone is no data, and not a crash.

Two ways, of which the first that works is taken. /proc/self/mem (proc(5)) is closed to a process that is not dumpable.
A pipe is always there: write(2) tells of an address that is not mapped by failing. process_vm_readv(2) would be faster
than both, and works everywhere but under a seccomp filter that knows debuggers only: some of those end the process.
"""

from __future__ import annotations

import ctypes
import os
from mmap import mmap

from rtlinker.host import libc
from rtlinker.units import MIB, PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ROOM_SIZE = MIB


class Room:
    """A place that memory is copied to, `size` bytes of it at a time: `bytes` and, as 8-byte words, `words`.

    `span` is where it lies itself (start and end, absolute): who looks for pointers must not find their copies. The
    size is a multiple of 8. `file` is /proc/self/mem once it was opened: a copy of the process reads the memory of the
    one that opened it, so a room is for one look.
    """

    __slots__ = ("bytes", "file", "size", "span", "words")

    def __init__(self, size: int = ROOM_SIZE) -> None:
        self.size = size
        self.file = -1
        # pages of its own, which go with it: what was copied to the heap would be found there later, as pointers.
        # A word more, so that the last one may be looked at as two
        self.bytes = mmap(-1, size + 8)
        start = ctypes.addressof((ctypes.c_char * 0).from_buffer(self.bytes))
        self.span = start, start + len(self.bytes)
        self.words = memoryview(self.bytes).cast("Q")

    def __del__(self) -> None:
        if self.file >= 0:
            os.close(self.file)

    def fill(self, address: int, size: int) -> int:
        """Copy memory from an absolute address on; how many of the bytes could be read."""
        global _way
        if not 0 < address < 1 << 63:
            return 0
        while True:
            count = _WAYS[_way](self, address, min(size, self.size))
            if count >= 0:
                return count
            _way += 1

    def read(self, address: int, size: int) -> bytes:
        """The bytes at an absolute address, as far as there are any; at most as many as the place holds."""
        return bytes(self.bytes[: self.fill(address, size)])


def read(address: int, size: int) -> bytes:
    """The bytes at an absolute address, as far as there are any."""
    return Room((size + 7) & ~7).read(address, size)


def _read_the_file(room: Room, address: int, size: int) -> int:
    """How many bytes came; -1 when this way is closed."""
    if room.file < 0:
        try:
            room.file = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return -1
    try:
        return os.preadv(room.file, [memoryview(room.bytes)[:size]], address)
    except OSError:
        return 0


def _pass_through_a_pipe(room: Room, address: int, size: int) -> int:
    reading, writing = os.pipe()
    try:
        done = 0
        while done < size:
            # not beyond the page: what is not there must not take with it what is
            part = min(size - done, -(address + done) % PAGE or PAGE)
            if libc.write(writing, address + done, part) != part:
                break
            done += os.readv(reading, [memoryview(room.bytes)[done : done + part]])
        return done
    finally:
        os.close(reading)
        os.close(writing)


_WAYS: tuple[Callable[[Room, int, int], int], ...] = (_read_the_file, _pass_through_a_pipe)

_way = 0
"""Of the ways, the one that works here."""
