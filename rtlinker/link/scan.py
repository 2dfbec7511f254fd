"""Relocations to demands: which symbols need a slot, a stub, a place in reach, a mirror. Nothing is placed yet.

This is also where the records of the relocation tables are checked, before any byte is written: every site lies in
its section, every symbol index in the symbol table, every type is one that an object may contain.

A reference to something outside of the link may turn out too far for its field, and where the image will be is not
known yet. So every function outside that is called gets a stub, and every datum outside that is reached directly
gets room for a mirror; whether they are used is settled when addresses are known (`link.outside`).
"""

from __future__ import annotations

from struct import iter_unpack

from rtlinker.elf.constants import SHF_ALLOC, SHF_EXECINSTR
from rtlinker.elf.object import ABSOLUTE, Object, Relocations
from rtlinker.engines import is_native
from rtlinker.errors import BadObjectError, LinkError, RelocationError, UnsupportedError
from rtlinker.facts import Fact
from rtlinker.link.resolution import InObject, Key, Resolution
from rtlinker.link.scan_sites import first_site, key_of
from rtlinker.link.scope import Definition
from rtlinker.link.thread_block import NO_DEMAND, ThreadDemand
from rtlinker.x86_64.rules import RULES, Rule, rule_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.link.scan_threads import ThreadCollector


STACK_NOTE = ".note.GNU-stack"
"""A section without contents whose flags say whether the object's code runs on the stack."""


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
    ifuncs: tuple[tuple[int, int], ...] = ()
    """(object, symbol) of each indirect function of the link."""
    indirect: tuple[tuple[int, int, int], ...] = ()
    """(object, section, offset) of each word that is to hold what the function it names returns (IRELATIVE)."""
    threads: ThreadDemand = NO_DEMAND


def scan(resolution: Resolution, engine: str = "auto") -> Demand:
    """What every relocation of the kept sections asks for.

    Raises BadObjectError for a record that lies or a type that only a dynamic linker handles, UnsupportedError for a
    type this version does not do.
    """
    collector = _Collector(resolution)
    for number, object in enumerate(resolution.objects):
        collector.take_ifuncs(number)
        _refuse_executable_stack(object)
        if is_native(object.sites, engine):
            _scan_native(collector, number)
        else:
            _scan_pairs(collector, number)
    return collector.demand()


def _scan_pairs(collector: _Collector, number: int) -> None:
    resolution = collector.resolution
    for rule, symbol in _pairs(resolution.objects[number], resolution.discarded[number]):
        collector.look(number, rule, symbol)


def _scan_native(collector: _Collector, number: int) -> None:
    """The same by loops of machine code, which find the pairs in another order: the first to refuse is found again."""
    from rtlinker.link.native import asking_pairs

    pairs, good = asking_pairs(collector.resolution, number)
    try:
        for rule, symbol in pairs:
            collector.look(number, rule, symbol)
    except LinkError:
        good = False
    if not good:
        _scan_pairs(collector, number)


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


