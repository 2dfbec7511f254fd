"""The variables of a link, and what each is called however the compiler numbers it.

A variable that is not local is its name. A local one is its unit (the source file that the symbol table names), the
functions and namespaces around it, and its name in the source: `count.0` says nothing, since the compiler counts anew
each time, and two versions give one number to different variables. Only debug information knows the function around a
static local; without it a numbered name is an identity as long as there is one of that name in both versions.
"""

from __future__ import annotations

from struct import iter_unpack

from rtlinker.elf.constants import SHF_TLS, SHT_NOBITS, STT_FILE, STT_SECTION
from rtlinker.facts import Fact
from rtlinker.link.layout import DATA, LARGE, segment_of
from rtlinker.x86_64.rules import rule_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtlinker.bind.ctype import CType
    from rtlinker.dwarf.program import NamedVariable, Program
    from rtlinker.elf.object import Object
    from rtlinker.link.resolution import Resolution

VIRTUAL = ("_ZTV", "_ZTI", "_ZTS", "_ZTT", "_ZTC")
"""How the names begin of constants that C++ objects in memory point to (Itanium C++ ABI, Special Names)."""

Key = tuple[str, ...]
Reference = tuple[int, str, str, int]
"""A relocation within a variable: bytes from its start, the rule's name, what it names, the addend."""


class Variable(Fact):
    """A variable of a link: where it is defined, and what it is.

    `kind` is `data`, `thread`, `common` or `virtual` (a constant of VIRTUAL). `section` and `offset` say where it is
    in object number `object`; `symbols` are all symbols for that place, the first gives `symbol`. `size` is bytes.
    """

    key: Key
    name: str
    symbol: str
    kind: str
    object: int
    section: int
    offset: int
    size: int
    local: bool
    symbols: tuple[int, ...]
    ctype: CType | None
    place: str
    """`server.c:12`, or empty."""
    initial: bytes
    """What the file holds for it, before relocation; empty for what starts as zero."""
    references: tuple[Reference, ...]


def variables_of(resolution: Resolution, programs: dict[int, Program], units: dict[str, str]) -> list[Variable]:
    """The variables that a link defines, in the order of its objects.

    `programs` are what debug information says of the objects that have some; `units` gives units the name under which
    an earlier version knows them.
    """
    found: list[Variable] = []
    names = unit_names(resolution)
    for number in range(len(resolution.objects)):
        found += _Object(resolution, number, programs.get(number), names[number], units).variables()
    for block in resolution.commons.values():
        kind = "thread" if block.thread else "common"
        found.append(
            Variable(
                ("", block.name), block.name, block.name, kind, -1, -1, 0, block.size, False, (), None, "", b"", ()
            )
        )
    return found


def unit_names(resolution: Resolution) -> list[list[tuple[int, str]]]:
    """For each object, its units: the first symbol of each, and its name, with a number where two have one name."""
    seen: dict[str, int] = {}
    found = []
    for object in resolution.objects:
        symbols, mine = object.symbols, []
        for at in range(symbols.first_global):
            if symbols.type(at) == STT_FILE:
                name = symbols.name(at)
                seen[name] = seen.get(name, 0) + 1
                mine.append((at, name if seen[name] == 1 else f"{name}#{seen[name]}"))
        found.append(mine)
    return found


def pair_units(old: list[str], new: list[str]) -> dict[str, str]:
    """New units by the names of old ones: equal names, and a lone unit that was renamed."""
    pairs = {name: name for name in new if name in old}
    left, right = [name for name in old if name not in pairs], [name for name in new if name not in pairs]
    if len(left) == len(right) == 1:
        pairs[right[0]] = left[0]
    return pairs


