"""Debugging information entries, read where they lie (DWARF 5 sections 7.5.3 to 7.5.6).

pyelftools makes an object per attribute and takes 30 ms to import; looking up one prototype must cost a millisecond. So
the tree is read by hand: an abbreviation becomes a list of forms once, skipping an entry adds up sizes, and an entry's
attributes are read only when somebody asks. Two compilers differ: gcc gives every entry with children a DW_AT_sibling,
clang none, so that its subtrees are walked.

Reading past the end raises IndexError or struct.error; `reader` turns those into BadObjectError.
"""

from __future__ import annotations

from struct import unpack_from

from rtlinker.dwarf.abbreviations import Abbreviation, read_abbreviations, sleb, text_at, uleb
from rtlinker.dwarf.constants import AT_GNU_DWO_ID, AT_SIBLING, AT_STR_OFFSETS_BASE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtlinker.dwarf.sections import DebugSections

_FIXED = {
    0x05: 2, 0x06: 4, 0x07: 8, 0x0B: 1, 0x0C: 1, 0x11: 1, 0x12: 2, 0x13: 4, 0x14: 8, 0x19: 0, 0x1C: 4, 0x1E: 16,
    0x20: 8, 0x21: 0, 0x24: 8, 0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4, 0x29: 1, 0x2A: 2, 0x2B: 3, 0x2C: 4,
}  # fmt: skip
"""Forms whose size nothing else decides; data16 is kept as a number, implicit_const and flag_present take no bytes."""

_OFFSETS = frozenset((0x0E, 0x17, 0x1D, 0x1F, 0x1F20, 0x1F21))
"""strp, sec_offset, strp_sup, line_strp, GNU_ref_alt, GNU_strp_alt: 4 bytes, or 8 in 64-bit DWARF."""

_LEB = frozenset((0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23, 0x1F01, 0x1F02))
"""udata, ref_udata, strx, addrx, loclistx, rnglistx, GNU_addr_index, GNU_str_index."""

_NUMBERS = frozenset((0x01, 0x05, 0x06, 0x07, 0x0B, 0x0C, 0x17, 0x1E))
"""addr, data2, data4, data8, data1, flag, sec_offset, data16: numbers that stay what they are."""

_BLOCKS = {0x0A: 1, 0x03: 2, 0x04: 4}
_VARYING = _LEB | _BLOCKS.keys() | {0x08, 0x09, 0x0D, 0x16, 0x18}
_ULEB, _TEXT, _BLOCK, _ABBREVIATED = -1, -2, -3, -10
_LOCAL_REFERENCES = frozenset((0x11, 0x12, 0x13, 0x14, 0x15))
_INDEXED_TEXT = frozenset((0x1A, 0x1F02, 0x25, 0x26, 0x27, 0x28))
FORM_REF_SIG8 = 0x20


class Entry:
    """One entry: its tag, and attributes by number; references are (section, offset) or a signature."""

    __slots__ = ("abbreviation", "attributes", "end", "offset", "tag", "unit")

    def __init__(self, unit: Unit, offset: int) -> None:
        data = unit.data
        code, place = uleb(data, offset)
        self.unit = unit
        self.offset = offset
        self.abbreviation = abbreviation = unit.abbreviations[code]
        self.tag = abbreviation.tag
        self.attributes: dict[int, object] = {}
        attributes = self.attributes
        for attribute, form, constant, size in abbreviation.layout or unit.lay_out(abbreviation):
            if size > 0:
                number = int.from_bytes(data[place : place + size], "little")
                place += size
                attributes[attribute] = number if form in _NUMBERS else unit.interpret(form, number)
            elif size == 0:
                attributes[attribute] = constant
            else:
                attributes[attribute], place = unit.value(form, constant, place)
        self.end = place

    def number(self, attribute: int) -> int | None:
        """The attribute as a number, or None where it is missing or something else."""
        value = self.attributes.get(attribute)
        return value if isinstance(value, int) else None

    def text(self, attribute: int) -> str | None:
        """The attribute as text, or None."""
        value = self.attributes.get(attribute)
        return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else None

    def children(self) -> Iterator[Entry]:
        """The entries directly below, in order."""
        if self.abbreviation.children:
            for offset, _ in self.unit.below(self.end):
                yield Entry(self.unit, offset)


