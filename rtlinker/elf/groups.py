"""Section groups (gABI, Section Groups): which sections stand or fall together, under which signature."""

from __future__ import annotations

from struct import error as struct_error
from struct import unpack_from

from rtlinker.elf.constants import GRP_COMDAT, SHF_GROUP, SHT_GROUP, STT_SECTION
from rtlinker.elf.object import Group, Sections, Symbols
from rtlinker.errors import BadObjectError


def read_groups(data: bytes, name: str, sections: Sections, symbols: Symbols, symtab: int) -> tuple[Group, ...]:
    """The groups of an object; `symtab` is its symbol table's section. Raises BadObjectError for one that lies."""
    groups: list[Group] = []
    owners: dict[int, int] = {}
    for index, kind in enumerate(sections.types):
        if kind != SHT_GROUP:
            continue
        where, size = sections.title(index), sections.sizes[index]
        if size < 4 or size % 4:
            raise BadObjectError(name, "section group is not made of words", f"{size:#x} bytes", where)
        if sections.links[index] != symtab or sections.infos[index] >= len(symbols):
            raise BadObjectError(name, "section group without a signature", f"sh_info {sections.infos[index]}", where)
        flags, *members = unpack_from(f"<{size // 4}I", data, sections.offsets[index])
        _check_members(name, sections, index, members)
        shared = [member for member in members if owners.setdefault(member, index) != index]
        if shared:
            found = f"{sections.title(shared[0])}, also in {sections.title(owners[shared[0]])}"
            raise BadObjectError(name, "section in two section groups", found, where)
        groups.append(Group(_signature(name, sections, symbols, index), bool(flags & GRP_COMDAT), tuple(members)))
    return tuple(groups)


def _check_members(name: str, sections: Sections, index: int, members: list[int]) -> None:
    """Every member exists, says itself that it is one, and is no group: groups do not nest."""
    where = sections.title(index)
    for member in members:
        if not 0 < member < len(sections):
            raise BadObjectError(name, "section group names a section that is not there", f"{member}", where)
        if sections.types[member] == SHT_GROUP:
            raise BadObjectError(name, "section group names a section group", sections.title(member), where)
        if not sections.flags[member] & SHF_GROUP:
            raise BadObjectError(name, "section group names a section that is no member", sections.title(member), where)


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
