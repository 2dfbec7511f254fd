"""The native engine: the loops of `x86_64.kernels` over all records of an object, and Python for what they stop at.

It does what `link.scan` and `link.relocate` do one record at a time, and tests/property/test_engines.py holds the two
equal. Most of that is by construction: a loop does only plain records, and hands every other one to the same functions
that the scalar engine calls for all of them.
"""

from __future__ import annotations

import functools
from array import array
from struct import unpack_from

from rtlinker.elf.object import ABSOLUTE, Relocations
from rtlinker.host.routine import address_of, routines
from rtlinker.link.addresses import Addresses
from rtlinker.link.relocate import Overflow, letter_value, relocate_records
from rtlinker.link.resolution import InObject
from rtlinker.link.scope import Definition
from rtlinker.units import signed64
from rtlinker.x86_64.kernels import (
    DIRECT,
    PLACE_CODE,
    RELOCATE_CODE,
    ROWS,
    SCAN_CODE,
    SLOT,
    UNKNOWN,
    WIDTHS,
    L,
    S,
    number_of,
)
from rtlinker.x86_64.rules import RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.elf.object import Object
    from rtlinker.host.routine import Routine
    from rtlinker.link.resolution import Binding, Resolution

RECORD = 24
"""Bytes of an Elf64_Rela, and of an Elf64_Sym."""

TABLE = 5
"""Words of a table in a job."""

NUMBERS = {rule.number: number_of(rule) for rule in RULES.values()}
ALWAYS = sum([1 << rule.number for rule in RULES.values() if rule.sort != "object" or rule.needs_slot])
"""Rules that ask for something whatever their symbol is."""

ASKING = sum([1 << rule.number for rule in RULES.values() if rule.asks])
LOW = sum([1 << rule.number for rule in RULES.values() if rule.low])


@functools.cache
def _loops() -> list[Routine]:
    return routines((PLACE_CODE, SCAN_CODE, RELOCATE_CODE))


class Tables:
    """The relocation tables of an object's kept sections, as the loops want them."""

    def __init__(self, object: Object, discarded: frozenset[int]) -> None:
        self.object = object
        self.tables = [table for table in object.relocations if table.section not in discarded]
        self.start = address_of(object.data)

    def words(self, memory: int, base: int, places: Sequence[int]) -> array[int]:
        """Five words for each table; `places` are the sections' offsets in the image, `memory` where its bytes are."""
        start, offsets, sizes = self.start, self.object.sections.offsets, self.object.sections.sizes
        words: list[int] = []
        for table in self.tables:
            first, section = start + offsets[table.index], table.section
            place = places[section]
            words += first, first + len(table.table), memory + place, base + place, sizes[section]
        return array("Q", words)

    def at(self, words: array[int], job: array[int]) -> tuple[Relocations, int]:
        """The table at which a loop stopped, and where in its bytes."""
        which = (job[0] - words.buffer_info()[0]) // (8 * TABLE)
        return self.tables[which], job[2] - words[TABLE * which]


def asking_pairs(resolution: Resolution, number: int) -> tuple[list[tuple[int, int]], bool]:
    """The distinct (type, symbol) pairs of an object that can ask for something; and whether no record lies.

    Left out are sites of the object's own symbols that ask for nothing but, once, for low memory.
    """
    object = resolution.objects[number]
    tables = Tables(object, resolution.discarded[number])
    if not tables.tables:
        return [], True
    words = tables.words(0, 0, [0] * len(object.sections))
    seen = array("Q", bytes(8 * len(object.symbols)))
    first = words.buffer_info()[0]
    job = array("Q", [first, first + 8 * len(words), 0, len(object.symbols), address_of(seen), address_of(WIDTHS), 0])
    if _loops()[1](job):
        return [], False
    bound, wanted = resolution.bound[number], {}
    for symbol, meaning in bound.items():
        if isinstance(meaning, Definition) and seen[symbol] & ASKING:
            wanted[symbol] = seen[symbol] & ASKING
    if job[6] & ALWAYS:
        for symbol, kinds in enumerate(seen):
            if kinds & ALWAYS:
                wanted[symbol] = wanted.get(symbol, 0) | kinds & ALWAYS
    pairs = [(kind, symbol) for symbol, kinds in wanted.items() for kind in _bits(kinds)]
    if job[6] & LOW:
        pairs += _low_pair(object, seen, bound)
    return pairs, True


def _bits(word: int) -> list[int]:
    kinds = []
    while word:
        last = word & -word
        kinds.append(last.bit_length() - 1)
        word ^= last
    return kinds


