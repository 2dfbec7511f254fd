"""ELF files on disk as this room needs them: mapped, with bounds-checked tables, and None for whatever looks odd.

Only files for this machine count: ELF64, little-endian, x86-64. Nothing here raises for a file's contents.
"""

from __future__ import annotations

import mmap
import os
import struct

from rtlinker.host import symbol_tables
from rtlinker.host.one_step import with_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.host.symbol_tables import DynamicTable

PT_LOAD, PT_DYNAMIC = 1, 2
EM_X86_64 = 62
ET_DYN = 3


def map_elf(path: str | bytes) -> mmap.mmap | None:
    """The file's bytes, mapped for as long as the result is referred to; None if it is not ELF for x86-64."""
    try:
        data = with_file(path, lambda file: mmap.mmap(file, 0, prot=mmap.PROT_READ), os.O_NONBLOCK)
    except (OSError, ValueError):
        return None
    is_ours = len(data) >= 64 and data[:6] == b"\x7fELF\2\1" and data[18:20] == EM_X86_64.to_bytes(2, "little")
    return data if is_ours else None


def file_type(data: mmap.mmap) -> int:
    """e_type: 1 relocatable, 2 program at fixed addresses, 3 shared library or PIE."""
    return int.from_bytes(data[16:18], "little")


def section_headers(data: mmap.mmap) -> list[tuple[int, ...]]:
    """Elf64_Shdr, one tuple of ten fields each; empty when there are none or they lie outside the file."""
    (at,) = struct.unpack_from("<Q", data, 40)
    entry_size, count, _ = struct.unpack_from("<HHH", data, 58)
    if not at or entry_size != 64 or at + 64 > len(data):
        return []
    if not count:  # 65,280 sections and more: the count is in the first header (gABI, "ELF Header")
        (count,) = struct.unpack_from("<Q", data, at + 32)
    if at + 64 * count > len(data):
        return []
    return list(struct.iter_unpack("<IIQQQQIIQQ", data[at : at + 64 * count]))


def program_headers(data: mmap.mmap) -> list[tuple[int, ...]]:
    """Elf64_Phdr, one tuple of eight fields each; empty when there are none or they lie outside the file."""
    (at,) = struct.unpack_from("<Q", data, 32)
    entry_size, count = struct.unpack_from("<HH", data, 54)
    if entry_size != 56 or at + 56 * count > len(data):
        return []
    return list(struct.iter_unpack("<IIQQQQQQ", data[at : at + 56 * count]))


def dynamic_table(data: mmap.mmap) -> DynamicTable | None:
    """The file's dynamic symbol table, addresses relative to its base; None if it has none. Borrows `data`."""
    headers = program_headers(data)
    loads = [(header[3], header[5], header[2]) for header in headers if header[0] == PT_LOAD]
    dynamic = next((header[3] for header in headers if header[0] == PT_DYNAMIC), None)
    if dynamic is None:
        return None
    span = _file_span(memoryview(data), loads)
    entries = symbol_tables.dynamic_entries(span(dynamic, None), 0)
    try:
        return symbol_tables.read_table(0, entries, span)
    except (struct.error, ValueError, IndexError):
        return None


def _file_span(whole: memoryview, loads: list[tuple[int, int, int]]) -> Callable[[int, int | None], memoryview | None]:
    """A `span` over file contents: addresses as the program headers map them, (address, size, file offset) each."""

    def span(address: int, size: int | None) -> memoryview | None:
        for start, length, offset in loads:
            left = min(length, len(whole) - offset) - (address - start)
            if start <= address and left > 0:
                at = offset + address - start
                if size is not None and size > left:
                    return None
                return whole[at : at + (left if size is None else size)]
        return None

    return span
