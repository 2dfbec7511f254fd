"""ld.so's list of loaded libraries, with its counters of loads and unloads, taken in one piece.

By `dl_iterate_phdr(3)` with a callback of machine code: a callback in Python would need the GIL while ld.so's list lock
is held, and a thread that imports an extension module takes the two in the other order, which is a deadlock.
"""

from __future__ import annotations

import ctypes
import os
import struct

from rtlinker.host.one_step import act

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COLLECT = (
    ("f3 0f 1e fa", "endbr64"),
    ("48 8b 02", "mov rax, [rdx]"),
    ("48 3b 42 08", "cmp rax, [rdx+8]"),
    ("73 1a", "jae full"),
    ("48 ff 02", "inc qword ptr [rdx]"),
    ("48 c1 e0 06", "shl rax, 6"),
    ("48 89 fe", "mov rsi, rdi"),
    ("48 8d 7c 02 10", "lea rdi, [rdx+rax+16]"),
    ("b9 08 00 00 00", "mov ecx, 8"),
    ("f3 48 a5", "rep movsq"),
    ("31 c0", "xor eax, eax"),
    ("c3", "ret"),
    ("b8 01 00 00 00", "full: mov eax, 1"),
    ("c3", "ret"),
)
"""int collect(dl_phdr_info *one, size_t, {count, capacity, records} *all): copies 64-byte records until all is full."""

RECORD = struct.Struct("<QQQH6xQQQQ")
"""struct dl_phdr_info: dlpi_addr, _name, _phdr, _phnum, _adds, _subs, _tls_modid, _tls_data."""

_libc: Any = ctypes.CDLL(None, use_errno=True)
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.mmap.restype = ctypes.c_void_p
_libc.dl_iterate_phdr.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
_collector: Any = None
_pages: list[int] = []
"""Where COLLECT is; an interrupt may leave it there without a collector, and the next one gets its own."""


def library_records(capacity: int) -> list[tuple[int, ...]]:
    """The dl_phdr_info of every loaded library, as RECORD unpacks it, the program first; with capacity 1 that alone.

    `capacity` is a guess of how many there are. Pointers in the records are ld.so's own and die with their library.
    """
    global _collector
    if _collector is None:
        _collector = _native_collector() or _python_collector()
    while True:
        room = ctypes.create_string_buffer(16 + 64 * capacity)
        struct.pack_into("<QQ", room, 0, 0, capacity)
        cut_short = _libc.dl_iterate_phdr(_collector, room)
        count = int.from_bytes(room.raw[:8], "little")
        if not cut_short or capacity == 1:
            return list(RECORD.iter_unpack(room.raw[16 : 16 + 64 * count]))
        capacity *= 4


def _native_collector() -> Any:
    """The address of COLLECT in executable memory, kept for the life of the process; None where that is refused."""
    code = bytes.fromhex("".join(row[0] for row in COLLECT))
    files: list[int] = []
    closing = map(os.close, files)
    try:
        # a memfd, since hardened processes refuse mprotect from writable to executable
        file = act(files, os.memfd_create, "rtlinker-collect", os.MFD_CLOEXEC)
        os.write(file, code)
        address = act(_pages, _libc.mmap, None, 4096, 5, 2, file, 0)
    except (OSError, AttributeError):
        return None
    finally:
        _ = [*closing]
    return None if address is None else ctypes.c_void_p(address)


def _python_collector() -> Any:
    """COLLECT in Python: what is left where no code may be mapped; see the module's text for its danger."""

    def collect(one: int, _size: int, everything: int) -> int:
        count, capacity = struct.unpack("<QQ", ctypes.string_at(everything, 16))
        if count >= capacity:
            return 1
        ctypes.memmove(everything + 16 + 64 * count, one, 64)
        ctypes.memmove(everything, struct.pack("<Q", count + 1), 8)
        return 0

    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
    return kind(collect)
