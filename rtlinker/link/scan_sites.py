"""Sites and what names them: the keys of demands, and where a relocation first stands."""

from __future__ import annotations

from struct import iter_unpack

from rtlinker.elf.object import Object, Relocations
from rtlinker.link.resolution import Key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def key_of(object: Object, number: int, symbol: int) -> Key:
    """What identifies a symbol across the objects of a link."""
    if symbol < object.symbols.first_global:
        return number, symbol
    return object.symbols.name(symbol)


def first_site(object: Object, discarded: frozenset[int], info: int) -> str:
    """The first place of an object with this r_info, as people read it."""
    return next(
        object.site_title(table.section, offset)
        for table in object.relocations
        if table.section not in discarded
        for offset, there, _ in iter_unpack("<QQq", table.table)
        if there == info
    )


def sites_of(object: Object, info: int) -> Iterator[tuple[Relocations, int, int]]:
    """Every table, offset in its section and addend with this r_info."""
    for table in object.relocations:
        for offset, there, addend in iter_unpack("<QQq", table.table):
            if there == info:
                yield table, offset, addend
