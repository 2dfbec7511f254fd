"""The array engine: one rule at a time over all relocations of an object, with numpy.

It does what `link.relocate` does, from the same rows, and tests/property/test_engines.py holds the two equal. The
letters of the distinct symbols of a rule come from `link.addresses`; those of the symbols that an object defines
itself, nearly all of them in a large object, are computed as one column.
"""

from __future__ import annotations

import numpy

from rtlinker.elf.index import section_array, symbol_array
from rtlinker.elf.object import ABSOLUTE
from rtlinker.link.addresses import REACH, Addresses
from rtlinker.link.relocate import QUIET, Overflow, letter_value
from rtlinker.link.scan import lost_target
from rtlinker.units import signed64
from rtlinker.x86_64.relaxations import RELAXATIONS, RELAXED_ADDEND
from rtlinker.x86_64.rules import RULES, WORD64, Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.link.columns import Bytes, Columns, Flags, Integers

FEW = 500
"""Up to so many sites of a rule, asking for each distinct symbol beats computing all symbols of the object."""

GONE = -(1 << 63)
"""In a column of addresses: the symbol's section was discarded."""


def relocate_bulk(addresses: Addresses, number: int, columns: Columns, memory: memoryview) -> list[Overflow]:
    """Apply all relocations of object `number`; the sites whose value did not fit. As `relocate`, by arrays.

    `columns` are what `columns_of` made of the object; `memory` is the whole image.
    """
    image = numpy.frombuffer(memory, dtype=numpy.uint8)
    sections = addresses.layout.sections[number]
    places = columns.of_tables([sections[table.section] for table in columns.tables])
    places += columns.offsets
    symbols = _SymbolColumns(addresses, number)
    overflows: list[Overflow] = []
    for kind in numpy.flatnonzero(numpy.bincount(columns.types, minlength=64)).tolist():
        rule = RULES[kind]
        if rule.field.width:
            chosen = numpy.flatnonzero(columns.types == kind)
            sites = _Sites(symbols, columns, rule, chosen, places[chosen])
            overflows += sites.apply(image)
    return overflows


class _SymbolColumns:
    """S and L of all symbols of an object, each computed when a rule first needs it."""

    def __init__(self, addresses: Addresses, number: int) -> None:
        self.addresses, self.number = addresses, number
        self._own: Integers | None = None
        self._kept: dict[str, Integers] = {}

    def column(self, rule: Rule, letter: str) -> Integers:
        """The letter of every symbol, as a signed number; GONE where there is none."""
        name = f"direct {letter}" if rule.direct else letter
        if name not in self._kept:
            column = self.own.copy()
            special = set(self.addresses.resolution.bound[self.number])
            if letter == "L":
                special.update(numpy.flatnonzero((column != GONE) & ~self._reached(column)).tolist())
            for symbol in special:
                column[symbol] = self.letter(rule, symbol, letter)
            self._kept[name] = column
        return self._kept[name]

    @property
    def own(self) -> Integers:
        """Where the object's own definitions are."""
        if self._own is None:
            object = self.addresses.resolution.objects[self.number]
            sections, values = section_array(object, numpy), symbol_array(object, numpy)["value"].astype(numpy.int64)
            starts = numpy.array(self.addresses.layout.sections[self.number], dtype=numpy.int64)
            starts = numpy.where(starts < 0, GONE, starts + self.addresses.base)
            starts[0] = GONE
            own = starts[numpy.where(sections > 0, sections, 0)]
            own = numpy.where(own == GONE, GONE, own + values)
            own = numpy.where(sections == ABSOLUTE, values, own)
            own[0] = 0
            self._own = own
        return self._own

    def letter(self, rule: Rule, symbol: int, letter: str) -> int:
        """One letter of one symbol."""
        value = letter_value(self.addresses, self.number, symbol, letter, rule.direct)
        return GONE if value is None else signed64(value)

    def sum(self, rule: Rule, symbol: int) -> int:
        """The sum of a formula's letters that depend on the symbol."""
        total = 0
        for letter, sign in rule.of_symbol:
            value = letter_value(self.addresses, self.number, symbol, letter, rule.direct)
            if value is None:
                return GONE
            total += sign * value
        return signed64(total)

    def _reached(self, column: Integers) -> Flags:
        """`Addresses.reaches` for a column."""
        base = self.addresses.base
        return (base + self.addresses.layout.large_from - REACH < column) & (column < base + REACH - 16)


