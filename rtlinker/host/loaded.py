"""The libraries of this process and what they define, read from memory.

`dlsym` answers one name at a time, only for libraries in the global scope, and tells neither size nor type. The tables
behind it are in memory for every loaded library: ld.so's list gives base and program headers, PT_DYNAMIC leads to the
symbol table, its hash table and its versions (gABI chapter 5, "Dynamic Section"; LSB for the GNU parts).

ld.so counts loads and unloads, so everything is cached until a library comes or goes.

Lifetime: the tables are borrowed from the libraries. A library that another thread unloads *during* a call of this
module takes the memory away under it; callers keep `dlclose` out meanwhile, as they must for the addresses found here.
"""

from __future__ import annotations

import ctypes
import os
import struct

from rtlinker.facts import Fact
from rtlinker.host import symbol_tables
from rtlinker.host.library_list import library_records
from rtlinker.host.symbol_tables import DynamicTable, Segment, SymbolColumns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_libc: Any = ctypes.CDLL(None, use_errno=True)

PT_LOAD, PT_DYNAMIC = 1, 2
AT_SYSINFO_EHDR = 33
RTLD_LAZY, RTLD_NOLOAD = 1, 4


class LoadedLibrary(Fact):
    """One loaded library, or the program itself (`is_program`), or the kernel's vDSO (`is_vdso`).

    `name` is the soname, else the file's basename; `path` what ld.so opened. `base` is l_addr, what is added to the
    file's addresses (0 for a program at fixed addresses); `dynamic` the address of PT_DYNAMIC (0: none). `tls_module`
    is the id `__tls_get_addr` takes, 0 without TLS.
    """

    name: str
    path: str
    base: int
    dynamic: int
    segments: tuple[Segment, ...]
    tls_module: int
    is_program: bool
    is_vdso: bool


class FoundSymbol(Fact):
    """A definition: `address` is absolute, but for type 'tls', where it is the offset in the library's TLS block.

    `size` in bytes, 0 if unknown; `type` is 'function', 'data', 'tls', 'ifunc' or 'notype'; an 'ifunc' has the address
    of the implementation that its resolver chose. `binding` is 'global', 'weak', 'unique' or 'local'.
    """

    name: str
    address: int
    size: int
    type: str
    library: str
    version: str | None
    binding: str


class _Known:
    """What was read since the last load or unload. Replaced as a whole, so that threads see one state or the other."""

    __slots__ = ("columns", "generation", "libraries", "tables")

    def __init__(self, generation: tuple[int, ...], libraries: tuple[LoadedLibrary, ...]) -> None:
        self.generation = generation
        self.libraries = libraries
        self.tables: dict[tuple[str, int], DynamicTable | None] = {}
        self.columns: dict[tuple[str, int], SymbolColumns] = {}


_known: _Known | None = None
_collector: Any = None


def loaded_libraries(vdso: bool = False) -> tuple[LoadedLibrary, ...]:
    """The program first, then every loaded library in ld.so's order, which is the global scope's for those in it.

    The vDSO is left out unless asked for: its symbols are not for linking (libc's of the same names are). Libraries in
    other `dlmopen` namespaces are not seen.
    """
    libraries = _current().libraries
    return libraries if vdso else tuple(library for library in libraries if not library.is_vdso)


def library_at(address: int) -> LoadedLibrary | None:
    """The library one of whose PT_LOAD segments holds the absolute `address`, the vDSO included; None if none does."""
    for library in _current().libraries:
        for segment in library.segments:
            if 0 <= address - segment.address < segment.size:
                return library
    return None


def is_global(library: LoadedLibrary) -> bool:
    """Whether the library is in the global scope, as far as one of its functions tells that has no namesake there."""
    columns = dynamic_symbols(library)
    functions = [row for row, type in enumerate(columns.types) if type == "function" and columns.defaults[row]]
    return any(_ask(0, columns.names[row], None) == columns.addresses[row] for row in functions[:SAMPLE])


SAMPLE = 50
"""How many functions of a library are asked for in the global scope."""


def dynamic_symbols(library: LoadedLibrary) -> SymbolColumns:
    """Everything `library` defines for others, as columns of equal length, in the order of its symbol table.

    Only what ld.so would bind to: no locals, nothing hidden, no version names. Empty once the library is unloaded.
    """
    known = _current()
    table = _table(known, library)
    if table is None:
        return symbol_tables.NOTHING
    key = (library.path, library.base)
    if key not in known.columns:
        known.columns[key] = symbol_tables.columns(table)
    return known.columns[key]


