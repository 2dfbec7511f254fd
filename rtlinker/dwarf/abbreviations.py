"""What entries look like: abbreviation tables (DWARF 5 section 7.5.3) and the numbers they are written in (7.6)."""

from __future__ import annotations

from rtlinker.dwarf.constants import AT_SIBLING


class Abbreviation:
    """What entries of one code look like: tag, children, (attribute, form, constant) each, and steps to skip one."""

    __slots__ = ("attributes", "children", "layout", "sibling", "steps", "tag")

    def __init__(self, tag: int, children: bool, attributes: list[tuple[int, int, int]]) -> None:
        self.tag = tag
        self.children = children
        self.attributes = attributes
        self.sibling = any(attribute == AT_SIBLING for attribute, _, _ in attributes)
        self.steps: list[int] | None = None
        self.layout: list[tuple[int, int, int, int]] | None = None


def uleb(data: bytes, place: int) -> tuple[int, int]:
    """An unsigned LEB128 number and where it ends (DWARF 5 section 7.6)."""
    byte = data[place]
    if byte < 0x80:
        return byte, place + 1
    number, shift = byte & 0x7F, 7
    while True:
        place += 1
        byte = data[place]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place + 1
        shift += 7


def sleb(data: bytes, place: int) -> tuple[int, int]:
    """A signed LEB128 number and where it ends."""
    number, end = uleb(data, place)
    bits = 7 * (end - place)
    return (number - (1 << bits) if number >> (bits - 1) else number), end


def text_at(table: bytes, offset: int) -> bytes:
    """The NUL-terminated bytes at `offset`."""
    return table[offset : table.index(0, offset)]


def read_abbreviations(table: bytes, place: int) -> dict[int, Abbreviation]:
    """The abbreviations of one unit by code (DWARF 5 section 7.5.3)."""
    found: dict[int, Abbreviation] = {}
    while True:
        code, place = uleb(table, place)
        if code == 0:
            return found
        tag, place = uleb(table, place)
        children = table[place] != 0
        place += 1
        attributes: list[tuple[int, int, int]] = []
        while True:
            attribute, place = uleb(table, place)
            form, place = uleb(table, place)
            constant = 0
            if form == 0x21:
                constant, place = sleb(table, place)
            if not attribute and not form:
                break
            attributes.append((attribute, form, constant))
        found[code] = Abbreviation(tag, children, attributes)
