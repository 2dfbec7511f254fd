"""The array engine: one rule at a time over a whole relocation table, with numpy.

It does what `link.relocate` does, from the same rows, and tests/property/test_engines.py holds the two equal. The
letters of the distinct symbols of a rule come from `link.addresses`; those of the symbols that an object defines
itself, nearly all of them in a large object, are computed as one column.
"""

from __future__ import annotations

import numpy
from numpy.typing import NDArray

from rtlinker.elf.index import section_array, symbol_array
from rtlinker.elf.object import ABSOLUTE, Relocations
from rtlinker.link.addresses import REACH, Addresses
from rtlinker.link.relocate import QUIET, Overflow, letter_value
from rtlinker.link.scan import lost_target
from rtlinker.x86_64.relaxations import RELAXATIONS, RELAXED_ADDEND
from rtlinker.x86_64.rules import RULES, WORD64, Rule

Integers = NDArray[numpy.int64]
Flags = NDArray[numpy.bool_]
Bytes = NDArray[numpy.uint8]

RECORD = [("offset", "<u8"), ("info", "<u8"), ("addend", "<i8")]
FEW = 500
"""Up to so many sites of a rule, asking for each distinct symbol beats computing all symbols of the object."""

GONE = -(1 << 63)
"""In a column of addresses: the symbol's section was discarded."""


def relocate_bulk(addresses: Addresses, number: int, tables: list[Relocations], memory: memoryview) -> list[Overflow]:
    """Apply relocation tables of object `number`; the sites whose value did not fit. As `relocate`, by arrays."""
    image = numpy.frombuffer(memory, dtype=numpy.uint8)
    columns: dict[str, Integers] = {}
    overflows: list[Overflow] = []
    for table in tables:
        records = numpy.frombuffer(table.table, dtype=RECORD)
        infos = numpy.ascontiguousarray(records["info"])
        types = infos.astype(numpy.uint32)  # the low half is the type, the high half the symbol
        symbols = (infos >> 32).astype(numpy.int64)
        for kind in numpy.flatnonzero(numpy.bincount(types, minlength=64)).tolist():
            chosen = numpy.flatnonzero(types == kind)
            rule = RULES[kind]
            if rule.field.width:
                offsets = records["offset"][chosen].astype(numpy.int64)
                addends = records["addend"][chosen]
                sites = _Sites(addresses, number, table, rule, offsets, symbols[chosen], addends, columns)
                overflows += sites.apply(image)
    return overflows


class _Sites:
    """All sites of one rule in one table."""

    def __init__(
        self,
        addresses: Addresses,
        number: int,
        table: Relocations,
        rule: Rule,
        offsets: Integers,
        symbols: Integers,
        addends: Integers,
        columns: dict[str, Integers],
    ) -> None:
        self.addresses, self.number, self.table, self.rule = addresses, number, table, rule
        self.offsets, self.symbols, self.addends, self.columns = offsets, symbols, addends, columns
        self.section = addresses.layout.sections[number][table.section]

    def apply(self, image: Bytes) -> list[Overflow]:
        """Write every site that fits; the others come back."""
        if self.rule.relaxable:
            self._relax(image)
        targets = self._targets()
        gone = targets == GONE
        if gone.any():
            self._check_gone(int(self.offsets[gone.argmax()]), int(self.symbols[gone.argmax()]))
        values = targets + self.addends
        if self.rule.from_site:
            values -= self.addresses.base + self.section + self.offsets
        values[gone] = 0
        field = self.rule.field
        fits = numpy.ones(len(values), dtype=bool)
        if field is not WORD64:
            fits = (values >= field.lowest) & (values <= field.highest)
        if fits.all():
            _scatter(image, self.section + self.offsets, values, field.width)
            return []
        _scatter(image, self.section + self.offsets[fits], values[fits], field.width)
        missed = numpy.flatnonzero(~fits)
        return [
            Overflow(self.number, self.table, offset, symbol << 32 | self.rule.number, value)
            for offset, symbol, value in zip(
                self.offsets[missed].tolist(), self.symbols[missed].tolist(), values[missed].tolist()
            )
        ]

    def _targets(self) -> Integers:
        """The symbol's part of the formula for every site."""
        letters = self.rule.terms.keys() - {"A", "P"}
        if letters in ({"S"}, {"L"}) and len(self.symbols) > FEW:
            # S of a direct site may be a mirror's, so it is a column of its own
            name = "direct S" if self.rule.direct else letters.pop()
            if name not in self.columns:
                self.columns[name] = own_addresses(self.addresses, self.number, self.rule)
            return self.columns[name][self.symbols]
        unique, inverse = numpy.unique(self.symbols, return_inverse=True)
        column = [_letters(self.addresses, self.number, symbol, self.rule) for symbol in unique.tolist()]
        return numpy.array(column, dtype=numpy.int64)[inverse]

    def _check_gone(self, offset: int, symbol: int) -> None:
        object = self.addresses.resolution.objects[self.number]
        if not object.sections.names[self.table.section].startswith(QUIET):
            raise lost_target(object, self.table, offset, self.rule, symbol)

    def _relax(self, image: Bytes) -> None:
        """Rewrite the loads of known form whose target is in reach; the sites that remain need their slot."""
        at = self.section + self.offsets
        opcodes = image[at - 1].astype(numpy.int64) << 8 | image[at - 2]
        unique, inverse = numpy.unique(self.symbols, return_inverse=True)
        column = [self._address(symbol) for symbol in unique.tolist()]
        values = numpy.array(column, dtype=numpy.int64)[inverse] + RELAXED_ADDEND - self.addresses.base - at
        allowed = (self.addends == RELAXED_ADDEND) & (self.offsets >= self.rule.relaxable)
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
        self.offsets, self.symbols, self.addends = self.offsets[~done], self.symbols[~done], self.addends[~done]

    def _address(self, symbol: int) -> int:
        """S, as a signed number; for a discarded symbol one that nothing reaches."""
        value = self.addresses.letter_s(self.number, symbol)
        return GONE >> 1 if value is None else _signed(value)


