"""The relocations of an object as columns over all its tables: decoded once, used by the scan and by relocation.

An object compiled with a section per function has thousands of small tables; joined, they are as quick to work on as
one large table.
"""

from __future__ import annotations

from struct import unpack_from

import numpy

from rtlinker.elf.object import Object, Relocations
from rtlinker.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray  # importing it takes as long as relocating 50,000 sites

    Integers = NDArray[numpy.int64]
    Flags = NDArray[numpy.bool_]
    Bytes = NDArray[numpy.uint8]


RECORD = [("offset", "<u8"), ("type", "<u4"), ("symbol", "<u4"), ("addend", "<i8")]
"""Elf64_Rela; r_info is the type in its low half and the symbol in its high half (gABI, Relocation)."""


MANY = 32
"""Tables from which joining their bytes beats taking each field from each of them."""


class Columns(Fact):
    """All records of some tables, one behind the other; offsets are bytes in the table's section.

    `starts` is the position of each table's first record. Types are cut to a byte: `largest_type` tells what they were.
    """

    tables: tuple[Relocations, ...]
    starts: Integers
    offsets: Integers
    types: NDArray[numpy.uint8]
    symbols: NDArray[numpy.uint32]
    addends: Integers
    largest_type: int

    def of_tables(self, values: list[int]) -> Integers:
        """For each record, the value of its table."""
        counts = numpy.diff(self.starts, append=len(self.types))
        return numpy.repeat(numpy.array(values, dtype=numpy.int64), counts)

    def record(self, at: int) -> tuple[Relocations, int, int]:
        """The table, offset in its section and r_info of one record."""
        which = int(numpy.searchsorted(self.starts, at, side="right")) - 1
        table = self.tables[which]
        offset, info = unpack_from("<QQ", table.table, 24 * (at - int(self.starts[which])))
        return table, offset, info


def columns_of(object: Object, discarded: frozenset[int]) -> Columns:
    """The relocations of an object's kept sections; an offset beyond 2**63 becomes negative."""
    tables = tuple([table for table in object.relocations if table.section not in discarded])
    if len(tables) < MANY:
        parts = [numpy.frombuffer(table.table, dtype=RECORD) for table in tables]
    else:
        parts = [numpy.frombuffer(b"".join([table.table for table in tables]), dtype=RECORD)]
    counts = numpy.array([len(table.table) // 24 for table in tables], dtype=numpy.int64)
    types = numpy.concatenate([part["type"] for part in parts]) if parts else numpy.zeros(0, dtype=numpy.uint32)
    return Columns(
        tables,
        numpy.cumsum(counts) - counts,
        _joined(parts, "offset", numpy.int64),
        types.astype(numpy.uint8),
        _joined(parts, "symbol", numpy.uint32),
        _joined(parts, "addend", numpy.int64),
        int(types.max(initial=0)),
    )


def _joined(parts: list[NDArray[Any]], field: str, kind: type) -> NDArray[Any]:
    """One field of all records as a contiguous column."""
    if not parts:
        return numpy.zeros(0, dtype=kind)
    return numpy.concatenate([part[field] for part in parts]).view(kind)
