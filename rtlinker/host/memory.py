"""Memory of this process for images: reserved in one piece, filled while writable, then protected.

Where a reservation goes matters. The kernel maps from the top of the address space downwards, so an ordinary mapping
lands just below the libraries that are loaded already, well within the 2 GiB that a 32-bit displacement reaches; that
costs one system call. Only when the place it chose is too far does the search below look for a gap, with
MAP_FIXED_NOREPLACE, which never replaces somebody else's mapping (mmap(2), Linux 4.17).
"""

from __future__ import annotations

import ctypes
from ctypes import c_char

from rtlinker.host import libc
from rtlinker.units import GIB, MIB, PAGE, align_up

PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
MAP_PRIVATE, MAP_ANONYMOUS, MAP_32BIT, MAP_NORESERVE, MAP_FIXED_NOREPLACE = 0x2, 0x20, 0x40, 0x4000, 0x100000
MAP_FAILED = ctypes.c_void_p(-1).value

LOWEST = 64 * 1024
"""The lowest address an image is put at: below is vm.mmap_min_addr's."""

LOW_END = 2 * GIB
HIGH_END = 1 << 47
"""The end of the addresses that a process has (psABI 3.3.2)."""

REACH = 2 * GIB - 16 * MIB
"""How far from the image a target may be; a little less than a displacement reaches, for the image's own size."""

_PROTECTIONS = {"r-x": PROT_READ | PROT_EXEC, "r--": PROT_READ, "rw-": PROT_READ | PROT_WRITE, "---": 0}


class Reservation:
    """Pages of this process, readable and writable until protected.

    `address` is absolute, `size` in bytes; `view` shows the bytes and is valid until `release`.
    """

    __slots__ = ("_mapped", "address", "size", "view")

    def __init__(self, address: int, size: int, mapped: tuple[int, int]) -> None:
        self.address = address
        self.size = size
        self._mapped = mapped
        self.view = memoryview((c_char * size).from_address(address)).cast("B")

    def protect(self, offset: int, size: int, letters: str) -> None:
        """Give `size` bytes from `offset` (page-aligned) the protection `r-x`, `r--` or `rw-`."""
        if size and libc.mprotect(self.address + offset, align_up(size, PAGE), _PROTECTIONS[letters]):
            raise libc.fail("mprotect")

    def release_front(self, size: int) -> None:
        """Give back the first `size` bytes (whole pages) alone; `release` gives back the rest."""
        start, whole = self._mapped
        end = self.address + align_up(size, PAGE)
        if whole and end > start:
            self._mapped = end, start + whole - end
            if libc.munmap(start, end - start):
                raise libc.fail("munmap")

    def release(self) -> None:
        """Give the pages back. Nothing may use the address or the view afterwards."""
        start, size = self._mapped
        if size:
            self._mapped = start, 0
            if libc.munmap(start, size):
                raise libc.fail("munmap")


def reserve(size: int, align: int, low: bool, reach: tuple[int, ...] = (), span: int | None = None) -> Reservation:
    """Zeroed, writable pages: in the low 2 GiB if `low`, else near the libraries and, if it can be, all of `reach`.

    `size` and `align` are bytes, of which only the first `span` have to be near `reach`; `align` is a power of two of
    at least a page. Raises MemoryError when there is no such place; a target in `reach` that no place can serve is
    left to the caller, who will find it out of range.
    """
    wanted = size + (align - PAGE if align > PAGE else 0)
    if wanted >= HIGH_END:
        raise MemoryError(f"no process has room for an image of {size:#x} bytes")
    if low:
        return _reserve_low(size, wanted, align)
    start = _map(0, wanted, 0)
    if start is None:
        raise MemoryError(f"no memory for an image of {size:#x} bytes")
    near = wanted if span is None else wanted - size + span
    if not _near(start, near, reach):
        better = _search(wanted, near, reach)
        if better is not None:
            libc.munmap(start, wanted)
            start = better
    return _aligned(start, wanted, size, align)


def _reserve_low(size: int, wanted: int, align: int) -> Reservation:
    start = _map(0, wanted, MAP_32BIT)
    if start is not None and start + wanted > LOW_END:
        libc.munmap(start, wanted)
        start = None
    if start is None:
        start = _first_gap(wanted, LOWEST, LOW_END, wanted)
    if start is None:
        raise MemoryError(f"no room for an image of {size:#x} bytes in the low 2 GiB")
    return _aligned(start, wanted, size, align)


def _map(address: int, size: int, extra: int) -> int | None:
    """Fresh pages; None when the kernel refuses."""
    flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | extra
    start: int | None = libc.mmap(address, size, PROT_READ | PROT_WRITE, flags, -1, 0)
    return None if start in {None, MAP_FAILED} else start


def _aligned(start: int, wanted: int, size: int, align: int) -> Reservation:
    return Reservation(align_up(start, align), size, (start, wanted))


def _near(start: int, size: int, reach: tuple[int, ...]) -> bool:
    return all(start + size - REACH < target < start + REACH for target in reach)


def _search(size: int, near: int, reach: tuple[int, ...]) -> int | None:
    """Pages whose first `near` bytes are within reach of all targets, or None."""
    lowest, highest = max(max(reach) - REACH, LOWEST), min(reach) + REACH
    return _first_gap(size, lowest, highest, near) if lowest + near < highest else None


def _first_gap(size: int, lowest: int, highest: int, near: int) -> int | None:
    """Pages in the first gap of /proc/self/maps that takes them, the first `near` bytes between two addresses."""
    for start, end in _gaps():
        at = align_up(max(start, lowest), PAGE)
        if at + size <= end and at + near <= highest:
            mapped = _map(at, size, MAP_FIXED_NOREPLACE)
            if mapped == at:
                return mapped
            if mapped is not None:  # a kernel before 4.17 takes the address as a wish
                libc.munmap(mapped, size)
    return None


def _gaps() -> list[tuple[int, int]]:
    from rtlinker.host.mappings import read_mappings

    gaps, last = [], 0
    for mapping in read_mappings():
        if mapping.start > last:
            gaps.append((last, min(mapping.start, HIGH_END)))
        last = mapping.end
    return gaps
