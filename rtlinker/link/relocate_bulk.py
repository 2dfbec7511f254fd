"""The array engine: one rule at a time over all relocations of an object, with numpy.

It does what `link.relocate` does, from the same rows, and tests/property/test_engines.py holds the two equal. The
letters of the distinct symbols of a rule come from `link.addresses`; those of the symbols that an object defines
itself, nearly all of them in a large object, are computed as one column. Every 64-bit number may be an address, so
whether a symbol has none, because its section was discarded, is a column of its own.

Rule by rule is not the order of the records. That only matters where sites overlap, which no compiler writes: such an
object is left to `link.relocate`, as is one with a site of 16 bytes.
"""

from __future__ import annotations

import numpy

from rtlinker.elf.index import section_array, symbol_array
from rtlinker.elf.object import ABSOLUTE
from rtlinker.link.addresses import Addresses
from rtlinker.link.relocate import Overflow, is_quiet, letter_value, relocate
from rtlinker.link.scan import lost_target
from rtlinker.units import signed64
from rtlinker.x86_64.relaxations import RELAXATIONS, RELAXED_ADDEND
from rtlinker.x86_64.rules import RULES, WORD64, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from rtlinker.link.columns import Bytes, Columns, Flags, Integers

    Column = tuple[Integers, Flags]
    """Signed numbers, and which of them are missing."""

FEW = 500
"""Up to so many sites of a rule, asking for each distinct symbol beats computing all symbols of the object."""

WIDTHS = numpy.array([RULES[kind].field.width if kind in RULES else 0 for kind in range(1 << 8)], dtype=numpy.int8)
"""Bytes that a rule writes."""

BEFORE = numpy.array([2 * (kind in RULES and RULES[kind].relaxable > 0) for kind in range(1 << 8)], dtype=numpy.int8)
"""Bytes before its site that a rule looks at and may rewrite: the opcode."""


def relocate_bulk(addresses: Addresses, number: int, columns: Columns, memory: memoryview) -> list[Overflow]:
    """Apply all relocations of object `number`; the sites whose value did not fit. As `relocate`, by arrays.

    `columns` are what `columns_of` made of the object; `memory` is the whole image.
    """
    sections = addresses.layout.sections[number]
    places = columns.of_tables([sections[table.section] for table in columns.tables])
    places += columns.offsets
    kinds = numpy.flatnonzero(numpy.bincount(columns.types, minlength=64)).tolist()
    groups = [(RULES[kind], numpy.flatnonzero(columns.types == kind)) for kind in kinds if RULES[kind].field.width]
    if any(rule.field.width > 8 for rule, _ in groups) or _overlap(columns, places, groups, len(memory)):
        return relocate(addresses, number, memory)
    image = numpy.frombuffer(memory, dtype=numpy.uint8)
    symbols = _SymbolColumns(addresses, number)
    overflows: list[Overflow] = []
    lost: list[int] = []
    for rule, chosen in groups:
        sites = _Sites(symbols, columns, rule, chosen, places[chosen])
        overflows += sites.apply(image)
        lost += sites.lost
    if lost:
        raise lost_target(addresses.resolution, number, columns.record(min(lost)))
    return overflows


def _overlap(columns: Columns, places: Integers, groups: list[tuple[Rule, Integers]], size: int) -> bool:
    """Whether two sites share a byte, their opcodes included where a rule looks at them."""
    crossing = places[1:] - places[:-1] < WIDTHS[columns.types[:-1]] + BEFORE[columns.types[1:]]
    crossing[columns.starts[1:] - 1] = False  # the next record is another section's
    if not crossing.any() and len({table.section for table in columns.tables}) == len(columns.tables):
        return False
    # records out of order: marking every byte and counting the marks is much quicker than sorting the sites
    marks, total = numpy.zeros(size, dtype=numpy.uint8), 0
    for rule, chosen in groups:
        at, before = places[chosen], 2 if rule.relaxable else 0
        if at.min() < before:
            return True
        _words(marks, rule.field.width)[at] = 0x0101010101010101 >> (64 - 8 * rule.field.width)
        if before:
            _words(marks, 2)[at - 2] = 0x0101
        total += len(at) * (rule.field.width + before)
    return int(numpy.count_nonzero(marks)) != total


class _SymbolColumns:
    """S and L of all symbols of an object, each computed when a rule first needs it."""

    def __init__(self, addresses: Addresses, number: int) -> None:
        self.addresses, self.number = addresses, number
        self._own: Column | None = None
        self._kept: dict[str, Column] = {}

    def column(self, rule: Rule, letter: str) -> Column:
        """The letter of every symbol."""
        name = f"direct {letter}" if rule.direct else letter
        if name not in self._kept:
            own, missing = self.own
            values, gone = own.copy(), missing.copy()
            special = list(self.addresses.resolution.bound[self.number])
            values[special], gone[special] = _column([self.letter(rule, symbol, letter) for symbol in special])
            self._kept[name] = values, gone
        return self._kept[name]

    @property
    def own(self) -> Column:
        """Where the object's own definitions are."""
        if self._own is None:
            object = self.addresses.resolution.objects[self.number]
            sections, values = section_array(object, numpy), symbol_array(object, numpy)["value"].astype(numpy.int64)
            starts = numpy.array(self.addresses.layout.sections[self.number], dtype=numpy.int64)
            block = self.addresses.layout.block
            if block is not None:
                starts[block.sections_of.get(self.number, [])] = -1
            inside, absolute = numpy.where(sections > 0, sections, 0), sections == ABSOLUTE
            own = numpy.where(absolute, values, starts[inside] + self.addresses.base + values)
            gone = ~absolute & ((sections <= 0) | (starts[inside] < 0))
            own[0], gone[0] = 0, False
            for symbol in self.addresses.resolution.indexes[self.number].ifuncs:
                if (self.number, symbol) in self.addresses.layout.ifuncs:
                    own[symbol] = self.addresses.of_own(self.number, symbol)
            self._own = own, gone
        return self._own

    def letter(self, rule: Rule, symbol: int, letter: str) -> int | None:
        """One letter of one symbol."""
        return letter_value(self.addresses, self.number, symbol, letter, rule.direct)

    def sum(self, rule: Rule, symbol: int) -> int | None:
        """The sum of a formula's letters that depend on the symbol."""
        total = 0
        for letter, sign in rule.of_symbol:
            value = self.letter(rule, symbol, letter)
            if value is None:
                return None
            total += sign * value
        return total