def own_addresses(addresses: Addresses, number: int, rule: Rule) -> Integers:
    """S (or L) of every symbol of an object as one column; GONE where the section was discarded."""
    resolution = addresses.resolution
    object = resolution.objects[number]
    table, sections = symbol_array(object, numpy), section_array(object, numpy)
    starts = numpy.array(addresses.layout.sections[number], dtype=numpy.int64)
    starts = numpy.where(starts < 0, GONE, starts + addresses.base)
    starts[0] = 0
    inside = numpy.where(sections > 0, sections, 0)
    column = starts[inside]
    column[1:] = numpy.where(column[1:] == GONE, GONE, column[1:] + table["value"][1:].astype(numpy.int64))
    column[(sections <= 0) & (sections != ABSOLUTE)] = GONE
    absolute = sections == ABSOLUTE
    column[absolute] = table["value"].astype(numpy.int64)[absolute]
    column[0] = 0
    letter = "L" if "L" in rule.terms else "S"
    far = (column != GONE) & ~addresses_reached(addresses, column) if letter == "L" else ()
    for symbol in {*resolution.bound[number], *numpy.flatnonzero(far).tolist()}:
        value = letter_value(addresses, number, symbol, letter, rule.direct)
        column[symbol] = GONE if value is None else _signed(value)
    return column


def addresses_reached(addresses: Addresses, column: Integers) -> Flags:
    """`Addresses.reaches` for a column."""
    lowest = addresses.base + addresses.layout.large_from - REACH
    return (lowest < column) & (column < addresses.base + REACH - 16)


def _letters(addresses: Addresses, number: int, symbol: int, rule: Rule) -> int:
    """The sum of a formula's letters that depend on the symbol."""
    total = 0
    for letter, sign in rule.of_symbol:
        value = letter_value(addresses, number, symbol, letter, rule.direct)
        if value is None:
            return GONE
        total += sign * value
    return _signed(total)


def _signed(value: int) -> int:
    value &= 0xFFFFFFFFFFFFFFFF
    return value - (1 << 64) if value >> 63 else value


def _scatter(image: Bytes, at: Integers, values: Integers, width: int) -> None:
    """Write the low `width` bytes of each value, little-endian, wherever it belongs: sites need no alignment."""
    # every byte of the image starts one element of this view, so that a store is one unaligned word
    words = numpy.ndarray((len(image) - width + 1,), f"<u{width}", image, strides=(1,))
    words[at] = values.astype(f"<u{width}")
