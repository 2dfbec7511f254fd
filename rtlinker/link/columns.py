"""The relocations of an object as columns over all its tables: decoded once, used by the scan and by relocation.

An object compiled with a section per function has thousands of small tables; joined, they are as quick to work on as
one large table.
"""

from __future__ import annotations

import numpy
from numpy.typing import NDArray

from rtlinker.elf.object import Object, Relocations
from rtlinker.facts import Fact

Integers = NDArray[numpy.int64]
Unsigned = NDArray[numpy.uint64]
Flags = NDArray[numpy.bool_]

RECORD = [("offset", "<u8"), ("type", "<u4"), ("symbol", "<u4"), ("addend", "<i8")]
"""Elf64_Rela; r_info is the type in its low half and the symbol in its high half (gABI, Relocation)."""


class Columns(Fact):
    """All records of some tables. `owners` says for each record which of `tables` it is from; offsets are bytes."""

    tables: tuple[Relocations, ...]
    offsets: Unsigned
    types: NDArray[numpy.uint32]
    symbols: Integers
    addends: Integers
    owners: Integers

    def of_tables(self, values: list[int]) -> Integers:
        """For each record, the value of its table."""
        return numpy.array(values, dtype=numpy.int64)[self.owners]

    def record(self, at: int) -> tuple[Relocations, int, int]:
        """The table, offset in its section and r_info of one record."""
        info = int(self.symbols[at]) << 32 | int(self.types[at])
        return self.tables[int(self.owners[at])], int(self.offsets[at]), info


def columns_of(object: Object, discarded: frozenset[int]) -> Columns:
    """The relocations of an object's kept sections. The addends borrow from the object where there is one table."""
    tables = tuple([table for table in object.relocations if table.section not in discarded])
    data = tables[0].table if len(tables) == 1 else b"".join([table.table for table in tables])
    records = numpy.frombuffer(data, dtype=RECORD)
    counts = [len(table.table) // 24 for table in tables]
    return Columns(
        tables,
        numpy.ascontiguousarray(records["offset"]),
        numpy.ascontiguousarray(records["type"]),
        records["symbol"].astype(numpy.int64),
        numpy.ascontiguousarray(records["addend"]),
        numpy.repeat(numpy.arange(len(tables)), counts),
    )
