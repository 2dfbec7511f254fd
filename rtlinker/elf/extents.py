"""What a section header may claim: a type that a linker knows, bytes that are in the file, memory that a process has.

Headers may overlap each other and the tables: every reader works on the same snapshot, and nothing writes to it.
"""

from __future__ import annotations

from rtlinker.elf.constants import (
    SHF_ALLOC,
    SHF_COMPRESSED,
    SHF_TLS,
    SHF_X86_64_LARGE,
    SHT_CREL,
    SHT_DYNSYM,
    SHT_INIT_ARRAY,
    SHT_NOBITS,
    SHT_NULL,
    SHT_REL,
    SHT_RELR,
    SHT_X86_64_UNWIND,
)
from rtlinker.errors import BadObjectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    Column = tuple[int, ...]
    Columns = tuple[Column, Column, Column, Column, Column, Column]
    """Types, flags, offsets, sizes, links, alignments."""

LARGEST_SECTION = 1 << 31
"""Bytes of memory one section may claim, unless it is of the large code model: more cannot be addressed by it."""

LARGEST_LARGE = 1 << 46
"""Bytes of memory that a section or COMMON block of the large code model may claim: half of what a process has."""

LARGEST_ALIGNMENT = 1 << 30
"""Bytes; more than any page size."""

LARGEST_THREAD_ALIGNMENT = 1 << 20
"""Bytes, for thread-local sections: what gives each thread its copy is a file that the block is aligned in."""

KNOWN_TYPES = frozenset({
    *range(SHT_NULL, SHT_REL + 1), SHT_DYNSYM, *range(SHT_INIT_ARRAY, SHT_RELR + 1), SHT_CREL, SHT_X86_64_UNWIND,
})  # fmt: skip
"""The section types of the gABI and the psABI; CREL is known in order to be refused by its name."""

OS_TYPES = range(0x60000000, 0x70000000)
USER_TYPES = range(0x80000000, 1 << 32)
"""SHT_LOOS to SHT_HIOS and SHT_LOUSER to SHT_HIUSER: their bytes are taken as they are."""


def check_sections(data: bytes, name: str, columns: Columns) -> None:
    """Raise BadObjectError for the first section header that claims what cannot be (gABI, Sections)."""
    types, flags, offsets, sizes, links, aligns = columns
    length = len(data)
    for index, (kind, flag, offset, size, align) in enumerate(zip(types, flags, offsets, sizes, aligns)):
        if kind not in {SHT_NOBITS, SHT_NULL} and offset + size > length:
            raise truncated(name, f"section {index}", offset, size, length)
        if flag & SHF_ALLOC and (
            kind == SHT_NULL
            or align & (align - 1)
            or align > LARGEST_THREAD_ALIGNMENT
            or size > LARGEST_SECTION
            or flag & SHF_COMPRESSED
        ):
            _check_allocated(name, index, (kind, flag, size, align))
    if not KNOWN_TYPES.issuperset(types):
        _check_types(name, types)
    if max(links) >= len(links):
        index = next(index for index, link in enumerate(links) if link >= len(links))
        raise BadObjectError(
            name, "section linked to one that is not there", f"sh_link {links[index]}", f"section {index}"
        )


def _check_allocated(name: str, index: int, row: tuple[int, int, int, int]) -> None:
    """Raise for a section that takes memory which it cannot have."""
    kind, flag, size, align = row
    where = f"section {index}"
    if kind == SHT_NULL:
        raise BadObjectError(name, "unused section that takes memory", f"sh_flags {flag:#x}", where)
    if align & (align - 1) or align > LARGEST_ALIGNMENT:
        raise BadObjectError(
            name, "section alignment is not a power of two up to 1 GiB", f"sh_addralign {align:#x}", where
        )
    if flag & SHF_TLS and align > LARGEST_THREAD_ALIGNMENT:
        raise BadObjectError(name, "thread-local section is aligned beyond 1 MiB", f"sh_addralign {align:#x}", where)
    if size > (LARGEST_LARGE if flag & SHF_X86_64_LARGE else LARGEST_SECTION):
        raise BadObjectError(name, "section claims more than its code model reaches", f"sh_size {size:#x}", where)
    if flag & SHF_COMPRESSED:
        raise BadObjectError(name, "section is compressed and allocated", f"sh_flags {flag:#x}", where)


def _check_types(name: str, types: tuple[int, ...]) -> None:
    """A section of an unknown type may be another form of relocations: passing over it could lose them (gABI)."""
    for index, kind in enumerate(types):
        if kind not in KNOWN_TYPES and kind not in OS_TYPES and kind not in USER_TYPES:
            raise BadObjectError(name, "section of an unknown type", f"sh_type {kind:#x}", f"section {index}")


def truncated(name: str, what: str, offset: int, size: int, length: int) -> BadObjectError:
    """The error for `what`, whose `size` bytes at `offset` end beyond the file's `length`."""
    return BadObjectError(
        name, "file is cut off", f"{what} at {offset:#x} to {offset + size:#x}", f"the file ends at {length:#x}"
    )
