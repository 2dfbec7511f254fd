"""Memory of this process for images: reserved in one piece, filled while writable, then protected.

Where a reservation goes matters. The kernel maps from the top of the address space downwards, so an ordinary mapping
lands just below the libraries that are loaded already, well within the 2 GiB that a 32-bit displacement reaches; that
costs one system call. Only when the place it chose is too far does the search below look for a gap, with
MAP_FIXED_NOREPLACE, which never replaces somebody else's mapping (mmap(2), Linux 4.17).
"""

from __future__ import annotations

from ctypes import c_char

from rtlinker.host import libc
from rtlinker.host.one_step import act, take_back
from rtlinker.units import GIB, MIB, PAGE, align_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
MAP_PRIVATE, MAP_ANONYMOUS, MAP_32BIT, MAP_NORESERVE, MAP_FIXED_NOREPLACE = 0x2, 0x20, 0x40, 0x4000, 0x100000

LOWEST = 64 * 1024
"""The lowest address an image is put at: below is vm.mmap_min_addr's."""

LOW_END = 2 * GIB
HIGH_END = 1 << 47
"""The end of the addresses that a process has (psABI 3.3.2)."""

REACH = 2 * GIB - 16 * MIB
"""How far from the image a target may be; a little less than a displacement reaches, for the image's own size."""

_PROTECTIONS = {"r-x": PROT_READ | PROT_EXEC, "r--": PROT_READ, "rw-": PROT_READ | PROT_WRITE, "---": 0}


class Reservation:
    """Pages of this process, readable and writable until protected; none before `take`.

    It is made before it has pages, so that `release` can be left with whoever undoes first. `address` is absolute and
    a multiple of `align`, a power of two; `size` in bytes; `view` shows the bytes and is valid until `release`.
    """

    __slots__ = ("_mapped", "_wanted", "address", "align", "size", "view")

    def __init__(self, size: int, align: int) -> None:
        self.address = 0
        self.size = size
        self.align = align
        self.view = memoryview(b"")
        self._wanted = size + (align - PAGE if align > PAGE else 0)
        self._mapped: list[int] = []

    def take(self, low: bool, reach: tuple[int, ...] = (), span: int | None = None) -> Self:
        """Get the pages: zeroed, in the low 2 GiB if `low`, else near the libraries and, if it can be, all of `reach`.

        Only the first `span` bytes have to be near `reach`. Raises MemoryError when there is no such place; a target
        in `reach` that no place can serve is left to the caller, who will find it out of range.
        """
        if self._wanted >= HIGH_END:
            raise MemoryError(f"no process has room for an image of {self.size:#x} bytes")
        start = self._low() if low else self._high(reach, span)
        self.address = align_up(start, self.align)
        self.view = memoryview((c_char * self.size).from_address(self.address)).cast("B")
        return self

    def protect(self, offset: int, size: int, letters: str) -> None:
        """Give `size` bytes from `offset` (page-aligned) the protection `r-x`, `r--` or `rw-`."""
        if size and libc.mprotect(self.address + offset, align_up(size, PAGE), _PROTECTIONS[letters]):
            raise libc.fail("mprotect")

    def release_front(self, size: int) -> None:
        """Give back the first `size` bytes (whole pages) alone; `release` gives back the rest."""
        start, end = self._mapped[0], self.address + align_up(size, PAGE)
        if end > start:
            self._mapped[0], self._wanted = end, start + self._wanted - end
            if libc.munmap(start, end - start):
                raise libc.fail("munmap")

    def release(self) -> None:
        """Give the pages back, if there are any. Nothing may use the address or the view afterwards."""
        while self._mapped:
            self._unmap(-1)

    def _low(self) -> int:
        start = self._map(0, MAP_32BIT)
        if start is not None and start + self._wanted > LOW_END:
            self._unmap(-1)
            start = None
        if start is None:
            start = self._first_gap(LOWEST, LOW_END, self._wanted)
        if start is None:
            raise MemoryError(f"no room for an image of {self.size:#x} bytes in the low 2 GiB")
        return start

    def _high(self, reach: tuple[int, ...], span: int | None) -> int:
        start = self._map(0, 0)
        if start is None:
            raise MemoryError(f"no memory for an image of {self.size:#x} bytes")
        near = self._wanted if span is None else self._wanted - self.size + span
        if _near(start, near, reach):
            return start
        lowest, highest = max(max(reach) - REACH, LOWEST), min(reach) + REACH
        better = self._first_gap(lowest, highest, near) if lowest + near < highest else None
        if better is None:
            return start
        self._unmap(0)
        return better

    def _map(self, address: int, extra: int) -> int | None:
        """Fresh pages; None when the kernel refuses."""
        flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | extra
        start: int | None = act(self._mapped, libc.mmap, address, self._wanted, PROT_READ | PROT_WRITE, flags, -1, 0)
        return start

    def _unmap(self, which: int) -> None:
        if take_back(self._mapped, which, libc.munmap, self._wanted):
            raise libc.fail("munmap")

    def _first_gap(self, lowest: int, highest: int, near: int) -> int | None:
        """Pages in the first gap of /proc/self/maps that takes them, the first `near` bytes between two addresses."""
        for start, end in _gaps():
            at = align_up(max(start, lowest), PAGE)
            if at + self._wanted <= end and at + near <= highest:
                mapped = self._map(at, MAP_FIXED_NOREPLACE)
                if mapped == at:
                    return mapped
                if mapped is not None:  # a kernel before 4.17 takes the address as a wish
                    self._unmap(-1)
        return None


def reserve(size: int, align: int, low: bool, reach: tuple[int, ...] = (), span: int | None = None) -> Reservation:
    """A reservation that has its pages, for those who keep it for good: see `Reservation.take`."""
    return Reservation(size, align).take(low, reach, span)


def _near(start: int, size: int, reach: tuple[int, ...]) -> bool:
    return all(start + size - REACH < target < start + REACH for target in reach)


def _gaps() -> list[tuple[int, int]]:
    from rtlinker.host.mappings import read_mappings

    gaps, last = [], 0
    for mapping in read_mappings():
        if mapping.start > last:
            gaps.append((last, min(mapping.start, HIGH_END)))
        last = mapping.end
    return gaps
