"""Relocations to demands: which symbols need a slot, a stub, a place in reach, a mirror. Nothing is placed yet.

This is also where the records of the relocation tables are checked, before any byte is written: every site lies in
its section, every symbol index in the symbol table, every type is one that an object may contain.

A reference to something outside of the link may turn out too far for its field, and where the image will be is not
known yet. So every function outside that is called gets a stub, and every datum outside that is reached directly
gets room for a mirror; whether they are used is settled when addresses are known (`link.settle`).
"""

from __future__ import annotations

from struct import iter_unpack

from rtlinker.arrays import arrays_for
from rtlinker.elf.constants import SHF_ALLOC, SHF_TLS
from rtlinker.elf.index import section_array
from rtlinker.elf.object import ABSOLUTE, Object, Relocations
from rtlinker.errors import BadObjectError, LinkError, RelocationError, UnsupportedError
from rtlinker.facts import Fact
from rtlinker.link.resolution import Key, LinkerDefined, Resolution
from rtlinker.link.scope import Definition
from rtlinker.x86_64.rules import RULES, Rule, rule_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from numpy.typing import NDArray

    from rtlinker.link.resolution import Binding


class Demand(Fact):
    """What the relocations of a link ask for, in the order of objects and symbols.

    `slots` need a GOT word and `stubs` may need a far jump: each with one (object, symbol) that stands for the key.
    `direct` are definitions outside of the link that are reached in 32 bits. `low` is a site that asks for the low
    2 GiB, or None: the object's number, the table, and the relocation's r_info.
    """

    slots: dict[Key, tuple[int, int]]
    stubs: dict[Key, tuple[int, int]]
    direct: dict[Key, Definition]
    low: tuple[int, Relocations, int] | None


NEEDS_LOOK = frozenset(
    rule.number for rule in RULES.values() if rule.sort != "object" or rule.needs_slot or rule.needs_stub or rule.direct
)
"""The rules for which a site can ask for something; the others need only the checks."""


