"""The scalar engine is the reference, and the native engine is equal to it, for any object that can be written."""

from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rtlinker.elf.constants import (
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHT_NOBITS,
    SHT_PROGBITS,
    STB_GLOBAL,
    STB_LOCAL,
    STB_WEAK,
)
from rtlinker.elf.index import index_symbols
from rtlinker.elf.reader import read_object
from rtlinker.elf.writer import ObjectWriter
from rtlinker.errors import DuplicateSymbolError, LinkError, RelocationOverflowError
from rtlinker.facts import replace
from rtlinker.link import names
from rtlinker.link.name_table import index_by_table
from rtlinker.link.pipeline import link
from rtlinker.link.resolve import resolve
from rtlinker.link.scan import scan
from rtlinker.link.scope import Definition, Inputs, Table
from rtlinker.x86_64.rules import RULES
from tests.support.ld import Pretended

RULE_NUMBERS = [rule.number for rule in RULES.values() if rule.sort == "object"]
NEAR, FAR = 0x10000000, 0x7F0000000000
OUTSIDE = {
    "near": Definition("near", NEAR + 0x300000, "outside", "function", 16),
    "far": Definition("far", 0x550000000000, "outside", "function", 8),
    "low": Definition("low", 0x2000, "outside", "function"),
    "top": Definition("top", 1 << 63, "outside", "constant", 1 << 63),
    "datum": Definition("datum", 0x550000001000, "outside", "data", 24, writable=False),
}
OPCODES = [
    b"\x48\x8b\x05",
    b"\x8b\x0d",
    b"\xff\x15",
    b"\xff\x25",
    b"\x48\x85\x05",
    b"\x00\x00\x00",
    b"\xd5\x48\x8b\x1d",
]

TOP = 1 << 63
HIGH = [TOP, TOP - 1, TOP + 0x1000, (1 << 64) - 0x100, (1 << 64) - 1]
KINDS = ["local", "global", "weak", "shared", "absolute", "high", "common", "other", "member", "signature", "missing"]
SECTIONS = [".text", ".data", ".gcc_except_table.f", ".eh_frame_hooks", ".text.member"]
"""By these numbers a site names its section. The third is quiet; the last is of a group that every object has."""

symbols = st.lists(
    st.tuples(
        st.sampled_from([*KINDS, *OUTSIDE]),
        st.integers(0, 64),
        st.one_of(st.integers(0, 40), st.sampled_from(HIGH)),
    ),
    min_size=3,
    max_size=8,
)
addends = st.one_of(
    st.just(-4),
    st.just(-4),
    st.just(-4),
    st.integers(-(1 << 7), 1 << 8),
    st.integers(-(1 << 33), 1 << 33),
    st.sampled_from([TOP - 1, TOP - 0x2000, -TOP, 1 - TOP]),
)
sites = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 2, 3, 4]),
        st.integers(0, 7),
        st.sampled_from(RULE_NUMBERS + [1, 2, 4, 24, 41, 42, 43] * 3),
        st.integers(0, 9),
        addends,
        st.sampled_from(OPCODES),
    ),
    min_size=8,
    max_size=40,
)
shifts = st.one_of(st.just([0]), st.lists(st.sampled_from([0, 0, 0, 0, -16, -9, -7, -4, -2, -1, 1, 2, 4]), min_size=1))
objects = st.lists(st.tuples(symbols, sites, shifts, st.booleans()), min_size=1, max_size=2)
"""Symbols; sites; how far they are from their proper place, in turn; whether loud sections avoid the group."""
SIZE = 16 * 8
strange_records = st.tuples(
    st.integers(0, 40),
    st.one_of(
        st.just(0), st.integers(SIZE - 8, SIZE + 1), st.sampled_from([TOP - 8, TOP - 1, TOP, 2 * TOP - 4, 2 * TOP - 1])
    ),
    st.one_of(st.sampled_from([*RULES]), st.sampled_from([1, 2, 14, 52, 63, 64, 255, 256, 257, 1 << 31])),
)
"""Where among the records, offset, type."""


