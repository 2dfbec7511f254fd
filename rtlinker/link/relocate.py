"""The scalar relocation engine: one site at a time, readable, and the reference for the array engine.

A rule's formula splits into what depends on the symbol alone and what depends on the site: the addend, and P where the
formula has it. The first part is computed once per (symbol, rule) of an object, the second per site. All values are
Python integers, so nothing wraps by accident; the field says what fits and how many bytes are written.
"""

from __future__ import annotations

from struct import Struct, iter_unpack
from struct import error as struct_error

from rtlinker.elf.object import Object, Relocations
from rtlinker.errors import RelocationOverflowError
from rtlinker.facts import Fact
from rtlinker.link.addresses import Addresses
from rtlinker.link.scan import lost_target
from rtlinker.units import signed64
from rtlinker.x86_64.relaxations import RELAXED_ADDEND, match_relaxation
from rtlinker.x86_64.rules import RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from rtlinker.errors import RelocationError
    from rtlinker.x86_64.rules import Field

    _Site = tuple[int, bool, Callable[[memoryview, int, int], None], int, int]


class Overflow(Fact):
    """A value that did not fit: which object, section, offset in the section, relocation info and value."""

    object: int
    table: Relocations
    offset: int
    info: int
    value: int


QUIET = (".eh_frame", ".gcc_except_table", ".sframe")
"""Sections whose references into a discarded group become 0: they describe code that is not there (gABI, Groups).

Debug sections do the same, but take no memory, so they are not relocated here.
"""


def is_quiet(section: str) -> bool:
    """Whether the section has one of the QUIET names, or such a name followed by a dot and more."""
    return section in QUIET or section.startswith(tuple([name + "." for name in QUIET]))


def relocate(
    addresses: Addresses, number: int, memory: memoryview, only: Container[int] | None = None
) -> list[Overflow]:
    """Apply all relocations of object `number` to the image's bytes; the sites whose value did not fit.

    `memory` is the whole image, its start at `addresses.base`; `only` are the sections to relocate, if not all. Raises
    RelocationError for a reference into a discarded COMDAT section.
    """
    object, discarded = addresses.resolution.objects[number], addresses.resolution.discarded[number]
    known: dict[int, _Site] = {}
    overflows: list[Overflow] = []
    for table in object.relocations:
        if table.section not in discarded and (only is None or table.section in only):
            _relocate_table(addresses, number, table, memory, known, overflows)
    return overflows


def relocate_records(addresses: Addresses, number: int, table: Relocations, memory: memoryview) -> list[Overflow]:
    """Apply the records of one table, or of a part of one, as `relocate` does."""
    overflows: list[Overflow] = []
    _relocate_table(addresses, number, table, memory, {}, overflows)
    return overflows


def _relocate_table(
    addresses: Addresses,
    number: int,
    table: Relocations,
    memory: memoryview,
    known: dict[int, _Site],
    overflows: list[Overflow],
) -> None:
    section = addresses.layout.sections[number][table.section]
    place = addresses.base + section
    for offset, info, addend in iter_unpack("<QQq", table.table):
        site = known.get(info)
        if site is None:
            site = _prepare(addresses, number, table, info, offset)
            if site is not None:
                known[info] = site
            else:  # what it describes was discarded: raw 0, whatever the addend
                width = RULES[info & 0xFFFFFFFF].field.width
                memory[section + offset : section + offset + width] = bytes(width)
                continue
        target, from_site, write, relaxable, plain = site
        if (
            relaxable
            and addend == RELAXED_ADDEND
            and offset >= relaxable
            and _relax(plain, memory, section + offset, place + offset)
        ):
            continue
        value = target + addend - place - offset if from_site else target + addend
        try:
            write(memory, section + offset, value)
        except struct_error:  # the field is the range check: few values need the exact one
            if not _write_wrapped(memory, section + offset, value, RULES[info & 0xFFFFFFFF].field):
                overflows.append(Overflow(number, table, offset, info, signed64(value)))


def _write_wrapped(memory: memoryview, at: int, value: int, field: Field) -> bool:
    """Write a value that fits once it is taken modulo 2**64, or whose field takes signed and unsigned ones; else 0."""
    value = signed64(value)
    if not field.lowest <= value <= field.highest:
        memory[at : at + field.width] = bytes(field.width)
        return False
    memory[at : at + field.width] = (value & field.mask).to_bytes(field.width, "little")
    return True