class _Sites:
    """All sites of one rule: `chosen` are their positions in the columns, `places` their offsets in the image."""

    def __init__(
        self, symbols: _SymbolColumns, columns: Columns, rule: Rule, chosen: Integers, places: Integers
    ) -> None:
        self.of, self.columns, self.rule = symbols, columns, rule
        self.chosen, self.places = chosen, places
        self.symbols, self.addends = columns.symbols[chosen], columns.addends[chosen]

    def apply(self, image: Bytes) -> list[Overflow]:
        """Write every site that fits; the others come back."""
        if self.rule.relaxable:
            self._relax(image)
        targets = self._targets()
        gone = targets == GONE
        if gone.any():
            self._check_gone(gone)
        values = targets + self.addends
        if self.rule.from_site:
            values -= self.of.addresses.base + self.places
        values[gone] = 0
        field = self.rule.field
        if field is WORD64:
            _scatter(image, self.places, values, field.width)
            return []
        fits = (values >= field.lowest) & (values <= field.highest)
        if fits.all():
            _scatter(image, self.places, values, field.width)
            return []
        _scatter(image, self.places[fits], values[fits], field.width)
        return [self._overflow(at, int(values[at])) for at in numpy.flatnonzero(~fits).tolist()]

    def _overflow(self, at: int, value: int) -> Overflow:
        table, offset, info = self.columns.record(int(self.chosen[at]))
        return Overflow(self.of.number, table, offset, info, value)

    def _targets(self) -> Integers:
        """The symbol's part of the formula for every site."""
        letters = [letter for letter, _ in self.rule.of_symbol]
        if letters in (["S"], ["L"]) and len(self.symbols) > FEW:
            return self.of.column(self.rule, letters[0])[self.symbols]
        unique, inverse = numpy.unique(self.symbols, return_inverse=True)
        column = [self.of.sum(self.rule, symbol) for symbol in unique.tolist()]
        return numpy.array(column, dtype=numpy.int64)[inverse]

    def _check_gone(self, gone: Flags) -> None:
        """Only sections that describe code may refer to code that is not there."""
        object = self.of.addresses.resolution.objects[self.of.number]
        names = object.sections.names
        loud = self.columns.of_tables([not names[table.section].startswith(QUIET) for table in self.columns.tables])
        wrong = gone & (loud[self.chosen] > 0)
        if wrong.any():
            table, offset, info = self.columns.record(int(self.chosen[wrong.argmax()]))
            raise lost_target(object, table, offset, self.rule, info >> 32)

    def _relax(self, image: Bytes) -> None:
        """Rewrite the loads of known form whose target is in reach; the sites that remain need their slot."""
        at = self.places
        opcodes = image[at - 1].astype(numpy.int64) << 8 | image[at - 2]
        unique, inverse = numpy.unique(self.symbols, return_inverse=True)
        # a discarded target becomes an address that nothing reaches
        column = [max(self.of.letter(self.rule, symbol, "S"), GONE >> 1) for symbol in unique.tolist()]
        values = numpy.array(column, dtype=numpy.int64)[inverse] + RELAXED_ADDEND - self.of.addresses.base - at
        allowed = (self.addends == RELAXED_ADDEND) & (self.columns.offsets[self.chosen] >= self.rule.relaxable)
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
        # every byte of the image starts one element of this view, so that a store is one unaligned word
        words = numpy.ndarray((len(image) - width + 1,), f"<u{width}", image, strides=(1,))
        words[at] = values.astype(f"<u{width}")
