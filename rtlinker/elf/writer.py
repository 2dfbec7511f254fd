"""Writes relocatable objects for x86-64: the small helpers rtlinker brings along, and odd inputs for tests.

The gABI orders a symbol table (locals first, `sh_info` is the first global), wants a group's header before those of
its members, and moves numbers elsewhere when there are more than 65,279 sections: `e_shnum` and `e_shstrndx` into
section 0, a symbol's section into SHT_SYMTAB_SHNDX. A caller should not need to know any of that, so sections and
symbols are handed out as handles in the order of their making, and numbers are settled when the bytes are written:

    section 0 | groups | sections as they were made | .rela sections | .symtab .symtab_shndx .strtab .shstrtab

Without groups a section's handle therefore is its number in the file; each group moves all of them up by one.
"""

from __future__ import annotations

from struct import Struct, pack

from rtlinker.elf import constants as elf
from rtlinker.units import align_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Blob = bytes  # `bytes` is a method below

EHDR = Struct("<16sHHIQQQIHHHHHH")
SHDR = Struct("<IIQQQQIIQQ")
SYM = Struct("<IBBHQQ")
RELA = Struct("<QQq")

UNDEFINED, ABSOLUTE, COMMON = 0, -1, -2
"""Sections of a symbol that is in none. Negative, since 0xfff1 may be the number of a real section."""

SPECIAL_NUMBERS = {UNDEFINED: elf.SHN_UNDEF, ABSOLUTE: elf.SHN_ABS, COMMON: elf.SHN_COMMON}


class ObjectWriter:
    """An object in the making: call `section`, `symbol`, `relocation` and `group` in any order, then `bytes`.

    Nothing is checked beyond handles: sizes, flags and types that no compiler would write are written as given.
    """

    def __init__(self, machine: int = elf.EM_X86_64, file_type: int = elf.ET_REL) -> None:
        self._machine = machine
        self._file_type = file_type
        self._sections: list[Section] = []
        self._symbols: list[Symbol] = []
        self._relocations: dict[int, list[tuple[int, int, int, int]]] = {}
        self._groups: list[tuple[int, tuple[int, ...], bool]] = []

    def section(
        self,
        name: str,
        data: Blob = b"",
        type: int = elf.SHT_PROGBITS,
        flags: int = 0,
        align: int = 1,
        *,
        size: int | None = None,
        entsize: int = 0,
        link: int = 0,
        info: int = 0,
    ) -> int:
        """A handle for a new section. `size` and `align` are in bytes; `size` is that of `data` unless given.

        `link` is the handle of another section, and so is `info` under SHF_INFO_LINK; else `info` is written as is.
        """
        size = len(data) if size is None else size
        self._sections.append((name, data, type, flags, align, size, entsize, link, info))
        return len(self._sections)

    def symbol(
        self,
        name: str,
        section: int = UNDEFINED,
        value: int = 0,
        size: int = 0,
        *,
        bind: int = elf.STB_GLOBAL,
        type: int = elf.STT_NOTYPE,
        visibility: int = elf.STV_DEFAULT,
    ) -> int:
        """A handle for a new symbol, `value` bytes into the section with the handle `section`, `size` bytes long.

        Instead of a handle `section` may be UNDEFINED, ABSOLUTE or COMMON.
        """
        if not COMMON <= section <= len(self._sections):
            raise ValueError(f"symbol {name!r}: no section has the handle {section}")
        self._symbols.append((name, section, value, size, bind, type, visibility))
        return len(self._symbols)

    def undefined(self, name: str, bind: int = elf.STB_GLOBAL, visibility: int = elf.STV_DEFAULT) -> int:
        """A handle for a symbol that another object or library defines."""
        return self.symbol(name, UNDEFINED, bind=bind, visibility=visibility)

    def absolute(self, name: str, value: int, bind: int = elf.STB_GLOBAL) -> int:
        """A handle for a symbol whose value is the number itself (SHN_ABS)."""
        return self.symbol(name, ABSOLUTE, value, bind=bind)

    def common(self, name: str, size: int, align: int) -> int:
        """A handle for a tentative definition (SHN_COMMON); its alignment stands in the value."""
        return self.symbol(name, COMMON, align, size, type=elf.STT_OBJECT)

    def relocation(self, section: int, offset: int, type: int, symbol: int, addend: int = 0) -> None:
        """Adds a relocation of the psABI's number `type` at `offset` bytes into `section`; symbol 0 is no symbol."""
        if not 0 < section <= len(self._sections) or not 0 <= symbol <= len(self._symbols):
            raise ValueError(f"relocation: no section {section} or no symbol {symbol}")
        self._relocations.setdefault(section, []).append((offset, type, symbol, addend))

    def group(self, signature: int, sections: Iterable[int], comdat: bool = True) -> None:
        """Makes a group of `sections`, with their relocations, that is kept or dropped as one (gABI, SHT_GROUP).

        `signature` is the symbol whose name identifies the group.
        """
        self._groups.append((signature, tuple(sections), comdat))

    def bytes(self) -> Blob:
        """The object file. The writer stays usable: more may be added and written again."""
        return assemble(
            (self._file_type, self._machine), self._sections, self._symbols, self._relocations, self._groups
        )