def scan(resolution: Resolution, engine: str = "auto") -> Demand:
    """What every relocation of the kept sections asks for.

    Raises BadObjectError for a record that lies or a type that only a dynamic linker handles, UnsupportedError for a
    type this version does not do.
    """
    collector = _Collector(resolution)
    for number, object in enumerate(resolution.objects):
        _refuse_tls(object, resolution.discarded[number])
        _refuse_ifuncs(object, resolution.indexes[number].ifuncs)
        collector.enter(number)
        for table in object.relocations:
            if table.section in resolution.discarded[number]:
                continue
            numpy = arrays_for(len(table.table) // 24, engine)
            if numpy:
                bound = resolution.bound[number]
                kinds = _kinds_by_arrays(object, table, bound, numpy)
            else:
                kinds = _kinds(object, table)
            for rule, symbol in kinds:
                collector.look(rule, symbol, table)
    return collector.demand()


def _kinds(object: Object, table: Relocations) -> list[tuple[int, int]]:
    """The distinct (type, symbol) pairs of a table that need a look; every record is checked."""
    size, count = object.sections.sizes[table.section], len(object.symbols)
    rules, look = RULES, NEEDS_LOOK
    seen: dict[int, None] = {}
    for offset, info, _ in iter_unpack("<QQq", table.table):
        rule = rules.get(info & 0xFFFFFFFF)
        if rule is None or offset + rule.field.width > size or info >> 32 >= count:
            raise bad_record(object, table, offset, info)
        if info & 0xFFFFFFFF in look:
            seen[info] = None
    return [(info & 0xFFFFFFFF, info >> 32) for info in seen]


def _kinds_by_arrays(
    object: Object, table: Relocations, bound: dict[int, Binding], numpy: ModuleType
) -> list[tuple[int, int]]:
    """As `_kinds`, by columns, less pairs that ask for nothing: direct sites of the object's own symbols."""
    records = numpy.frombuffer(table.table, dtype=[("offset", "<u8"), ("info", "<u8"), ("addend", "<i8")])
    infos = numpy.ascontiguousarray(records["info"])
    types, symbols = infos.astype(numpy.uint32), (infos >> 32).astype(numpy.int64)
    _check_by_arrays(object, table, records, numpy)
    outside = numpy.zeros(len(object.symbols), dtype=bool)
    outside[[symbol for symbol, meaning in bound.items() if isinstance(meaning, Definition)]] = True
    slotted = numpy.zeros(64, dtype=bool)
    slotted[[number for number in NEEDS_LOOK if RULES[number].needs_slot or RULES[number].sort != "object"]] = True
    asking = numpy.flatnonzero(outside[symbols] | slotted[types])
    pairs = numpy.unique(infos[asking]).tolist()
    places = (~outside & (section_array(object, numpy) != ABSOLUTE))[symbols] & (symbols > 0)
    for number in (number for number, rule in RULES.items() if rule.low):
        pairs += infos[
            numpy.flatnonzero(places & (types == number))[:1]
        ].tolist()  # one is enough to ask for low memory
    return [(info & 0xFFFFFFFF, info >> 32) for info in pairs if info & 0xFFFFFFFF in NEEDS_LOOK]


def _check_by_arrays(object: Object, table: Relocations, records: NDArray[Any], numpy: ModuleType) -> None:
    """Every record names a rule and a symbol that exist, and a site inside the section."""
    size, count = object.sections.sizes[table.section], len(object.symbols)
    offsets, infos = numpy.ascontiguousarray(records["offset"]), numpy.ascontiguousarray(records["info"])
    types = infos.astype(numpy.uint32)
    widths = numpy.full(65, 1 << 62, dtype=numpy.uint64)
    for rule in RULES.values():
        widths[rule.number] = rule.field.width
    ends = offsets + widths[numpy.minimum(types, 64)]
    bad = (ends > size) | (offsets > size) | ((infos >> 32) >= count)
    if bad.any():
        at = int(bad.argmax())
        raise bad_record(object, table, int(offsets[at]), int(infos[at]))


def bad_record(object: Object, table: Relocations, offset: int, info: int) -> BadObjectError:
    """Why a relocation record cannot be true."""
    section = object.sections.names[table.section]
    where = f"{section}+{offset:#x}"
    number, symbol = info & 0xFFFFFFFF, info >> 32
    if number not in RULES:
        return BadObjectError(object.name, "relocation type that the psABI does not have", f"type {number}", where)
    if symbol >= len(object.symbols):
        found = f"symbol {symbol} of {len(object.symbols)}"
        return BadObjectError(object.name, "relocation against a symbol that is not there", found, where)
    found = f"{rule_name(number)}, section of {object.sections.sizes[table.section]:#x} bytes"
    return BadObjectError(object.name, "relocation outside its section", found, where)


def _refuse_tls(object: Object, discarded: frozenset[int]) -> None:
    for index in object.sections.allocated:
        if object.sections.flags[index] & SHF_TLS and object.sections.sizes[index] and index not in discarded:
            raise UnsupportedError(
                "thread-local storage",
                "thread-local variables are not supported yet",
                [("file", object.name), ("section", object.sections.names[index])],
            )


def _refuse_ifuncs(object: Object, ifuncs: tuple[int, ...]) -> None:
    for symbol in ifuncs:
        if object.symbols.section(symbol):
            raise UnsupportedError(
                "ifunc",
                "indirect functions (ifunc) are not supported yet",
                [("file", object.name), ("symbol", object.symbols.name(symbol))],
            )


class _Collector:
    """Gathers what the sites ask for."""

    def __init__(self, resolution: Resolution) -> None:
        self.resolution = resolution
        self.slots: dict[Key, tuple[int, int]] = {}
        self.stubs: dict[Key, tuple[int, int]] = {}
        self.direct: dict[Key, Definition] = {}
        self.low: tuple[int, Relocations, int] | None = None
        self.number = -1

    def enter(self, number: int) -> None:
        """From here on the sites are those of object `number`."""
        self.number = number

    def look(self, number: int, symbol: int, table: Relocations) -> None:
        """One kind of site: a rule together with a symbol."""
        rule, resolution = RULES[number], self.resolution
        object = resolution.objects[self.number]
        if rule.sort != "object":
            raise _refused(object, table, rule, symbol)
        meaning = resolution.bound[self.number].get(symbol)
        if rule.needs_slot:
            self.slots.setdefault(key_of(object, self.number, symbol), (self.number, symbol))
        if isinstance(meaning, Definition) and (rule.needs_stub or rule.direct):
            key = key_of(object, self.number, symbol)
            self.stubs.setdefault(key, (self.number, symbol))
            if rule.direct and meaning.kind != "constant":
                self.direct[key] = meaning
        if rule.low and self.low is None and self._is_place(object, symbol, meaning):
            self.low = self.number, table, symbol << 32 | number

    def _is_place(self, object: Object, symbol: int, meaning: object) -> bool:
        """Whether the symbol is an address, which low memory can bring in reach, and not a number."""
        if isinstance(meaning, Definition):
            return meaning.kind != "constant"
        if isinstance(meaning, LinkerDefined) or meaning is not None:
            return True
        return symbol != 0 and object.symbols.section(symbol) != ABSOLUTE

    def demand(self) -> Demand:
        """All that was gathered, in the order of objects and their symbols, whichever engine looked."""
        slots = dict(sorted(self.slots.items(), key=_where))
        stubs = dict(sorted(self.stubs.items(), key=_where))
        direct = {key: self.direct[key] for key in stubs if key in self.direct}
        return Demand(slots, stubs, direct, self.low)


def _where(entry: tuple[Key, tuple[int, int]]) -> tuple[int, int]:
    return entry[1]


def key_of(object: Object, number: int, symbol: int) -> Key:
    """What identifies a symbol across the objects of a link."""
    if symbol < object.symbols.first_global:
        return number, symbol
    return object.symbols.name(symbol)


def first_site(object: Object, table: Relocations, info: int) -> str:
    """The first place of a table with this r_info, as people read it."""
    offset = next(at for at, there, _ in iter_unpack("<QQq", table.table) if there == info)
    return object.site_title(table.section, offset)


def _refused(object: Object, table: Relocations, rule: Rule, symbol: int) -> Exception:
    site, target = first_site(object, table, symbol << 32 | rule.number), object.symbol_title(symbol)
    if rule.sort == "tls":
        return UnsupportedError(
            "thread-local storage",
            "thread-local variables are not supported yet",
            [("site", site), ("rule", rule.name), ("target", target)],
        )
    return BadObjectError(object.name, "relocation that only a dynamic linker handles", rule.name, site)


def lost_target(object: Object, table: Relocations, offset: int, rule: Rule, symbol: int) -> LinkError:
    """A kept section refers to something that has no place: discarded, not loaded, or not defined at all."""
    site, title = object.site_title(table.section, offset), object.symbol_title(symbol)
    section = object.symbols.section(symbol)
    if section <= 0:
        return BadObjectError(object.name, "relocation against a local symbol without a place", title, site)
    if not object.sections.flags[section] & SHF_ALLOC:
        headline, hint = "reference into a section that is not loaded", "only sections with SHF_ALLOC take memory"
    else:
        headline = "reference into a discarded COMDAT section"
        hint = "the objects were compiled from different versions of the same inline code"
    return RelocationError(headline, site, str(rule), title, [("section", object.sections.names[section])], hint)
