"""The scan by columns: checks every record of an object, and finds the few that ask for something."""

from __future__ import annotations

import numpy

from rtlinker.elf.index import section_array
from rtlinker.elf.object import ABSOLUTE, Object
from rtlinker.link.scope import Definition
from rtlinker.x86_64.rules import RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.link.columns import Columns, Integers
    from rtlinker.link.resolution import Binding

KINDS = 64
"""A power of two above every rule's number."""


def bad_position(object: Object, columns: Columns) -> int | None:
    """The first record that names no rule or symbol, or a site that is not in its section; None when all are good."""
    if not len(columns.types):
        return None
    counts = numpy.bincount(columns.types, minlength=KINDS)
    kinds = numpy.flatnonzero(counts).tolist()
    widest = max(RULES[kind].field.width for kind in kinds) if RULES.keys() >= set(kinds) else KINDS
    sizes = numpy.array([object.sections.sizes[table.section] for table in columns.tables], dtype=numpy.int64)
    last, first = numpy.maximum.reduceat(columns.offsets, columns.starts), columns.offsets.min()
    good = columns.largest_type < KINDS > widest and int(columns.symbols.max()) < len(object.symbols)
    if good and first >= 0 and (last <= sizes - widest).all():  # last + widest may wrap
        return None
    return _first_bad(object, columns, sizes)


def _first_bad(object: Object, columns: Columns, sizes: Integers) -> int | None:
    """The same, record by record: a narrow site may stand at the very end of its section."""
    widths = numpy.full(1 << 8, 1 << 62, dtype=numpy.int64)
    for rule in RULES.values():
        widths[rule.number] = rule.field.width
    bad = columns.offsets > columns.of_tables(sizes.tolist()) - widths[columns.types]
    bad |= columns.offsets < 0
    bad |= columns.symbols >= len(object.symbols)
    if columns.largest_type >= KINDS:
        bad[next(at for at in range(len(bad)) if columns.record(at)[2] & 0xFFFFFFFF not in RULES)] = True
    return int(bad.argmax()) if bad.any() else None


def asking_pairs(object: Object, columns: Columns, bound: dict[int, Binding]) -> list[tuple[int, int]]:
    """The distinct (type, symbol) pairs that can ask for something, as `scan` finds them one by one.

    Left out are direct sites of the object's own symbols, which ask for nothing but, once, for low memory.
    """
    types, symbols = columns.types, columns.symbols
    outside = numpy.zeros(len(object.symbols), dtype=bool)
    outside[[symbol for symbol, meaning in bound.items() if isinstance(meaning, Definition)]] = True
    always, strange = numpy.zeros(KINDS, dtype=bool), numpy.zeros(KINDS, dtype=bool)
    strange[[rule.number for rule in RULES.values() if rule.sort != "object"]] = True
    always[[rule.number for rule in RULES.values() if rule.needs_slot]] = True
    always |= strange
    asking = numpy.flatnonzero(outside[symbols] | always[types])
    marks = numpy.zeros(len(object.symbols) * KINDS, dtype=bool)  # marking is quicker than sorting
    marks[symbols[asking].astype(numpy.int64) * KINDS + types[asking]] = True
    pairs = [(code % KINDS, code // KINDS) for code in numpy.flatnonzero(marks).tolist()]
    # those that can be refused in front, in the order of the records, so that the error names the first of them
    refusable = asking[strange[types[asking]]]
    pairs[:0] = dict.fromkeys(zip(types[refusable].tolist(), symbols[refusable].tolist()))
    places = section_array(object, numpy) != ABSOLUTE
    places[list(bound)] = True  # an absolute symbol may have lost its name to a place
    places &= ~outside
    places[0] = False
    for rule in RULES.values():
        if rule.low:
            there = symbols[types == rule.number]
            pairs += [(rule.number, symbol) for symbol in there[places[there]][:1].tolist()]
    return pairs