class StringTable:
    """A string table in the making: each distinct string once, the empty one at 0."""

    def __init__(self) -> None:
        self.parts = [b""]
        self.offsets = {"": 0}
        self.size = 1

    def add(self, text: str) -> int:
        """The offset of `text` in the table."""
        offset = self.offsets.get(text)
        if offset is None:
            encoded = text.encode("utf-8", "surrogateescape")
            self.parts.append(encoded)
            offset = self.offsets[text] = self.size
            self.size += len(encoded) + 1
        return offset

    def bytes(self) -> Blob:
        """The table."""
        return b"\0".join(self.parts) + b"\0"


def assemble(
    identity: tuple[int, int],
    sections: Sequence[Section],
    symbols: Sequence[Symbol],
    relocations: dict[int, list[tuple[int, int, int, int]]],
    groups: Sequence[tuple[int, tuple[int, ...], bool]],
) -> bytes:
    """The whole file: every handle becomes a number here."""
    shift = len(groups)
    order, first_global = order_symbols(symbols)
    rela_numbers = {handle: shift + len(sections) + 1 + place for place, handle in enumerate(sorted(relocations))}
    symtab = shift + len(sections) + len(relocations) + 1
    grouped = {member for _, members, _ in groups for member in members}

    rows = group_rows(groups, order, symtab, shift, rela_numbers)
    rows += section_rows(sections, grouped, shift)
    for handle in sorted(relocations):
        sites = relocations[handle]
        data = b"".join([RELA.pack(offset, order[to] << 32 | rule, addend) for offset, rule, to, addend in sites])
        flags = elf.SHF_INFO_LINK | (elf.SHF_GROUP if handle in grouped else 0)
        name = ".rela" + sections[handle - 1][0]
        rows.append((name, data, elf.SHT_RELA, flags, 8, len(data), elf.RELA_SIZE, symtab, handle + shift))
    rows += symbol_rows(symbols, order, first_global, symtab, shift)
    return layout(identity, rows)


def order_symbols(symbols: Sequence[Symbol]) -> tuple[list[int], int]:
    """The number of each handle in the symbol table, locals first, and the number of the first global."""
    locals_ = [handle for handle, symbol in enumerate(symbols, 1) if symbol[4] == elf.STB_LOCAL]
    globals_ = [handle for handle, symbol in enumerate(symbols, 1) if symbol[4] != elf.STB_LOCAL]
    order = [0] * (len(symbols) + 1)
    for number, handle in enumerate(locals_ + globals_, 1):
        order[handle] = number
    return order, len(locals_) + 1


def group_rows(
    groups: Sequence[tuple[int, tuple[int, ...], bool]],
    order: Sequence[int],
    symtab: int,
    shift: int,
    rela_numbers: dict[int, int],
) -> list[Section]:
    """The SHT_GROUP sections: a word of flags, then the section numbers of the members and their relocations."""
    rows: list[Section] = []
    for signature, members, comdat in groups:
        numbers = [handle + shift for handle in members]
        numbers += [rela_numbers[handle] for handle in members if handle in rela_numbers]
        data = pack(f"<{1 + len(numbers)}I", elf.GRP_COMDAT if comdat else 0, *numbers)
        rows.append((".group", data, elf.SHT_GROUP, 0, 4, len(data), 4, symtab, order[signature]))
    return rows