def _low_pair(object: Object, seen: array[int], bound: dict[int, Binding]) -> list[tuple[int, int]]:
    """One site in 32 bits of something in the link that has an address; what is outside was asked for already."""
    for symbol, kinds in enumerate(seen):
        if not symbol or not kinds & LOW or isinstance(bound.get(symbol), Definition):
            continue
        if symbol in bound or object.symbols.section(symbol) != ABSOLUTE:
            return [(_bits(kinds & LOW)[0], symbol)]
    return []


def relocate_native(addresses: Addresses, number: int, memory: memoryview, known: dict[int, int]) -> list[Overflow]:
    """Apply all relocations of object `number`; the sites whose value did not fit. As `relocate`.

    `known` is empty at first and keeps addresses from one object of a link to the next.
    """
    object = addresses.resolution.objects[number]
    tables = Tables(object, addresses.resolution.discarded[number])
    if not tables.tables:
        return []
    words = tables.words(address_of(memory), addresses.base, addresses.layout.sections[number])
    numbers = _Numbers(addresses, number, known)
    first = words.buffer_info()[0]
    job = array(
        "Q",
        [first, first + 8 * len(words), words[0], len(object.symbols), numbers.values.buffer_info()[0],
         address_of(ROWS), UNKNOWN & 0xFFFFFFFFFFFFFFFF],
    )  # fmt: skip
    overflows: list[Overflow] = []
    loop = _loops()[2]
    while loop(job):
        table, at = tables.at(words, job)
        if not numbers.learn(unpack_from("<Q", table.table, at + 8)[0]):
            one = Relocations(table.section, table.table[at : at + RECORD], table.index)
            overflows += relocate_records(addresses, number, one, memory)
            job[2] += RECORD
    return overflows


class _Numbers:
    """Four numbers for each symbol of an object; those that are not plain are learned when a site asks for them."""

    def __init__(self, addresses: Addresses, number: int, known: dict[int, int]) -> None:
        self.addresses, self.number = addresses, number
        object = addresses.resolution.objects[number]
        count = len(object.symbols)
        self.values = array("q", bytes(32 * count))
        base, block = addresses.base, addresses.layout.block
        starts = [UNKNOWN if place < 0 else base + place for place in addresses.layout.sections[number]]
        for section in block.sections_of.get(number, ()) if block else ():
            starts[section] = UNKNOWN
        sections = array("q", starts)
        symbols = address_of(object.symbols.table)
        mask = 0xFFFFFFFFFFFFFFFF
        job = array(
            "Q",
            [symbols, symbols + RECORD * count, sections.buffer_info()[0], len(starts),
             self.values.buffer_info()[0], UNKNOWN & mask],
        )  # fmt: skip
        _loops()[0](job)
        self.values[0:3] = array("q", (0, 0, 0))
        unknown, values = array("q", (UNKNOWN,) * 4), self.values
        for symbol in addresses.resolution.indexes[number].ifuncs:
            values[4 * symbol : 4 * symbol + 4] = unknown
        for symbol, meaning in addresses.resolution.bound[number].items():
            at = 4 * symbol
            values[at : at + 4] = unknown
            if isinstance(meaning, InObject):  # then S, L and the direct S are one where everything reaches it
                address = known.get(id(meaning))
                if address is None:
                    address = addresses.of_place(meaning) or 0
                    known[id(meaning)] = address = address if address > 0 and addresses.reaches(address) else UNKNOWN
                values[at] = values[at + 1] = values[at + 2] = address

    def learn(self, info: int) -> bool:
        """Find out what a site of this kind wants to know of its symbol; false when that is not why it was left."""
        rule, symbol = RULES[info & 0xFFFFFFFF], info >> 32
        which = NUMBERS[rule.number]
        if which is None:
            return False
        known = self._put(symbol, which)
        return (rule.relaxable > 0 and self._put(symbol, S)) or known

    def _put(self, symbol: int, which: int) -> bool:
        """Fill one number in; false when it is there, or nobody has it."""
        at = 4 * symbol + which
        if self.values[at] != UNKNOWN:
            return False
        value = letter_value(self.addresses, self.number, symbol, _LETTERS[which], which == DIRECT)
        if value is None:
            return False
        self.values[at] = signed64(value + self.addresses.got if which == SLOT else value)
        return self.values[at] != UNKNOWN


_LETTERS = {S: "S", L: "L", DIRECT: "S", SLOT: "G"}
