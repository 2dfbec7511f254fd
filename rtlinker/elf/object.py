"""What a relocatable object says, as facts over its bytes: sections, symbols, relocations and groups.

The bytes are a snapshot that every fact borrows; tables stay columns. An object per record would cost more than
everything else a link does, so `Sections` keeps one tuple per field and `Symbols` and `Relocations` keep the table's
bytes, which each engine reads in its own way (tuples by `struct`, or arrays).
"""

from __future__ import annotations

from struct import Struct, iter_unpack

from rtlinker.elf.constants import (
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHN_ABS,
    SHN_COMMON,
    SHN_LCOMMON,
    SHN_LORESERVE,
    SHN_XINDEX,
    STT_FILE,
    STT_FUNC,
    STT_SECTION,
    SYM_SIZE,
)
from rtlinker.facts import Fact, derived

SYMBOL = Struct("<IBBHQQ")
"""Elf64_Sym: st_name, st_info, st_other, st_shndx, st_value, st_size (gABI, Symbol Table)."""

RESERVED = 1 << 16
"""What is taken from a reserved section index, so that 0xfff1 as SHN_ABS (-15) and section 0xfff1 stay apart."""

ABSOLUTE = SHN_ABS - RESERVED
COMMON = SHN_COMMON - RESERVED
LARGE_COMMON = SHN_LCOMMON - RESERVED


def text_at(strings: bytes, offset: int) -> str:
    """The NUL-terminated name at `offset` of a string table; a byte that is not UTF-8 survives as a surrogate."""
    return strings[offset : strings.index(0, offset)].decode("utf-8", "surrogateescape")


class Sections(Fact):
    """The section header table as columns; entry 0 is the null section. Offsets and sizes are bytes in the file."""

    names: tuple[str, ...]
    types: tuple[int, ...]
    flags: tuple[int, ...]
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    links: tuple[int, ...]
    infos: tuple[int, ...]
    aligns: tuple[int, ...]
    entsizes: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.names)

    @derived
    def allocated(self) -> tuple[int, ...]:
        """The indices of the sections that take memory in the process (SHF_ALLOC)."""
        return tuple([index for index, flags in enumerate(self.flags) if flags & SHF_ALLOC])

    def title(self, index: int) -> str:
        """`section 4 .data`, as errors show it."""
        return f"section {index} {self.names[index]}"

    def letters(self, index: int) -> str:
        """The section's permissions as in /proc/PID/maps: `r-x`, `rw-` or `r--`; `---` when it takes no memory."""
        flags = self.flags[index]
        if not flags & SHF_ALLOC:
            return "---"
        return "r" + ("w" if flags & SHF_WRITE else "-") + ("x" if flags & SHF_EXECINSTR else "-")


class Symbol(Fact):
    """One symbol table entry, made on demand for people and for rare questions. `section` is the real index."""

    name: str
    bind: int
    type: int
    visibility: int
    section: int
    value: int
    size: int