def write(number, symbols, sites, shifts=(0,), careful=True, bad=()):
    """Object `number` of a link: a site every 16 bytes of each section, the last at its very end; opcodes before them.

    `shifts` make sites overlap, and `bad` are more records, each at a position, that may be untrue.
    """
    contents = [bytearray(SIZE) for _ in SECTIONS]
    for section, place, _, _, _, opcode in sites:
        contents[section][16 * place + 8 - len(opcode) : 16 * place + 8] = opcode
    writer = ObjectWriter()
    flags = [SHF_EXECINSTR, SHF_WRITE, 0, 0, SHF_EXECINSTR]
    places = [
        writer.section(name, bytes(content), SHT_PROGBITS, SHF_ALLOC | flag, 16)
        for name, content, flag in zip(SECTIONS, contents, flags)
    ]
    zeroes = writer.section(".bss", b"", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, 8, size=80)
    signature = writer.symbol("signature", places[-1], 0, 8, bind=STB_WEAK)
    writer.group(signature, [places[-1]])
    handles = [(0, "none"), (signature, "signature")]
    for at, symbol in enumerate(symbols):
        handles.append((add_symbol(writer, number, at, symbol, (*places[:2], zeroes, places[-1])), symbol[0]))
    records = []
    for at, (section, place, rule, symbol, addend, _) in enumerate(sites):
        handle, kind = handles[symbol % len(handles)]
        if careful and number and section in {0, 1, 3} and kind == "member":
            handle = 0
        width, shift = RULES[rule].field.width, shifts[at % len(shifts)]
        offset = SIZE - width if place == 7 else min(max(16 * place + 8 + shift, 0), SIZE - width)
        records.append((places[section], offset, rule, handle, addend))
    if shifts == [0]:
        records = list({record[:2] if record[1] < 120 else record[0]: record for record in records}.values())
    for at, offset, rule in bad:
        records.insert(at, (places[0], offset, rule, handles[-1][0], 0))
    for record in records:
        writer.relocation(*record)
    return read_object(writer.bytes(), f"written{number}.o")


def add_symbol(writer, number, at, symbol, places):
    """The handle of one symbol; `places` are where it can be, the last of them the group's section."""
    kind, value, size = symbol
    if kind in OUTSIDE:
        return writer.undefined(kind)
    if kind == "missing":
        return writer.undefined(f"missing{at}", bind=STB_WEAK)
    if kind == "other":
        return writer.undefined(f"s{1 - number}.{value % 8}", bind=STB_WEAK)
    if kind == "absolute":
        return writer.absolute(f"s{number}.{at}", value * 3)
    if kind == "high":
        return writer.absolute(f"s{number}.{at}", HIGH[value % len(HIGH)])
    if kind == "shared":
        bind = STB_GLOBAL if number and value % 3 == 0 else STB_WEAK
        if value % 2:
            return writer.absolute("shared", value, bind)
        return writer.symbol("shared", places[0], value, size, bind=bind)
    if kind == "common":
        return writer.common(f"s{number}.{at}", size % 50 + 1, 8)
    if kind in {"member", "signature"}:
        bind = STB_LOCAL if kind == "member" else STB_WEAK
        return writer.symbol(f"{kind}{at}", places[-1], value, size, bind=bind)
    bind = {"local": STB_LOCAL, "global": STB_GLOBAL, "weak": STB_WEAK}[kind]
    return writer.symbol(f"s{number}.{at}", places[value % 3], value, size, bind=bind)


MOV = OPCODES[0]
NOTHING = [("local", 0, 0)], [], [0], True
LOST_TWICE = [("member", 0, 0)], [(0, 0, 2, 2, 0, MOV), (0, 1, 1, 2, 0, MOV)], [0], False
LOST_IN_QUIET = [("member", 0, 0)], [(2, 0, 42, 2, -4, MOV)], [0], False
NUMBER_THAT_LOST = [("shared", 1, 0)], [(0, 0, 10, 2, 0, MOV)], [0], True
OPCODE_OVERWRITTEN = [("local", 0, 0)], [(0, 0, 42, 2, -4, MOV), (0, 0, 1, 2, 0, MOV)], [0, -8], False


