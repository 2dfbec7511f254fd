"""The dynamic symbol table of one library, read where ld.so mapped it or in the file.

Nothing says how long the table is. DT_HASH has the count; DT_GNU_HASH only implies it: the last symbol is the end of
the chain that the highest bucket starts (a chain word with its lowest bit set). Every array is bounded by the segment
that holds it, so a damaged library yields fewer symbols and never a read outside its mapping.

Versions: DT_VERSYM has 16 bits per symbol, the index of a version that DT_VERDEF names and, as bit 15, "not the
default": such a symbol is for references that name the version (LSB, "Symbol Versioning").
"""

from __future__ import annotations

import ctypes
import struct

from rtlinker.facts import Fact, derived
from rtlinker.host.symbol_hash import gnu_candidates, read_gnu_hash, read_sysv_hash, sysv_candidates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from rtlinker.host.symbol_hash import GnuHash

    Definition = tuple[str, str, int, int]
    Span = Callable[[int, int | None], memoryview | None]

DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SONAME = 4, 5, 6, 10, 14
DT_GNU_HASH, DT_VERSYM, DT_VERDEF, DT_VERDEFNUM = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD
VER_HIDDEN, VER_FLG_BASE = 0x8000, 1
SHN_UNDEF, SHN_ABS = 0, 0xFFF1
PF_R = 4

SYMBOL = struct.Struct("<IBBHQQ")
"""Elf64_Sym: st_name, st_info, st_other, st_shndx, st_value, st_size."""

TYPES = {0: "notype", 1: "data", 2: "function", 5: "data", 6: "tls", 10: "ifunc"}
BINDINGS = {1: "global", 2: "weak", 10: "unique"}

_view: Any = ctypes.pythonapi.PyMemoryView_FromMemory
_view.argtypes, _view.restype = [ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int], ctypes.py_object
PYBUF_READ = 0x100


class Segment(Fact):
    """A PT_LOAD of a loaded library: absolute `address`, `size` in bytes, `protection` as p_flags (R 4, W 2, X 1).

    What the file asked for: RELRO and `mprotect` may have changed it since.
    """

    address: int
    size: int
    protection: int


class SymbolColumns(Fact):
    """Definitions, one per row, in columns of equal length.

    `addresses` are absolute, but offsets in the TLS block where the type is 'tls', and an IFUNC's resolver where it is
    'ifunc'. `sizes` are in bytes. `versions` holds None where a symbol has no version. `defaults` is False for a
    version that only a reference naming it gets.
    """

    names: tuple[str, ...]
    addresses: tuple[int, ...]
    sizes: tuple[int, ...]
    types: tuple[str, ...]
    bindings: tuple[str, ...]
    versions: tuple[str | None, ...]
    defaults: tuple[bool, ...]

    @derived
    def default_rows(self) -> dict[str, int]:
        """Name to row, default versions only."""
        return {name: row for row, name in enumerate(self.names) if self.defaults[row]}


NOTHING = SymbolColumns((), (), (), (), (), (), ())


class DynamicTable(Fact):
    """Views of one library's tables, borrowed from its mapping. `symbols` may reach beyond the last symbol."""

    base: int
    symbols: memoryview
    strings: memoryview
    versions: memoryview | None
    version_names: dict[int, str]
    gnu_hash: GnuHash | None
    sysv_hash: memoryview | None

    @derived
    def count(self) -> int:
        """How many symbols there are, undefined and local ones included."""
        limit = len(self.symbols) // 24
        if self.gnu_hash:
            _, first, _, buckets, chains = self.gnu_hash
            row = max(buckets, default=0)
            if row < first:
                return min(first, limit)
            while row - first < len(chains) and not chains[row - first] & 1:
                row += 1
            return min(row + 1, limit)
        return min(self.sysv_hash[1], limit) if self.sysv_hash else 0