class Unit:
    """One unit of `.debug_info` or `.debug_types`: where it lies, and the context its forms need."""

    def __init__(self, sections: DebugSections, section: int, start: int) -> None:
        kind, data = sections.units[section]
        self.sections = sections
        self.section = section
        self.data = data
        self.start = start
        self.tables = sections.tables
        self.signature: int | None = None
        self.dwo_id: int | None = None
        self.type_offset = 0
        length = unpack_from("<I", data, start)[0]
        place = start + 4
        self.offset_size = 4
        if length == 0xFFFFFFFF:
            length = unpack_from("<Q", data, place)[0]
            place, self.offset_size = place + 8, 8
        self.end = place + length
        if self.end > len(data):
            raise IndexError("unit runs past the end of its section")
        self.version = unpack_from("<H", data, place)[0]
        self.kind = 1
        self.known = 2 <= self.version <= 5
        if self.known:
            self._read_header(place + 2, kind == ".debug_types")

    def _read_header(self, place: int, types: bool) -> None:
        data, size = self.data, self.offset_size
        if self.version >= 5:
            self.kind, self.address_size = data[place], data[place + 1]
            abbreviations = int.from_bytes(data[place + 2 : place + 2 + size], "little")
            place += 2 + size
        else:
            abbreviations = int.from_bytes(data[place : place + size], "little")
            self.address_size = data[place + size]
            place += size + 1
        if types or self.kind in (2, 6):  # DW_UT_type, DW_UT_split_type
            self.signature = unpack_from("<Q", data, place)[0]
            self.type_offset = self.start + int.from_bytes(data[place + 8 : place + 8 + size], "little")
            place += 8 + size
        elif self.kind in (4, 5):  # DW_UT_skeleton, DW_UT_split_compile
            self.dwo_id = unpack_from("<Q", data, place)[0]
            place += 8
        key = (abbreviations, size, self.address_size, self.version == 2)
        self.abbreviations = self.sections.abbreviations.get(key) or read_abbreviations(
            self.tables.get(".debug_abbrev", b""), abbreviations
        )
        self.sections.abbreviations[key] = self.abbreviations
        # of DW_AT_str_offsets_base when a unit names none: behind a header that GNU's split DWARF 4 has not
        self.string_base = 2 * size if self.version >= 5 else 0
        self.top = Entry(self, place)
        base = self.top.number(AT_STR_OFFSETS_BASE)
        if base is not None:
            self.string_base = base
            self.top = Entry(self, place)
        if self.dwo_id is None:
            self.dwo_id = self.top.number(AT_GNU_DWO_ID)

    def lay_out(self, abbreviation: Abbreviation) -> list[tuple[int, int, int, int]]:
        """The attributes with the bytes that each takes, -1 where that is not fixed; of those without, their value."""
        abbreviation.layout = [
            (attribute, form, constant if form == 0x21 else 1, -1 if form in _VARYING else self.size_of(form))
            for attribute, form, constant in abbreviation.attributes
        ]
        return abbreviation.layout

    def value(self, form: int, constant: int, place: int) -> tuple[object, int]:
        """The attribute at `place` and where the next one starts."""
        data = self.data
        if form == 0x16:  # indirect
            form, place = uleb(data, place)
        if form in (0x21, 0x19):
            return (constant if form == 0x21 else 1), place
        if form == 0x08:
            end = data.index(0, place)
            return data[place:end], end + 1
        if form == 0x0D:
            return sleb(data, place)
        if form in _BLOCKS or form in (0x09, 0x18):
            if form in _BLOCKS:
                size = int.from_bytes(data[place : place + _BLOCKS[form]], "little")
                place += _BLOCKS[form]
            else:
                size, place = uleb(data, place)
            return memoryview(data)[place : place + size], place + size
        if form in _LEB:
            number, place = uleb(data, place)
        else:
            size = self.size_of(form)
            number = int.from_bytes(data[place : place + size], "little")
            place += size
        return self.interpret(form, number), place

    def interpret(self, form: int, number: int) -> object:
        """A number read in a form, as what the form says it is: text, a reference, or itself."""
        if form in (0x0E, 0x1F):
            return text_at(self.tables.get(".debug_str" if form == 0x0E else ".debug_line_str", b""), number)
        if form in _INDEXED_TEXT:
            start = self.string_base + number * self.offset_size
            offsets = self.tables.get(".debug_str_offsets", b"")
            offset = int.from_bytes(offsets[start : start + self.offset_size], "little")
            return text_at(self.tables.get(".debug_str", b""), offset)
        if form in _LOCAL_REFERENCES:
            return (self.section, self.start + number)
        if form == 0x10:
            return (self.section, number)
        if form == FORM_REF_SIG8:
            return (-1, number)
        return number

    def size_of(self, form: int) -> int:
        """Bytes of a form of fixed size."""
        size = _FIXED.get(form)
        if size is None:
            if form in _OFFSETS:
                return self.offset_size
            if form == 0x01:
                return self.address_size
            if form == 0x10:  # DWARF 2 made references as wide as addresses
                return self.address_size if self.version == 2 else self.offset_size
            raise ValueError(f"unknown DWARF form {form:#x}")
        return size

    def below(self, place: int) -> Iterator[tuple[int, int]]:
        """The (offset, tag) of every entry of one level that starts at `place`, subtrees skipped."""
        data, abbreviations = self.data, self.abbreviations
        while place < self.end:
            code = data[place]
            if code >= 0x80:
                code, _ = uleb(data, place)
            if code == 0:
                return
            abbreviation = abbreviations[code]
            yield place, abbreviation.tag
            place = self.after(place, abbreviation)

    def within(self, place: int) -> Iterator[tuple[int, int]]:
        """The (offset, tag) of every entry of the subtrees of one level that starts at `place`, in order."""
        depth = 1
        while depth and place < self.end:
            code, _ = uleb(self.data, place)
            if code == 0:
                depth -= 1
                place += 1
                continue
            abbreviation = self.abbreviations[code]
            yield place, abbreviation.tag
            place = self.skip(place, abbreviation)
            depth += abbreviation.children

    def after(self, place: int, abbreviation: Abbreviation) -> int:
        """Where the subtree of the entry at `place` ends."""
        if abbreviation.children and abbreviation.sibling:
            sibling = Entry(self, place).attributes[AT_SIBLING]
            if isinstance(sibling, tuple) and sibling[1] > place:
                following: int = sibling[1]
                return following
        place = self.skip(place, abbreviation)
        depth = 1 if abbreviation.children else 0
        data, abbreviations = self.data, self.abbreviations
        while depth:
            code = data[place]
            if code == 0:
                depth -= 1
                place += 1
                continue
            if code >= 0x80:
                code, _ = uleb(data, place)
            found = abbreviations[code]
            place = self.skip(place, found)
            depth += found.children
        return place

    def skip(self, place: int, abbreviation: Abbreviation) -> int:
        """Where the attributes of the entry at `place` end."""
        data = self.data
        steps = abbreviation.steps
        if steps is None:
            steps = abbreviation.steps = self.steps(abbreviation)
        for step in steps:
            if step >= 0:
                place += step
            elif step == _ULEB:
                while data[place] & 0x80:
                    place += 1
                place += 1
            elif step == _TEXT:
                place = data.index(0, place) + 1
            else:
                _, place = self.value(_ABBREVIATED - step, 0, place)
        return place

    def steps(self, abbreviation: Abbreviation) -> list[int]:
        """How to skip: sizes added up between what must be looked at. The first skips the code."""
        steps = [_ULEB]
        for _, form, _ in abbreviation.attributes:
            if form in _LEB or form == 0x0D:
                steps.append(_ULEB)
            elif form == 0x08:
                steps.append(_TEXT)
            elif form in _BLOCKS or form in (0x09, 0x18, 0x16):
                steps.append(_ABBREVIATED - form)
            elif steps[-1] >= 0:
                steps[-1] += self.size_of(form)
            else:
                steps.append(self.size_of(form))
        return steps