def written(specification):
    """The objects of a link."""
    return tuple(write(number, *each) for number, each in enumerate(specification))


def outcome(objects, address, engine):
    """The image's bytes, or the error and its facts; on overflow both, since all that fits is written."""
    inputs = Inputs(objects, Table("user", {}), (), Table("outside", OUTSIDE), engine=engine)
    place = Pretended(address)
    try:
        return bytes(link(inputs, place).memory.view)
    except RelocationOverflowError as error:
        return type(error), str(error), bytes(place.view)
    except LinkError as error:
        return type(error), str(error)


@given(objects, st.sampled_from([NEAR, FAR]), st.sampled_from([0, 5, 1000]))
@example([NOTHING, LOST_TWICE], NEAR, 0)
@example([NOTHING, LOST_IN_QUIET], NEAR, 0)
@example([OPCODE_OVERWRITTEN], NEAR, 0)
@settings(max_examples=900, deadline=None)
def test_both_engines_write_the_same_bytes_or_raise_the_same_error(objects, address, many):
    linked = written(objects)
    with patch.object(names, "MANY", many):
        assert outcome(linked, address, "scalar") == outcome(linked, address, "native")


@given(symbols, sites, st.lists(strange_records, min_size=1, max_size=3))
@example([("local", 0, 0)], [], [(0, 0, 18), (1, 16, 17)])
@settings(max_examples=400, deadline=None)
def test_both_engines_refuse_the_same_record(symbols, sites, bad):
    linked = (write(0, symbols, sites, bad=bad),)
    assert outcome(linked, NEAR, "scalar") == outcome(linked, NEAR, "native")


@given(symbols, sites)
@settings(max_examples=150, deadline=None)
def test_both_engines_index_the_same_names(symbols, sites):
    object = write(0, symbols, sites)
    index = index_symbols(object, "scalar")
    assert index == index_symbols(object, "native")
    quick = index_by_table(object)
    if quick is not None:
        absent = {"", "nobody", *index.undefined, *index.commons} - index.defined.keys()
        assert [quick.defined.get(name) for name in index.defined] == [*index.defined.values()]
        assert not any(name in quick.defined for name in absent)
        assert quick == index


@given(st.lists(st.tuples(symbols, st.just([])), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_owners_are_the_same_with_tables_and_without(objects):
    linked = tuple(write(number, *each) for number, each in enumerate(objects))

    def resolved(many):
        with patch.object(names, "MANY", many):
            try:
                return resolve(Inputs(linked, Table("user", {}), (), Table("outside", OUTSIDE)))
            except LinkError as error:
                return type(error), str(error)

    assert resolved(0) == resolved(1000)


@given(objects)
@example([NUMBER_THAT_LOST, ([("shared", 0, 0)], [], [0], True)])
@settings(max_examples=200, deadline=None)
def test_both_engines_find_the_same_demands(objects):
    inputs = Inputs(written(objects), Table("user", {}), (), Table("outside", OUTSIDE))
    try:
        resolution = resolve(inputs)
    except DuplicateSymbolError:
        return
    one, two = scan(resolution, "scalar"), scan(resolution, "native")
    assert (one.low is None) == (two.low is None)  # which of the sites says so, nobody asks
    one, two = replace(one, low=None), replace(two, low=None)
    assert one == two
    assert (list(one.slots), list(one.stubs), list(one.direct)) == (list(two.slots), list(two.stubs), list(two.direct))


@given(
    st.sampled_from([rule for rule in RULES.values() if rule.sort == "object" and rule.field.width]),
    st.integers(0, 1 << 47),
    st.integers(-(1 << 40), 1 << 40),
    st.integers(0, 1 << 47),
)
def test_a_formula_is_the_signed_sum_of_its_letters(rule, s, a, p):
    values = {"S": s, "L": s, "Z": s, "A": a, "P": p, "GOT": 0x1000, "G": 16}
    by_hand = eval(rule.formula, {}, values)  # the psABI's notation is an expression
    assert sum(sign * values[letter] for letter, sign in rule.terms.items()) == by_hand
