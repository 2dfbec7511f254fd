"""`dl_iterate_phdr(3)` for linked code, which goes on with linked images where glibc's ends with the libraries.

Runtimes look for themselves in that list: D's learns there where a module's data and its thread-local block are, for
the garbage collector, and ends the process when it does not find itself.

A table of pointers lies one page behind the code. Both are made when the first link asks for the name, and stay.
"""

from __future__ import annotations

import ctypes
import os

from rtlinker.host import dynamic, libc
from rtlinker.host.one_step import act, once
from rtlinker.units import PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.host.one_step import Push

ITERATE = (
    ("f3 0f 1e fa", "endbr64"),
    ("53", "push rbx"),
    ("41 54", "push r12"),
    ("41 55", "push r13"),
    ("48 89 fb", "mov rbx, rdi"),
    ("49 89 f4", "mov r12, rsi"),
    ("ff 15 eb 0f 00 00", "call [rip+real_iterate]"),
    ("85 c0", "test eax, eax"),
    ("75 32", "jne done"),
    ("f0 48 ff 05 ef 0f 00 00", "lock inc qword ptr [rip+walking]"),
    ("4c 8b 2d e0 0f 00 00", "mov r13, [rip+images]"),
    ("49 8b 7d 00", "next: mov rdi, [r13]"),
    ("48 85 ff", "test rdi, rdi"),
    ("74 12", "je walked"),
    ("49 83 c5 08", "add r13, 8"),
    ("be 40 00 00 00", "mov esi, 64"),
    ("4c 89 e2", "mov rdx, r12"),
    ("ff d3", "call rbx"),
    ("85 c0", "test eax, eax"),
    ("74 e5", "je next"),
    ("f0 48 ff 0d c5 0f 00 00", "walked: lock dec qword ptr [rip+walking]"),
    ("41 5d", "done: pop r13"),
    ("41 5c", "pop r12"),
    ("5b", "pop rbx"),
    ("c3", "ret"),
)
"""int dl_iterate_phdr(callback, data): the libraries, then the images, until the callback gives something but 0."""

POINTERS = ("real_iterate", "images", "walking")
"""The table behind the code, in order; the last is how many threads are walking along a list of images."""


class ProgramHeader(ctypes.Structure):
    """Elf64_Phdr (gABI, Program Header)."""

    _fields_ = (
        ("p_type", ctypes.c_uint32),
        ("p_flags", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("p_offset", "p_vaddr", "p_paddr", "p_filesz", "p_memsz", "p_align")),
    )


class Listed(ctypes.Structure):
    """struct dl_phdr_info (dl_iterate_phdr(3))."""

    _fields_ = (
        ("address", ctypes.c_uint64),
        ("name", ctypes.c_char_p),
        ("headers", ctypes.POINTER(ProgramHeader)),
        ("count", ctypes.c_uint16),
        *((name, ctypes.c_uint64) for name in ("adds", "subs", "module", "data")),
    )


_tables: list[ctypes.Array[ctypes.c_uint64]] = []
"""The table, once it is made."""
_images: list[Listed] = []
_arrays: list[object] = []
"""The list, and older ones that a thread may still be walking along."""


def iterate_address() -> int:
    """The absolute address of our dl_iterate_phdr; valid for the life of the process."""
    table = once(_tables, _make)
    if not table[1]:
        _publish()
    return ctypes.addressof(table) - PAGE


def program_header(sort: int, flags: int, address: int, sizes: tuple[int, int], align: int) -> ProgramHeader:
    """A header; `address` is relative to the image, `sizes` are the bytes with initial values and all bytes."""
    return ProgramHeader(sort, flags, 0, address, address, *sizes, align)


def entry(address: int, name: str, headers: Sequence[ProgramHeader], module: int) -> Listed:
    """What is told of an image.

    `address` is what is added to the headers' addresses, `module` the number of its thread-local block, or 0.
    """
    array = (ProgramHeader * len(headers))(*headers)
    return Listed(address, name.encode("utf-8", "surrogateescape"), array, len(headers), 0, 0, module, 0)


def show(listed: Listed) -> None:
    """Have callers of `dl_iterate_phdr` see an image."""
    _images.append(listed)
    _publish()


def hide(listed: Listed) -> None:
    """Undo `show`, if it was done."""
    if listed in _images:
        _images.remove(listed)
    _publish()


def _publish() -> None:
    """Have ITERATE walk along `_images` as they are now. Old lists go when nobody is walking.

    Who counts himself afterwards takes the new list. An exception that leaves a callback leaves its thread counted, and
    the lists there.
    """
    if _tables:
        array = (ctypes.c_uint64 * (len(_images) + 1))(*map(ctypes.addressof, _images))
        _arrays.append((array, tuple(_images)))
        _tables[0][1] = ctypes.addressof(array)
        libc.pthread_self()  # letting go of the GIL orders the two: a store may be overtaken by a load
        if not _tables[0][2]:
            del _arrays[:-1]


def _make(push: Push) -> ctypes.Array[ctypes.c_uint64]:
    """The table, behind the code. The code comes from a memfd: hardened processes make no written page executable."""
    size = 2 * PAGE
    pages: list[int] = []
    push(lambda: [*map(libc.munmap, pages, (size,))])
    start = act(pages, libc.mmap, None, size, 3, 0x22, -1, 0)  # readable and writable, private and anonymous
    if start is None:
        raise libc.fail("mmap")
    files: list[int] = []
    closing = map(os.close, files)
    try:
        file = act(files, os.memfd_create, "rtlinker", os.MFD_CLOEXEC)
        os.write(file, bytes.fromhex("".join(row[0] for row in ITERATE)))
        if libc.mmap(start, PAGE, 5, 0x12, file, 0) != start:  # readable and executable, private and fixed
            raise libc.fail("mmap")
    finally:
        _ = [*closing]
    table = (ctypes.c_uint64 * len(POINTERS)).from_address(start + PAGE)
    table[0] = dynamic.find_symbol("dl_iterate_phdr") or 0
    return table