def read_table(base: int, entries: dict[int, int], span: Span) -> DynamicTable | None:
    """The tables that the `entries` of a dynamic section lead to; None when there are none or `span` has not got them.

    `span(address, size)` yields the memory at an address as the entries have it (`size` None: all that follows).
    """
    symbols = span(entries.get(DT_SYMTAB, 0), None)
    strings = span(entries.get(DT_STRTAB, 0), entries.get(DT_STRSZ, 0))
    if not symbols or not strings:
        return None
    symbols = symbols[: len(symbols) // 24 * 24]
    gnu_hash = read_gnu_hash(span(entries.get(DT_GNU_HASH, 0), None))
    sysv_hash = read_sysv_hash(span(entries.get(DT_HASH, 0), None))
    versions = span(entries.get(DT_VERSYM, 0), None)
    if versions:
        versions = versions[: len(versions) // 2 * 2].cast("H")
    names = _version_names(span(entries.get(DT_VERDEF, 0), None), entries.get(DT_VERDEFNUM, 0), strings)
    return DynamicTable(base, symbols, strings, versions, names, gnu_hash, sysv_hash)


def dynamic_entries(raw: memoryview | None, base: int) -> dict[int, int]:
    """d_tag to d_un of a dynamic section, with pointers below `base` made absolute.

    glibc has relocated them in place, except in the read-only vDSO; musl relocates none. In a file `base` is 0.
    """
    if raw is None:
        return {}
    entries: dict[int, int] = {}
    for tag, value in struct.iter_unpack("<QQ", raw[: len(raw) // 16 * 16]):
        if not tag:
            break
        entries[tag] = value
    for tag in (DT_HASH, DT_STRTAB, DT_SYMTAB, DT_GNU_HASH, DT_VERSYM, DT_VERDEF):
        if 0 < entries.get(tag, 0) < base:
            entries[tag] += base
    return entries


def soname_of(entries: dict[int, int], span: Span) -> str:
    """DT_SONAME; empty without one."""
    strings = span(entries.get(DT_STRTAB, 0), entries.get(DT_STRSZ, 0))
    return text_at(strings, entries[DT_SONAME]) if strings and DT_SONAME in entries else ""


def columns(table: DynamicTable) -> SymbolColumns:
    """Every definition of `table` that ld.so would bind a reference to."""
    rows = []
    for row in range(1, table.count):
        found = definition(table, row)
        if found:
            type_, binding, address, size = found
            name = text_at(table.strings, SYMBOL.unpack_from(table.symbols, row * 24)[0])
            version, default = version_of(table, row)
            rows.append((name, address, size, type_, binding, version, default))
    return SymbolColumns(*zip(*rows)) if rows else NOTHING


def definition(table: DynamicTable, row: int) -> Definition | None:
    """(type, binding, address, size) of a row that ld.so would bind to, by the tests of its `do_lookup_x`."""
    name, kind, other, section, value, size = SYMBOL.unpack_from(table.symbols, row * 24)
    type_ = TYPES.get(kind & 15)
    binding = BINDINGS.get(kind >> 4)
    if section == SHN_UNDEF or type_ is None or binding is None or other & 3 in (1, 2):
        return None
    if section == SHN_ABS:
        if text_at(table.strings, name) in table.version_names.values():
            return None
        return type_, binding, value, size
    if type_ == "tls":
        return type_, binding, value, size
    return (type_, binding, table.base + value, size) if value else None


def version_of(table: DynamicTable, row: int) -> tuple[str | None, bool]:
    """The version of a row or None, and whether a reference without a version gets it."""
    if table.versions is None:
        return None, True
    word = table.versions[row] if row < len(table.versions) else 0
    return table.version_names.get(word & ~VER_HIDDEN), not word & VER_HIDDEN


def find_row(table: DynamicTable, name: bytes, version: str | None) -> int | None:
    """The row that defines `name` in `version` (None: the default version); None if there is none."""
    wanted = name + b"\0"
    rows: Iterable[int] = ()
    if table.gnu_hash:
        rows = gnu_candidates(table.gnu_hash, name)
    elif table.sysv_hash:
        rows = sysv_candidates(table.sysv_hash, name)
    for row in rows:
        if (row + 1) * 24 > len(table.symbols):
            return None
        at = int.from_bytes(table.symbols[row * 24 : row * 24 + 4], "little")
        if table.strings[at : at + len(wanted)] != wanted or definition(table, row) is None:
            continue
        found, default = version_of(table, row)
        if default if version is None else version in (found, None) or table.versions is None:
            return row
    return None


def size_at(table: DynamicTable, address: int) -> int:
    """The largest st_size among the definitions at exactly this absolute address; 0 if none has one."""
    raw = bytes(table.symbols[: table.count * 24])
    value = struct.pack("<Q", (address - table.base) & 0xFFFFFFFFFFFFFFFF)
    largest, at = 0, raw.find(value)
    while at >= 0:
        if at % 24 == 8:
            found = definition(table, at // 24)
            if found and found[0] != "tls" and found[2] == address:
                largest = max(largest, found[3])
        at = raw.find(value, at + 1)
    return largest


def _version_names(raw: memoryview | None, count: int, strings: memoryview) -> dict[int, str]:
    """Version index to name, without the base version (the library's own name), which no reference asks for."""
    names: dict[int, str] = {}
    at = 0
    for _ in range(count):
        if raw is None or at + 20 > len(raw):
            break
        _, flags, index, _, _, names_at, following = struct.unpack_from("<HHHHIII", raw, at)
        if not flags & VER_FLG_BASE and at + names_at + 4 <= len(raw):
            names[index] = text_at(strings, int.from_bytes(raw[at + names_at : at + names_at + 4], "little"))
        if not following:
            break
        at += following
    return names


def memory_span(segments: Sequence[Segment]) -> Span:
    """A `span` over the mapped `segments`; the views are borrowed, and None is what no readable segment holds."""

    def span(address: int, size: int | None) -> memoryview | None:
        for segment in segments:
            left = segment.address + segment.size - address
            if 0 < left <= segment.size and segment.protection & PF_R:
                if size is not None and size > left:
                    return None
                view: memoryview = _view(address, left if size is None else size, PYBUF_READ)
                return view
        return None

    return span


def text_at(strings: memoryview, at: int) -> str:
    """The string that starts `at` bytes into a string table; names are UTF-8, other bytes survive as surrogates."""
    raw = bytes(strings[at : at + 64])
    end = raw.find(0)
    if end < 0:
        raw = bytes(strings[at:])
        end = raw.find(0)
    return str(raw[:end] if end >= 0 else raw, "utf-8", "surrogateescape")
