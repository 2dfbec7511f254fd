"""The program's own symbol table: what the main executable defines without exporting it.

`dlsym` sees only what a program exports. A program that was not linked with -rdynamic still has its `.symtab` on disk
unless it was stripped, and with the load bias that says where everything lies. The file is read when a name is first
asked for; `/proc/self/exe` is the very inode that runs, also after it was replaced on disk or deleted, so the table
cannot be that of another build.
"""

from __future__ import annotations

import ctypes

from rtlinker.facts import Fact
from rtlinker.host.elf_files import map_elf, section_headers
from rtlinker.host.loaded import FoundSymbol, loaded_libraries
from rtlinker.host.symbol_tables import SHN_ABS, SHN_UNDEF, SYMBOL, TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    import mmap

SHT_SYMTAB = 2
SHN_COMMON = 0xFFF2
BINDINGS = {0: "local", 1: "global", 2: "weak", 10: "unique"}
RANK = ("global", "unique", "weak", "local")


class ProgramTable(Fact):
    """Where `.symtab` and its strings lie in the mapped program file: byte ranges of `data`."""

    data: mmap.mmap
    symbols: tuple[int, int]
    strings: tuple[int, int]


_table: ProgramTable | None = None
_is_read = False


def find_in_executable(name: str) -> FoundSymbol | None:
    """What the program's `.symtab` defines as `name`: global before unique before weak before local; else None.

    The address is absolute and good as long as the process lives (type 'tls': the offset in the program's TLS block;
    'ifunc': the implementation chosen). A 'local' is a static symbol or a hidden one, and is found only if no other
    local has the name. None also for a stripped program. Never raises for what is in the file.
    """
    table = _program_table()
    if table is None:
        return None
    found = [symbol for symbol in _rows_named(table, name.encode("utf-8", "surrogateescape")) if symbol]
    found.sort(key=lambda symbol: RANK.index(symbol[1]))
    if not found or (found[0][1] == "local" and len(found) > 1):
        return None
    type_, binding, section, value, size = found[0]
    program = loaded_libraries()[0]
    address = value if type_ == "tls" or section == SHN_ABS else program.base + value
    if type_ == "ifunc":
        address, size = int(ctypes.CFUNCTYPE(ctypes.c_uint64)(address)()), 0  # st_size is the resolver's
    return FoundSymbol(name, address, size, type_, program.name, None, binding)


def read_program_table(path: str) -> ProgramTable | None:
    """The `.symtab` of the ELF file at `path`; None if there is no file, no table, or the headers make no sense."""
    data = map_elf(path)
    if data is None:
        return None
    sections = section_headers(data)
    for _, kind, _, _, offset, size, link, _, _, entry_size in sections:
        if kind == SHT_SYMTAB and entry_size == SYMBOL.size and link < len(sections):
            strings = sections[link]
            if offset + size <= len(data) and strings[4] + strings[5] <= len(data):
                return ProgramTable(data, (offset, offset + size), (strings[4], strings[4] + strings[5]))
    return None


def _program_table() -> ProgramTable | None:
    global _table, _is_read
    if not _is_read:
        _table = read_program_table("/proc/self/exe")
        _is_read = True
    return _table


def _rows_named(table: ProgramTable, name: bytes) -> list[tuple[str, str, int, int, int]]:
    """(type, binding, section, value, size) of every definition called `name`.

    Searched as bytes, at the speed of memmem: a name may be the tail of a longer one, so every place in the string
    table where it ends counts, and the rows are those whose st_name is such a place.
    """
    data = table.data
    places = set()
    at = data.find(name + b"\0", *table.strings) if name else -1
    while at >= 0:
        places.add(at - table.strings[0])
        at = data.find(name + b"\0", at + 1, table.strings[1])
    if not places:
        return []
    first, end = table.symbols
    end -= (end - first) % SYMBOL.size
    names = memoryview(data[first:end]).cast("I")[:: SYMBOL.size // 4].tolist()
    rows = [row for row, place in enumerate(names) if place in places]
    return [symbol for row in rows if (symbol := _definition(data, first + row * SYMBOL.size))]


def _definition(data: mmap.mmap, at: int) -> tuple[str, str, int, int, int] | None:
    _, kind, _, section, value, size = SYMBOL.unpack_from(data, at)
    type_, binding = TYPES.get(kind & 15), BINDINGS.get(kind >> 4)
    if section in (SHN_UNDEF, SHN_COMMON) or type_ is None or binding is None:
        return None
    return type_, binding, section, value, size