def find_in_library(library: LoadedLibrary, name: str, version: str | None = None) -> FoundSymbol | None:
    """What `library` itself defines as `name`, its dependencies not asked; None if nothing, or if it is unloaded.

    Without `version` the default version, as for `dlsym`; with one exactly that, as for `dlvsym`; a library without
    versions answers to any. Found by hash, in constant time. It works for libraries opened RTLD_LOCAL too.
    """
    table = _table(_current(), library)
    if table is None:
        return None
    row = symbol_tables.find_row(table, name.encode("utf-8", "surrogateescape"), version)
    if row is None:
        return None
    symbol = symbol_tables.definition(table, row)
    if symbol is None:
        return None
    type_, binding, address, size = symbol
    if type_ == "ifunc":
        address, size = _resolved(library, name, version, address), 0  # st_size is the resolver's
    return FoundSymbol(name, address, size, type_, library.name, symbol_tables.version_of(table, row)[0], binding)


def size_at(library: LoadedLibrary, address: int) -> int:
    """The largest size in bytes among the symbols of `library` that start exactly at `address` (aliases differ)."""
    table = _table(_current(), library)
    return symbol_tables.size_at(table, address) if table else 0


def _table(known: _Known, library: LoadedLibrary) -> DynamicTable | None:
    key = (library.path, library.base)
    try:
        return known.tables[key]
    except KeyError:
        if library not in known.libraries:
            return None
        span = symbol_tables.memory_span(library.segments)
        entries = symbol_tables.dynamic_entries(span(library.dynamic, None), library.base)
        known.tables[key] = table = symbol_tables.read_table(library.base, entries, span)
        return table


def _current() -> _Known:
    global _known
    known = _known
    generation = library_records(1)[0][4:6]
    if known is None or known.generation != generation:
        records = library_records(64)
        vdso = _libc.getauxval(AT_SYSINFO_EHDR)
        libraries = tuple(_library(record, row == 0, vdso) for row, record in enumerate(records))
        _known = known = _Known(records[0][4:6], libraries)
    return known


def _library(record: tuple[int, ...], is_program: bool, vdso: int) -> LoadedLibrary:
    base, name_address, headers, header_count, _, _, tls_module, _ = record
    path = os.fsdecode(ctypes.string_at(name_address)) if name_address else ""
    if is_program:
        path = _program_path(path)
    segments = []
    dynamic = 0
    for kind, flags, _, address, _, _, size, _ in struct.iter_unpack(
        "<IIQQQQQQ", ctypes.string_at(headers, header_count * 56)
    ):
        if kind == PT_LOAD:
            segments.append(Segment(base + address, size, flags))
        elif kind == PT_DYNAMIC:
            dynamic = base + address
    is_vdso = bool(vdso) and any(segment.address == vdso for segment in segments)
    span = symbol_tables.memory_span(segments)
    soname = symbol_tables.soname_of(symbol_tables.dynamic_entries(span(dynamic, None), base), span)
    return LoadedLibrary(
        soname or path.rpartition("/")[2], path, base, dynamic, tuple(segments), tls_module, is_program, is_vdso
    )


def _program_path(given: str) -> str:
    try:
        return os.readlink("/proc/self/exe")  # noqa: PTH115  pathlib costs 6 ms to import
    except OSError:
        return given


def _resolved(library: LoadedLibrary, name: str, version: str | None, resolver: int) -> int:
    """The implementation behind an IFUNC, from ld.so where it can be asked (it waits for a load that is under way)."""
    handle = _libc.dlopen(None if library.is_program else os.fsencode(library.path), RTLD_LAZY | RTLD_NOLOAD)
    if handle:
        try:
            if ctypes.c_uint64.from_address(handle).value == library.base:  # link_map.l_addr: the same copy of it
                found = _ask(handle, name, version)
                if found:
                    return found
        finally:
            _libc.dlclose(handle)
    return int(ctypes.CFUNCTYPE(ctypes.c_uint64)(resolver)())


def _ask(handle: int, name: str, version: str | None) -> int:
    raw = name.encode("utf-8", "surrogateescape")
    return int((_libc.dlsym(handle, raw) if version is None else _libc.dlvsym(handle, raw, version.encode())) or 0)


def _declare() -> None:
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    _libc.getauxval.argtypes, _libc.getauxval.restype = [ctypes.c_ulong], ctypes.c_ulong
    _libc.dlopen.argtypes, _libc.dlopen.restype = [ctypes.c_char_p, integer], pointer
    _libc.dlclose.argtypes = [pointer]
    _libc.dlsym.argtypes, _libc.dlsym.restype = [pointer, ctypes.c_char_p], pointer
    _libc.dlvsym.argtypes, _libc.dlvsym.restype = [pointer, ctypes.c_char_p, ctypes.c_char_p], pointer


_declare()