def _refuse_executable_stack(object: Object) -> None:
    """Code that runs on the stack, as gcc's trampolines for nested functions do, dies at the first call of it.

    An object without the section says nothing; ld assumes the worst of it, and hand-written assembly means the best.
    """
    names = object.sections.names
    if STACK_NOTE in names and object.sections.flags[names.index(STACK_NOTE)] & SHF_EXECINSTR:
        raise UnsupportedError(
            "executable stack",
            "object needs an executable stack, which nothing here has",
            [("file", object.name), ("section", f"{STACK_NOTE} with SHF_EXECINSTR")],
            "pass data to callbacks by a parameter: gcc puts code on the stack for nested functions",
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
        self.ifuncs: list[tuple[int, int]] = []
        self.indirect: list[tuple[int, int, int]] = []
        self.threads: ThreadCollector | None = None

    def take_ifuncs(self, number: int) -> None:
        """Note the indirect functions that an object defines. Raises BadObjectError for one that is not in code."""
        object, discarded = self.resolution.objects[number], self.resolution.discarded[number]
        for symbol in self.resolution.indexes[number].ifuncs:
            section = object.symbols.section(symbol)
            overruled = section > 0 and symbol in self.resolution.bound[number]  # its name means another definition
            if not section or section in discarded or overruled:
                continue
            if section < 0 or not _is_code(object, section, object.symbols.value(symbol)):
                found = object.sections.names[section] if section > 0 else "no section"
                where = object.symbol_title(symbol)
                raise BadObjectError(object.name, "indirect function without code", found, where)
            self.ifuncs.append((number, symbol))

    def look(self, number: int, type: int, symbol: int) -> None:
        """One kind of site of object `number`: a rule together with a symbol."""
        rule, object = RULES[type], self.resolution.objects[number]
        if rule.sort == "indirect":
            self.indirect += _sites_of(object, self.resolution.discarded[number], number, symbol << 32 | type)
        elif rule.sort == "tls":
            if self.threads is None:
                from rtlinker.link.scan_threads import ThreadCollector

                self.threads = ThreadCollector(self.resolution)
            self.threads.look(number, rule, symbol)
            return
        elif rule.sort != "object":
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
        indirect = tuple(sorted(self.indirect))
        threads = self.threads.demand() if self.threads else NO_DEMAND
        return Demand(slots, stubs, direct, self.low, sized, tuple(self.ifuncs), indirect, threads)


def _is_code(object: Object, section: int, value: int) -> bool:
    """Whether there is code `value` bytes into the section."""
    return bool(object.sections.flags[section] & SHF_EXECINSTR) and value < object.sections.sizes[section]


def _first(demands: dict[Key, tuple[int, int]], key: Key, where: tuple[int, int]) -> None:
    """Let the earliest symbol of a key stand for it: the engines meet symbols in different orders."""
    if where < demands.get(key, (where[0] + 1, 0)):
        demands[key] = where


def _where(entry: tuple[Key, tuple[int, int]]) -> tuple[int, int]:
    return entry[1]


def _sites_of(object: Object, discarded: frozenset[int], number: int, info: int) -> list[tuple[int, int, int]]:
    """Every (object, section, offset) with this r_info. Raises BadObjectError for one in code, which is read-only."""
    sites = [
        (number, table.section, offset)
        for table in object.relocations
        if table.section not in discarded
        for offset, there, _ in iter_unpack("<QQq", table.table)
        if there == info
    ]
    for _, section, offset in sites:
        if object.sections.flags[section] & SHF_EXECINSTR:
            place = object.site_title(section, offset)
            raise BadObjectError(object.name, "address chosen at run time in code", rule_name(info & 0xFFFFFFFF), place)
    return sites


def _refused(object: Object, discarded: frozenset[int], rule: Rule, symbol: int) -> BadObjectError:
    site = first_site(object, discarded, symbol << 32 | rule.number)
    return BadObjectError(object.name, "relocation that only a dynamic linker handles", rule.name, site)


def lost_target(resolution: Resolution, number: int, record: tuple[Relocations, int, int]) -> LinkError:
    """A kept section refers to something that has no place: discarded, not loaded, thread-local or not defined at all.

    The record is its table, offset in the section and r_info.
    """
    from rtlinker.link.scan_threads import is_thread_local

    (table, offset, info), object = record, resolution.objects[number]
    rule, symbol = RULES[info & 0xFFFFFFFF], info >> 32
    site, title = object.site_title(table.section, offset), object.symbol_title(symbol)
    meaning = resolution.bound[number].get(symbol) or InObject(number, symbol)
    if is_thread_local(resolution, meaning) and rule.sort != "tls":
        headline, hint = "address of a thread-local variable", "each thread has its own: declare it thread-local here"
        return RelocationError(headline, site, str(rule), title, hint=hint)
    if isinstance(meaning, InObject):
        object, symbol = resolution.objects[meaning.object], meaning.symbol
    section = object.symbols.section(symbol)
    if section <= 0:
        return BadObjectError(object.name, "relocation against a local symbol without a place", title, site)
    if not object.sections.flags[section] & SHF_ALLOC:
        headline, hint = "reference into a section that is not loaded", "only sections with SHF_ALLOC take memory"
    else:
        headline = "reference into a discarded COMDAT section"
        hint = "the objects were compiled from different versions of the same inline code"
    return RelocationError(headline, site, str(rule), title, [("section", object.sections.names[section])], hint)
