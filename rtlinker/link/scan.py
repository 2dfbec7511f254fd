"""Relocations to demands: which symbols need a slot, a stub, a place in reach, a mirror. Nothing is placed yet.

This is also where the records of the relocation tables are checked, before any byte is written: every site lies in
its section, every symbol index in the symbol table, every type is one that an object may contain.

A reference to something outside of the link may turn out too far for its field, and where the image will be is not
known yet. So every function outside that is called gets a stub, and every datum outside that is reached directly
gets room for a mirror; whether they are used is settled when addresses are known (`link.outside`).
"""

from __future__ import annotations

from struct import iter_unpack

from rtlinker.arrays import arrays_for
from rtlinker.elf.constants import SHF_ALLOC, SHF_TLS
from rtlinker.elf.object import ABSOLUTE, Object, Relocations
from rtlinker.errors import BadObjectError, LinkError, RelocationError, UnsupportedError
from rtlinker.facts import Fact
from rtlinker.link.resolution import Key, Resolution
from rtlinker.link.scope import Definition
from rtlinker.x86_64.rules import RULES, Rule, rule_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.link.columns import Columns


class Demand(Fact):
    """What the relocations of a link ask for, in the order of objects and symbols.

    `slots` need a GOT word and `stubs` may need a far jump: each with one (object, symbol) that stands for the key.
    `direct` are definitions outside of the link that are reached in 32 bits. `low` is a site that asks for the low
    2 GiB, or None: the object's number and the relocation's r_info.
    """

    slots: dict[Key, tuple[int, int]]
    stubs: dict[Key, tuple[int, int]]
    direct: dict[Key, Definition]
    low: tuple[int, int] | None
    sized: dict[Key, Definition]
    """Definitions outside of the link whose size a site holds and that did not come with one."""


def scan(resolution: Resolution, engine: str = "auto", decoded: dict[int, Columns] | None = None) -> Demand:
    """What every relocation of the kept sections asks for.

    `decoded` takes the columns of the objects that the array engine looked at, by object number, for later stages.
    Raises BadObjectError for a record that lies or a type that only a dynamic linker handles, UnsupportedError for a
    type this version does not do.
    """
    collector = _Collector(resolution)
    for number, object in enumerate(resolution.objects):
        _refuse_tls(object, resolution.discarded[number])
        _refuse_ifuncs(object, resolution.indexes[number].ifuncs)
        if arrays_for(object.sites, engine):
            pairs = _pairs_by_arrays(resolution, number, {} if decoded is None else decoded)
        else:
            pairs = _pairs(object, resolution.discarded[number])
        for rule, symbol in pairs:
            collector.look(number, rule, symbol)
    return collector.demand()


def _pairs(object: Object, discarded: frozenset[int]) -> list[tuple[int, int]]:
    """The distinct (type, symbol) pairs of an object that need a look; every record is checked."""
    count = len(object.symbols) << 32
    known: dict[int, int] = {}
    for table in object.relocations:
        if table.section in discarded:
            continue
        size = object.sections.sizes[table.section]
        for offset, info, _ in iter_unpack("<QQq", table.table):
            width = known.get(info)
            if width is None:
                rule = RULES.get(info & 0xFFFFFFFF)
                if rule is None or info >= count:
                    raise bad_record(object, table, offset, info)
                width = known[info] = rule.field.width
            if offset + width > size:
                raise bad_record(object, table, offset, info)
    return [(info & 0xFFFFFFFF, info >> 32) for info in known if RULES[info & 0xFFFFFFFF].asks]


def _pairs_by_arrays(resolution: Resolution, number: int, decoded: dict[int, Columns]) -> list[tuple[int, int]]:
    """The same by columns."""
    from rtlinker.link.columns import columns_of
    from rtlinker.link.scan_bulk import asking_pairs, bad_position

    object = resolution.objects[number]
    columns = decoded[number] = columns_of(object, resolution.discarded[number])
    bad = bad_position(object, columns)
    if bad is not None:
        raise bad_record(object, *columns.record(bad))
    return asking_pairs(object, columns, resolution.bound[number])


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
        self.low: tuple[int, int] | None = None
        self.sized: dict[Key, Definition] = {}

    def look(self, number: int, type: int, symbol: int) -> None:
        """One kind of site of object `number`: a rule together with a symbol."""
        rule, object = RULES[type], self.resolution.objects[number]
        if rule.sort != "object":
            raise _refused(object, self.resolution.discarded[number], rule, symbol)
        meaning = self.resolution.bound[number].get(symbol)
        if rule.needs_slot:
            _first(self.slots, key_of(object, number, symbol), (number, symbol))
        if isinstance(meaning, Definition) and (rule.needs_stub or rule.direct):
            key = key_of(object, number, symbol)
            _first(self.stubs, key, (number, symbol))
            if rule.direct and meaning.kind != "constant":
                self.direct[key] = meaning
        if isinstance(meaning, Definition) and "Z" in rule.terms and not meaning.size and meaning.kind != "constant":
            self.sized[key_of(object, number, symbol)] = meaning
        if rule.low and self.low is None and self._is_place(object, symbol, meaning):
            self.low = number, symbol << 32 | type

    def _is_place(self, object: Object, symbol: int, meaning: object) -> bool:
        """Whether the symbol is an address, which low memory can bring in reach, and not a number."""
        if isinstance(meaning, Definition):
            return meaning.kind != "constant"
        if meaning is not None:
            return True
        return symbol != 0 and object.symbols.section(symbol) != ABSOLUTE

    def demand(self) -> Demand:
        """All that was gathered, in the order of objects and their symbols, whichever engine looked."""
        slots = dict(sorted(self.slots.items(), key=_where))
        stubs = dict(sorted(self.stubs.items(), key=_where))
        direct = {key: self.direct[key] for key in stubs if key in self.direct}
        sized = dict(sorted(self.sized.items(), key=lambda entry: str(entry[0])))
        return Demand(slots, stubs, direct, self.low, sized)


def _first(demands: dict[Key, tuple[int, int]], key: Key, where: tuple[int, int]) -> None:
    """Let the earliest symbol of a key stand for it: the engines meet symbols in different orders."""
    if where < demands.get(key, (where[0] + 1, 0)):
        demands[key] = where


def _where(entry: tuple[Key, tuple[int, int]]) -> tuple[int, int]:
    return entry[1]


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


def _refused(object: Object, discarded: frozenset[int], rule: Rule, symbol: int) -> Exception:
    site, target = first_site(object, discarded, symbol << 32 | rule.number), object.symbol_title(symbol)
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