MASK64 = (1 << 64) - 1

WRITERS: dict[str, Callable[[memoryview, int, int], None]] = {
    "none": lambda memory, at, value: None,
    "word8": Struct("<B").pack_into,
    "signed8": Struct("<b").pack_into,
    "word16": Struct("<H").pack_into,
    "signed32": Struct("<i").pack_into,
    "unsigned32": Struct("<I").pack_into,
    "word64": Struct("<q").pack_into,
    "descriptor": lambda memory, at, value: Struct("<QQ").pack_into(memory, at, value & MASK64, value >> 64),
}
"""What writes each field, by its name; struct.error says that a value is not in the plain range."""


def _prepare(addresses: Addresses, number: int, table: Relocations, info: int, offset: int) -> _Site | None:
    """What a site needs to know: the symbol's part of the formula, and the field. None: the target was discarded.

    Whether that may be depends on the table, so None holds for this one only.
    """
    rule, symbol = RULES[info & 0xFFFFFFFF], info >> 32
    object = addresses.resolution.objects[number]
    target = 0
    for letter, sign in rule.of_symbol:
        value = letter_value(addresses, number, symbol, letter, rule.direct)
        if value is None:
            if not is_quiet(object.sections.names[table.section]):
                raise lost_target(addresses.resolution, number, (table, offset, info))
            return None
        target += sign * value
    plain = (addresses.letter_s(number, symbol) or 0) if rule.relaxable else 0
    return target, rule.from_site, WRITERS[rule.field.name], rule.relaxable, plain


def letter_value(addresses: Addresses, number: int, symbol: int, letter: str, direct: bool) -> int | None:
    """The number that one letter of a formula stands for; None when the symbol's section was discarded."""
    if letter == "S":
        return addresses.direct_s(number, symbol) if direct else addresses.letter_s(number, symbol)
    if letter == "L":
        return addresses.letter_l(number, symbol)
    if letter == "GOT":
        return addresses.got
    if letter == "G":
        # the slot of a symbol without a place would hold 0, and the code would read or call that
        return None if addresses.letter_s(number, symbol) is None else addresses.letter_g(number, symbol)
    if letter == "Z":
        return addresses.letter_z(number, symbol)
    return addresses.thread_letter(number, symbol, letter)


def _relax(target: int, memory: memoryview, at: int, place: int) -> bool:
    """Rewrite one load from the GOT into the target's address itself, when it is of a known form and in reach."""
    relaxation = match_relaxation(int.from_bytes(memory[at - 2 : at], "little"))
    if relaxation is None:
        return False
    value = signed64(target + RELAXED_ADDEND - place - relaxation.shift)  # addresses are modulo 2**64, as for ld
    if not -(1 << 31) <= value < 1 << 31:
        return False
    at += relaxation.shift
    memory[at : at + 4] = (value & 0xFFFFFFFF).to_bytes(4, "little")
    if relaxation.tail:
        memory[at + 4 : at + 4 + len(relaxation.tail)] = relaxation.tail
    start = at - relaxation.shift - 2
    memory[start : start + len(relaxation.head)] = relaxation.head
    return True


def overflow_error(addresses: Addresses, overflows: list[Overflow]) -> RelocationError:
    """One error for all values that did not fit: the first site in the order of the link, and how many there are."""
    first = min(overflows, key=lambda overflow: (overflow.object, overflow.table.section, overflow.offset))
    resolution = addresses.resolution
    object: Object = resolution.objects[first.object]
    rule, symbol = RULES[first.info & 0xFFFFFFFF], first.info >> 32
    meaning = addresses.meaning(first.object, symbol)
    address = addresses.of_binding(meaning) if symbol else 0
    provider = getattr(meaning, "provider", "")
    target = f"{object.symbol_title(symbol)} = {address or 0:#x}" + (f" ({provider})" if provider else "")
    hint = None
    if provider and address and rule.direct:
        hint = "what a library defines is reached through the GOT; compile with -fPIC"
    return RelocationOverflowError(
        object.site_title(first.table.section, first.offset), str(rule), target, first.value, len(overflows), hint
    )