def section_rows(sections: Sequence[Section], grouped: set[int], shift: int) -> list[Section]:
    """The caller's sections, with handles turned into numbers."""
    if not shift:
        return list(sections)
    rows: list[Section] = []
    for handle, (name, data, type_, flags, align, size, entsize, link, info) in enumerate(sections, 1):
        number = info + shift if flags & elf.SHF_INFO_LINK and info else info
        marked = flags | elf.SHF_GROUP if handle in grouped else flags
        rows.append((name, data, type_, marked, align, size, entsize, link + shift if link else 0, number))
    return rows


def symbol_rows(
    symbols: Sequence[Symbol], order: Sequence[int], first_global: int, symtab: int, shift: int
) -> list[Section]:
    """`.symtab`, `.symtab_shndx` where a section number needs more than 16 bits, and `.strtab`."""
    strings = StringTable()
    records, wide = [bytes(elf.SYM_SIZE)] * len(order), [0] * len(order)
    for handle, (name, section, value, size, bind, type_, visibility) in enumerate(symbols, 1):
        number = section + shift if section > 0 else SPECIAL_NUMBERS[section]
        if section > 0 and number >= elf.SHN_LORESERVE:
            wide[order[handle]], number = number, elf.SHN_XINDEX
        record = SYM.pack(strings.add(name), bind << 4 | type_, visibility, number, value & 0xFFFFFFFFFFFFFFFF, size)
        records[order[handle]] = record
    table = b"".join(records)
    strtab = symtab + (2 if any(wide) else 1)
    rows: list[Section] = [(".symtab", table, elf.SHT_SYMTAB, 0, 8, len(table), elf.SYM_SIZE, strtab, first_global)]
    if any(wide):
        data = pack(f"<{len(wide)}I", *wide)
        rows.append((".symtab_shndx", data, elf.SHT_SYMTAB_SHNDX, 0, 4, len(data), 4, symtab, 0))
    data = strings.bytes()
    rows.append((".strtab", data, elf.SHT_STRTAB, 0, 1, len(data), 0, 0, 0))
    return rows


def layout(identity: tuple[int, int], rows: list[Section]) -> bytes:
    """Places contents after the ELF header and the section headers after those, and writes all three."""
    names = StringTable()
    name_offsets = [names.add(row[0]) for row in rows]
    name_offsets.append(names.add(".shstrtab"))
    data = names.bytes()
    rows = [*rows, (".shstrtab", data, elf.SHT_STRTAB, 0, 1, len(data), 0, 0, 0)]
    count, names_number = len(rows) + 1, len(rows)
    wide_count, wide_names = count >= elf.SHN_LORESERVE, names_number >= elf.SHN_LORESERVE
    zero = SHDR.pack(0, 0, 0, 0, 0, count if wide_count else 0, names_number if wide_names else 0, 0, 0, 0)
    parts, headers, offset = [b""], [zero], elf.EHDR_SIZE
    for name_offset, (_, stated, type_, flags, align, size, entsize, link, info) in zip(name_offsets, rows):
        data = b"" if type_ == elf.SHT_NOBITS else stated
        gap = align_up(offset, align) - offset if align > 1 else 0
        offset += gap
        parts += (bytes(gap), data) if gap else (data,)
        headers.append(SHDR.pack(name_offset, type_, flags, 0, offset, size, link, info, align, entsize))
        offset += len(data)
    gap = align_up(offset, 8) - offset
    ident = elf.ELFMAG + bytes((elf.ELFCLASS64, elf.ELFDATA2LSB, elf.EV_CURRENT))
    numbers = (elf.SHDR_SIZE, 0 if wide_count else count, elf.SHN_XINDEX if wide_names else names_number)
    header = EHDR.pack(ident, *identity, elf.EV_CURRENT, 0, 0, offset + gap, 0, elf.EHDR_SIZE, 0, 0, *numbers)
    return b"".join((header, *parts, bytes(gap), *headers))


if TYPE_CHECKING:
    Section = tuple[str, bytes, int, int, int, int, int, int, int]
    """Name, data, type, flags, align, size, entsize, link, info."""

    Symbol = tuple[str, int, int, int, int, int, int]
    """Name, section, value, size, bind, type, visibility."""
