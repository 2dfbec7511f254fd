"""Where the addresses in an object's debug information lead: to a section and an offset in it, not to a number.

In a relocatable object an address is a relocation, and the number beside it says nothing (gABI, Relocation). So places
are looked up by the bytes that would be patched, in `.debug_info` itself or, since DWARF 5, in `.debug_addr`.
"""

from __future__ import annotations

from rtlinker.dwarf import constants as c
from rtlinker.dwarf.abbreviations import uleb
from rtlinker.elf.constants import STB_LOCAL, STT_FILE, STT_SECTION
from rtlinker.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.dwarf.entries import Entry
    from rtlinker.dwarf.sections import DebugSections
    from rtlinker.elf.object import Object

_TLS = frozenset((0xE0, 0x9B))  # DW_OP_GNU_push_tls_address, DW_OP_form_tls_address
_CONSTANTS = {0x03: 8, 0x0C: 4, 0x0E: 8}  # DW_OP_addr, const4u, const8u
_INDEXED = frozenset((0xA1, 0xA2, 0xFB, 0xFC))  # addrx, constx, GNU_addr_index, GNU_const_index


class Place(Fact):
    """Bytes of a section: its index (negative for COMMON, as in elf.object) and the offset in it.

    `symbol` is the index of the symbol that the address was written with.
    """

    section: int
    offset: int
    symbol: int
    thread_local: bool = False


class Places:
    """The places of one object, and its symbols by place and by name."""

    def __init__(self, object: Object, sections: DebugSections) -> None:
        self.object = object
        self.sections = sections
        self._tables: dict[int | None, dict[int, tuple[int, int]]] = {}
        self._named: dict[tuple[int, int], list[int]] | None = None
        self._by_name: dict[str, list[int]] = {}

    def at(self, section: int | None, site: int, thread_local: bool = False) -> Place | None:
        """Where the address at `site` leads, a place in a unit's section, or in `.debug_addr` for None."""
        table = self._tables.get(section)
        if table is None:
            table = self._tables[section] = self.sections.addresses(section)
        found = table.get(site)
        if found is None:
            return None
        symbol, addend = found
        owner, value = self.object.symbols.section(symbol), self.object.symbols.value(symbol)
        if owner == 0:
            return None  # of another object
        return Place(owner, value + addend if owner > 0 else addend, symbol, thread_local)

    def code(self, entry: Entry, base: int) -> Place | None:
        """Where the code of a function starts, or None without DW_AT_low_pc; `base` is of its unit's addresses."""
        if c.AT_LOW_PC not in entry.attributes:
            return None
        form, site = place_of(entry, c.AT_LOW_PC)
        if form == 0x01:
            return self.at(entry.unit.section, site)
        index = entry.number(c.AT_LOW_PC)
        return None if index is None else self.at(None, base + 8 * index)

    def storage(self, entry: Entry, base: int) -> Place | None:
        """Where a variable lies, or None where its location is something else than one place that never moves."""
        location = entry.attributes.get(c.AT_LOCATION)
        if not isinstance(location, memoryview) or not len(location):
            return None
        expression = bytes(location)
        operation, end = expression[0], 1
        start = place_of(entry, c.AT_LOCATION)[1]
        if operation in _CONSTANTS:
            section, site, end = entry.unit.section, start + 1, 1 + _CONSTANTS[operation]
        elif operation in _INDEXED:
            index, end = uleb(expression, 1)
            section, site = None, base + 8 * index
        else:
            return None
        rest, shift = expression[end:], 0
        if rest[:1] == b"\x23":  # DW_OP_plus_uconst
            shift, end = uleb(rest, 1)
            rest = rest[end:]
        thread_local = len(rest) == 1 and rest[0] in _TLS
        if rest and not thread_local:
            return None  # a value such as the variable's address, or a part
        found = self.at(section, site, thread_local)
        return Place(found.section, found.offset + shift, found.symbol, thread_local) if found and shift else found

    def named_at(self, place: Place) -> list[int]:
        """The symbols with a name at a place, of whatever binding, in the order of the table."""
        if place.section < 0:
            return [place.symbol]
        return self._names().get((place.section, place.offset), [])

    def named(self, name: str) -> Place | None:
        """Where the one symbol of that name is defined; None where there is none, or several."""
        self._names()
        found = self._by_name.get(name, [])
        if len(found) != 1:
            return None
        symbols = self.object.symbols
        return Place(symbols.section(found[0]), symbols.value(found[0]), found[0])

    def copied(self, name: str) -> Place | None:
        """Where the one copy of a function lies that gcc made and named `name.isra.0` or `name.constprop.0`."""
        self._names()
        copies = [each for each in self._by_name if each.startswith(name + ".") and not each.endswith(".cold")]
        return self.named(copies[0]) if len(copies) == 1 else None

    def external(self, symbol: int) -> bool:
        """Whether other objects see the symbol."""
        return self.object.symbols.bind(symbol) != STB_LOCAL

    def name(self, symbol: int) -> str:
        """The symbol's name."""
        return self.object.symbols.name(symbol)

    def _names(self) -> dict[tuple[int, int], list[int]]:
        if self._named is None:
            self._named = {}
            symbols = self.object.symbols
            names, infos, _, _, values, _ = symbols.columns
            for index, section in enumerate(symbols.sections):
                if names[index] and section > 0 and infos[index] & 15 not in (STT_SECTION, STT_FILE):
                    self._named.setdefault((section, values[index]), []).append(index)
                    self._by_name.setdefault(symbols.name(index), []).append(index)
        return self._named


def place_of(entry: Entry, attribute: int) -> tuple[int, int]:
    """The form of an attribute that the entry has, and where its bytes start; of a block those behind its length."""
    unit = entry.unit
    _, place = uleb(unit.data, entry.offset)
    for found, form, constant in entry.abbreviation.attributes:
        if found == attribute:
            value, end = unit.value(form, constant, place)
            return form, end - len(value) if isinstance(value, memoryview) else place
        _, place = unit.value(form, constant, place)
    raise KeyError(attribute)