class Symbols(Fact):
    """The symbol table: `table` is borrowed; indices from `first_global` on are not local.

    `extended` holds the 32-bit section indices of SHT_SYMTAB_SHNDX, or is empty.
    """

    table: memoryview
    strings: bytes
    first_global: int
    extended: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.table) // SYM_SIZE

    @derived
    def columns(self) -> tuple[tuple[int, ...], ...]:
        """The table as six tuples: st_name, st_info, st_other, st_shndx, st_value, st_size."""
        return tuple(zip(*iter_unpack(SYMBOL.format, self.table)))

    @derived
    def sections(self) -> tuple[int, ...]:
        """The section of every symbol, as `section` gives it."""
        if not self.extended and max(self.columns[3]) < SHN_LORESERVE:
            return self.columns[3]
        return tuple([self.section(index) for index in range(len(self))])

    def name(self, index: int) -> str:
        """The symbol's name; empty for the null symbol and for section symbols."""
        return text_at(self.strings, int.from_bytes(self.table[index * SYM_SIZE : index * SYM_SIZE + 4], "little"))

    def bind(self, index: int) -> int:
        """STB_LOCAL, STB_GLOBAL ..."""
        return self.table[index * SYM_SIZE + 4] >> 4

    def type(self, index: int) -> int:
        """STT_FUNC, STT_OBJECT ..."""
        return self.table[index * SYM_SIZE + 4] & 15

    def visibility(self, index: int) -> int:
        """STV_DEFAULT, STV_HIDDEN ..."""
        return self.table[index * SYM_SIZE + 5] & 3

    def value(self, index: int) -> int:
        """st_value: bytes from the section's start, or the number itself of an absolute symbol."""
        return int.from_bytes(self.table[index * SYM_SIZE + 8 : index * SYM_SIZE + 16], "little")

    def section(self, index: int) -> int:
        """The index of the section that defines the symbol, 0 when undefined; ABSOLUTE, COMMON ... are negative."""
        narrow = int.from_bytes(self.table[index * SYM_SIZE + 6 : index * SYM_SIZE + 8], "little")
        if narrow < SHN_LORESERVE:
            return narrow
        return self.extended[index] if narrow == SHN_XINDEX and self.extended else narrow - RESERVED

    def symbol(self, index: int) -> Symbol:
        """The whole entry; its section as `section` gives it."""
        name, info, other, _, value, size = SYMBOL.unpack_from(self.table, index * SYM_SIZE)
        name = text_at(self.strings, name)
        return Symbol(name, info >> 4, info & 15, other & 3, self.section(index), value, size)


class Relocations(Fact):
    """One RELA table: `table` is borrowed bytes of 24-byte records that patch the section `section`."""

    section: int
    table: memoryview
    index: int
    """The table's own section index."""


class Group(Fact):
    """One section group (gABI, SHT_GROUP): its signature, whether it is COMDAT, and its member sections."""

    signature: str
    comdat: bool
    sections: tuple[int, ...]


class Object(Fact):
    """One relocatable object. `name` is what errors show: a path, or `libz.a(crc32.o)` for an archive's member."""

    name: str
    data: bytes
    sections: Sections
    symbols: Symbols
    relocations: tuple[Relocations, ...]
    groups: tuple[Group, ...]

    @derived
    def sites(self) -> int:
        """How many relocations the object has for sections in memory, which decides between the engines."""
        return sum([len(table.table) for table in self.relocations]) // 24

    def content(self, index: int) -> bytes:
        """The section's bytes in the file (borrowed)."""
        start = self.sections.offsets[index]
        return self.data[start : start + self.sections.sizes[index]]

    def function_at(self, section: int, offset: int) -> str | None:
        """The name of the function that covers `offset` bytes into the section, or None."""
        best: tuple[int, str] | None = None
        names, infos, _, _, values, sizes = self.symbols.columns
        for index, defined in enumerate(self.symbols.sections):
            if defined != section or infos[index] & 15 in {STT_SECTION, STT_FILE} or values[index] > offset:
                continue
            covers = offset < values[index] + sizes[index] or (not sizes[index] and infos[index] & 15 != STT_FUNC)
            if covers and (best is None or values[index] >= best[0]):
                best = values[index], text_at(self.symbols.strings, names[index])
        return best[1] if best and best[1] else None

    def symbol_title(self, index: int) -> str:
        """The symbol's name, or its section's name for a section symbol."""
        symbol = self.symbols.symbol(index)
        if not symbol.name and symbol.type == STT_SECTION and symbol.section > 0:
            return self.sections.names[symbol.section]
        return symbol.name or f"symbol {index}"

    def site_title(self, section: int, offset: int) -> str:
        """A place as linkers write it: `a.o:(.text+0x1a) in draw`."""
        function = self.function_at(section, offset)
        place = f"{self.name}:({self.sections.names[section]}+{offset:#x})"
        return f"{place} in {function}" if function else place