class _Object:
    """One object's part of the list."""

    def __init__(
        self,
        resolution: Resolution,
        number: int,
        program: Program | None,
        units: list[tuple[int, str]],
        known: dict[str, str],
    ) -> None:
        self.object: Object = resolution.objects[number]
        self.number = number
        self.bound = resolution.bound[number]
        self.discarded = resolution.discarded[number]
        self.units = units
        self.known = known
        self.described: dict[tuple[int, int], NamedVariable] = {}
        for variable in program.variables if program else ():
            if variable.section is not None:
                self.described.setdefault((variable.section, variable.offset), variable)

    def variables(self) -> Iterator[Variable]:
        """Every variable that has a place."""
        places: dict[tuple[int, int], list[int]] = {}
        symbols = self.object.symbols
        kinds: dict[int, str] = {}
        for at, section in enumerate(symbols.sections):
            if section <= 0 or section in self.discarded or symbols.type(at) in {STT_SECTION, STT_FILE}:
                continue
            kind = kinds.get(section)
            if kind is None:
                kind = kinds[section] = self._kind(section)
            if not kind or at in self.bound:
                continue
            name = symbols.name(at)
            if name.startswith(".L") or (kind == "virtual" and not name.startswith(VIRTUAL)):
                continue
            places.setdefault((section, symbols.value(at)), []).append(at)
        ends = self._ends(list(places))
        for (section, offset), there in places.items():
            yield self._variable(kinds[section], section, offset, there, ends[section, offset])

    def _kind(self, section: int) -> str:
        sections = self.object.sections
        name, flags = sections.names[section], sections.flags[section]
        if section not in sections.allocated:
            return ""
        if flags & SHF_TLS:
            return "thread"
        if segment_of(name, flags) in {DATA, LARGE}:
            return "" if name.isidentifier() else "data"  # bounded by __start_X: an array made by the linker
        return "virtual"

    def _ends(self, places: list[tuple[int, int]]) -> dict[tuple[int, int], int]:
        """Where what begins at each place ends at the latest."""
        ends: dict[tuple[int, int], int] = {}
        places = sorted(places)
        for place, following in zip(places, [*places[1:], (-1, 0)]):
            same = following[0] == place[0]
            ends[place] = following[1] if same else self.object.sections.sizes[place[0]]
        return ends

    def _variable(self, kind: str, section: int, offset: int, there: list[int], end: int) -> Variable:
        object, symbols = self.object, self.object.symbols
        there.sort(key=lambda at: (at < symbols.first_global, at))  # a name for everybody comes first
        first = there[0]
        symbol, local = symbols.name(first), first < symbols.first_global
        size = max(symbols.symbol(at).size for at in there) or max(end - offset, 0)
        described = self.described.get((section, offset))
        name: str = symbol
        key: Key = ("", symbol)
        if local:
            name, key = self._identity(first, symbol, described)
        place = f"{described.file}:{described.line}" if described and described.file else ""
        held = object.sections.types[section] != SHT_NOBITS
        initial = object.content(section)[offset : offset + size] if held else b""
        references = self._references(section, offset, size) if held else ()
        ctype = described.type if described else None
        return Variable(
            key, name, symbol, kind, self.number, section, offset, size, local, tuple(there), ctype, place, initial,
            references,
        )  # fmt: skip

    def _identity(self, at: int, symbol: str, described: NamedVariable | None) -> tuple[str, Key]:
        unit = ""
        for first, name in self.units:
            if first < at:
                unit = name
        unit = self.known.get(unit, unit)
        if symbol.startswith("_Z") or described is None:
            base, _, number = symbol.rpartition(".")
            numbered = base and number.isdecimal() and not symbol.startswith("_Z")
            return symbol, ("numbered", unit, symbol, base) if numbered else ("static", unit, symbol)
        scope, name = described.scope[1:], described.name
        readable = "::".join([*scope, name])
        twin = f"#{described.ordinal} of {described.rivals}" if described.rivals > 1 else ""
        return readable + twin, ("static", unit, *scope, name + twin)

    def _references(self, section: int, offset: int, size: int) -> tuple[Reference, ...]:
        found = []
        for table in self.object.relocations:
            if table.section == section:
                for at, info, addend in iter_unpack("<QQq", table.table):
                    if offset <= at < offset + size:
                        named = self.object.symbol_title(info >> 32)
                        found.append((at - offset, rule_name(info & 0xFFFFFFFF), named, addend))
        return tuple(found)