def _column(numbers: list[int | None]) -> Column:
    """Numbers modulo 2**64 as a column."""
    values = [0 if number is None else signed64(number) for number in numbers]
    gone = [number is None for number in numbers]
    return numpy.array(values, dtype=numpy.int64), numpy.array(gone, dtype=numpy.bool_)


class _Sites:
    """All sites of one rule: `chosen` are their positions in the columns, `places` their offsets in the image.

    `lost` are, once applied, the positions of those that refer to what has no place and may not.
    """

    def __init__(
        self, symbols: _SymbolColumns, columns: Columns, rule: Rule, chosen: Integers, places: Integers
    ) -> None:
        self.of, self.columns, self.rule = symbols, columns, rule
        self.chosen, self.places = chosen, places
        self.lost: list[int] = []
        self.symbols, self.addends = columns.symbols[chosen], columns.addends[chosen]

    def apply(self, image: Bytes) -> list[Overflow]:
        """Write every site that fits; the others become 0 and come back."""
        if self.rule.relaxable:
            self._relax(image)
        targets, gone = self._targets()
        if gone.any():
            self._check_gone(gone)
        values = targets + self.addends
        if self.rule.from_site:
            values -= self.of.addresses.base + self.places
        values[gone] = 0
        field = self.rule.field
        overflows: list[Overflow] = []
        if field is not WORD64:
            fits = (values >= field.lowest) & (values <= field.highest)
            if not fits.all():
                overflows = [self._overflow(at, int(values[at])) for at in numpy.flatnonzero(~fits).tolist()]
                values[~fits] = 0
        _scatter(image, self.places, values, field.width)
        return overflows

    def _overflow(self, at: int, value: int) -> Overflow:
        table, offset, info = self.columns.record(int(self.chosen[at]))
        return Overflow(self.of.number, table, offset, info, value)

    def _targets(self) -> Column:
        """The symbol's part of the formula for every site."""
        letters = [letter for letter, _ in self.rule.of_symbol]
        if letters in (["S"], ["L"]) and len(self.symbols) > FEW:
            values, gone = self.of.column(self.rule, letters[0])
            return values[self.symbols], gone[self.symbols]
        unique, inverse = numpy.unique(self.symbols, return_inverse=True)
        values, gone = _column([self.of.sum(self.rule, symbol) for symbol in unique.tolist()])
        return values[inverse], gone[inverse]

    def _check_gone(self, gone: Flags) -> None:
        """Only sections that describe code may refer to code that is not there."""
        names = self.of.addresses.resolution.objects[self.of.number].sections.names
        loud = self.columns.of_tables([not is_quiet(names[table.section]) for table in self.columns.tables])
        self.lost = self.chosen[gone & (loud[self.chosen] > 0)].tolist()

    def _relax(self, image: Bytes) -> None:
        """Rewrite the loads of known form whose target is in reach; the sites that remain need their slot."""
        at = self.places
        opcodes = image[at - 1].astype(numpy.int64) << 8 | image[at - 2]
        unique, inverse = numpy.unique(self.symbols, return_inverse=True)
        targets, gone = _column([self.of.letter(self.rule, symbol, "S") for symbol in unique.tolist()])
        values = targets[inverse] + RELAXED_ADDEND - self.of.addresses.base - at
        allowed = (self.addends == RELAXED_ADDEND) & (self.columns.offsets[self.chosen] >= self.rule.relaxable)
        allowed &= ~gone[inverse]
        done = numpy.zeros(len(at), dtype=bool)
        for relaxation in RELAXATIONS:
            moved = values - relaxation.shift
            fits = (moved >= -(1 << 31)) & (moved < 1 << 31)
            here = allowed & ~done & (opcodes & relaxation.mask == relaxation.value) & fits
            _scatter(image, at[here] + relaxation.shift, moved[here], 4)
            for position, byte in enumerate(relaxation.head, -2):
                image[at[here] + position] = byte
            for position, byte in enumerate(relaxation.tail, 4 + relaxation.shift):
                image[at[here] + position] = byte
            done |= here
        left = ~done
        self.chosen, self.places = self.chosen[left], self.places[left]
        self.symbols, self.addends = self.symbols[left], self.addends[left]


def _scatter(image: Bytes, at: Integers, values: Integers, width: int) -> None:
    """Write the low `width` bytes of each value, little-endian, wherever it belongs: sites need no alignment."""
    if len(at):
        _words(image, width)[at] = values.astype(f"<u{width}")


def _words(image: Bytes, width: int) -> NDArray[Any]:
    """The image as overlapping words: every byte starts one, so that a store at any offset is one unaligned word."""
    return numpy.ndarray((len(image) - width + 1,), f"<u{width}", image, strides=(1,))
