"""What an absolute address of this process is: a function, data, or nothing one can be sure of.

The linker routes references to functions through stubs and may give data another address (a mirror, a GOT slot). A
wrong guess reads machine code as data or jumps into a table, so an answer needs a witness: a symbol that says so and
a mapping that does not contradict it, or a mapping that leaves no doubt. Readable memory is data for certain when it is
not executable. Executable memory is code, unless it belongs to a library whose read-only data shares the code's
segment (linked without `-z separate-code`): there only a symbol can tell, and without one the kind is None.
"""

from __future__ import annotations

import ctypes

from rtlinker.facts import Fact
from rtlinker.host.loaded import library_at, size_at
from rtlinker.host.mappings import Mapping, read_mappings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from rtlinker.host.loaded import LoadedLibrary

RTLD_DL_SYMENT = 1
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON, STT_IFUNC = 0, 1, 2, 5, 10


class Place(Fact):
    """What is at an address now. `kind` is 'function', 'data', or None where nothing can be said for certain.

    `symbol` is the exported symbol that covers it ('' if none does), `offset` the bytes from its start; `size` is the
    symbol's size in bytes, and 0 unless the address is exactly its start (the largest of its aliases). `library`
    names the loaded library ('' for other memory). `writable` and `executable` are the mapping's protection now, so
    RELRO counts as read-only.
    """

    kind: str | None
    symbol: str
    size: int
    offset: int
    library: str
    writable: bool
    executable: bool


class _DlInfo(ctypes.Structure):
    _fields_ = [
        ("dli_fname", ctypes.c_char_p),
        ("dli_fbase", ctypes.c_void_p),
        ("dli_sname", ctypes.c_char_p),
        ("dli_saddr", ctypes.c_void_p),
    ]


_libc: Any = ctypes.CDLL(None, use_errno=True)
_libc.dladdr1.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]


def examine(address: int) -> Place:
    """What the absolute `address` of this process is, at this moment. Never raises; unmapped memory has no kind."""
    return examine_all([address])[0]


def examine_all(addresses: Iterable[int]) -> list[Place]:
    """`examine` for each of `addresses`, in order, with the process's mappings read once (dladdr(3), proc(5))."""
    mappings = read_mappings()
    return [examine_in(mappings, address) for address in addresses]


def examine_in(mappings: tuple[Mapping, ...], address: int) -> Place:
    """`examine`, where the mappings were read just now."""
    permissions = next((row.permissions for row in mappings if row.start <= address < row.end), "----")
    library = library_at(address)
    name, type_, start, size = _covering_symbol(address)
    offset = address - start if name else 0
    exact = size if name and not offset else 0
    if exact and library:
        exact = max(exact, size_at(library, address))
    kind = _kind(permissions, type_ if name else None, library)
    return Place(
        kind, name, exact, offset, library.name if library else "", permissions[1] == "w", permissions[2] == "x"
    )


def _kind(permissions: str, type_: int | None, library: LoadedLibrary | None) -> str | None:
    if permissions[0] != "r" and permissions[2] != "x":
        return None
    executable = permissions[2] == "x"
    if type_ in (STT_OBJECT, STT_COMMON):
        return "data"
    if type_ in (STT_FUNC, STT_IFUNC):
        return "function" if executable else None
    if not executable:
        return "data"
    return "function" if library is None or _separates_code(library) else None


def _separates_code(library: LoadedLibrary) -> bool:
    """Whether the executable segments hold code alone: then the file's headers and tables lie in another one."""
    first = min(library.segments, key=lambda segment: segment.address)
    return not library.is_vdso and not first.protection & 1


def _covering_symbol(address: int) -> tuple[str, int, int, int]:
    """(name, type, start, size) of the exported symbol whose bytes hold `address`; the name is empty without one."""
    found = _DlInfo()
    entry = ctypes.c_void_p()
    if not _libc.dladdr1(address, ctypes.addressof(found), ctypes.addressof(entry), RTLD_DL_SYMENT):
        return "", STT_NOTYPE, 0, 0
    if not found.dli_sname or not entry.value:
        return "", STT_NOTYPE, 0, 0
    raw = ctypes.string_at(entry.value, 24)
    size = int.from_bytes(raw[16:24], "little")
    name = found.dli_sname.decode("utf-8", "surrogateescape")
    return name, raw[4] & 15, found.dli_saddr or 0, size
