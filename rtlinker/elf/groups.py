"""Section groups (gABI, Section Groups): which sections stand or fall together, under which signature."""

from __future__ import annotations

from struct import error as struct_error
from struct import unpack_from

from rtlinker.elf.constants import GRP_COMDAT, SHT_GROUP, STT_SECTION
from rtlinker.elf.object import Group, Sections, Symbols
from rtlinker.errors import BadObjectError


def read_groups(data: bytes, name: str, sections: Sections, symbols: Symbols, symtab: int) -> tuple[Group, ...]:
    """The groups of an object; `symtab` is its symbol table's section. Raises BadObjectError for one that lies."""
    groups = []
    for index, kind in enumerate(sections.types):
        if kind != SHT_GROUP:
            continue
        where, size = sections.title(index), sections.sizes[index]
        if size < 4 or size % 4:
            raise BadObjectError(name, "section group is not made of words", f"{size:#x} bytes", where)
        if sections.links[index] != symtab or sections.infos[index] >= len(symbols):
            raise BadObjectError(name, "section group without a signature", f"sh_info {sections.infos[index]}", where)
        flags, *members = unpack_from(f"<{size // 4}I", data, sections.offsets[index])
        missing = [member for member in members if not 0 < member < len(sections)]
        if missing:
            raise BadObjectError(name, "section group names a section that is not there", f"{missing[0]}", where)
        groups.append(Group(_signature(name, sections, symbols, index), bool(flags & GRP_COMDAT), tuple(members)))
    return tuple(groups)


def _signature(name: str, sections: Sections, symbols: Symbols, index: int) -> str:
    """The group's signature: the symbol's name, or its section's name where assemblers used a section symbol."""
    try:
        symbol = symbols.symbol(sections.infos[index])
        if symbol.type == STT_SECTION:
            return sections.names[symbol.section]
    except (ValueError, IndexError, struct_error):
        raise BadObjectError(
            name, "section group with a broken signature", f"symbol {sections.infos[index]}", sections.title(index)
        ) from None
    return symbol.name
