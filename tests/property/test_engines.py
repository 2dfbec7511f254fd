"""The scalar engine is the reference, and the array engine is equal to it, for any object that can be written."""

from hypothesis import given, settings
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
from rtlinker.errors import LinkError
from rtlinker.link.pipeline import link
from rtlinker.link.resolve import resolve
from rtlinker.link.scan import scan
from rtlinker.link.scope import Definition, Inputs, Table
from rtlinker.x86_64.rules import RULES
from tests.support.ld import Pretended

RULE_NUMBERS = [rule.number for rule in RULES.values() if rule.sort == "object"]
NEAR, FAR = 0x10000000, 0x7F0000000000
OUTSIDE = {
    "near": Definition("near", NEAR + 0x300000, "outside", "function"),
    "far": Definition("far", 0x550000000000, "outside", "function"),
    "low": Definition("low", 0x2000, "outside", "function"),
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

symbols = st.lists(
    st.tuples(
        st.sampled_from(["local", "global", "weak", "absolute", "near", "far", "low", "missing", "common"]),
        st.integers(0, 64),
        st.integers(0, 40),
    ),
    min_size=1,
    max_size=8,
)
sites = st.lists(
    st.tuples(
        st.integers(0, 60),
        st.sampled_from(RULE_NUMBERS),
        st.integers(0, 20),
        st.one_of(st.just(-4), st.integers(-(1 << 7), 1 << 8), st.integers(-(1 << 33), 1 << 33)),
        st.sampled_from(OPCODES),
    ),
    max_size=40,
)


def write(symbols, sites):
    """An object with these symbols, and a site every 16 bytes with an opcode before it."""
    content = bytearray(16 * 64)
    for place, _, _, _, opcode in sites:
        content[16 * place + 8 - len(opcode) : 16 * place + 8] = opcode
    writer = ObjectWriter()
    text = writer.section(".text", bytes(content), SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 16)
    data = writer.section(".data", bytes(128), SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 32)
    zeroes = writer.section(".bss", b"", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, 8, size=80)
    handles = [0]
    for number, (kind, value, size) in enumerate(symbols):
        if kind in OUTSIDE:
            handles.append(writer.undefined(kind))
        elif kind == "missing":
            handles.append(writer.undefined(f"missing{number}", bind=STB_WEAK))
        elif kind == "absolute":
            handles.append(writer.absolute(f"s{number}", value * 3))
        elif kind == "common":
            handles.append(writer.common(f"s{number}", size + 1, 8))
        else:
            bind = {"local": STB_LOCAL, "global": STB_GLOBAL, "weak": STB_WEAK}[kind]
            section = (text, data, zeroes)[value % 3]
            handles.append(writer.symbol(f"s{number}", section, value, size, bind=bind))
    taken = set()
    for place, rule, symbol, addend, _ in sites:
        if place not in taken:
            taken.add(place)
            writer.relocation(text, 16 * place + 8, rule, handles[symbol % len(handles)], addend)
    return read_object(writer.bytes(), "written.o")


def outcome(object, address, engine):
    """The image's bytes, or the error and its facts."""
    inputs = Inputs((object,), Table("user", {}), (), Table("outside", OUTSIDE), engine=engine)
    place = Pretended(address)
    try:
        return bytes(link(inputs, place).memory.view)
    except LinkError as error:
        return type(error), str(error)


@given(symbols, sites, st.sampled_from([NEAR, FAR]))
@settings(max_examples=1500, deadline=None)
def test_both_engines_write_the_same_bytes_or_raise_the_same_error(symbols, sites, address):
    object = write(symbols, sites)
    assert outcome(object, address, "scalar") == outcome(object, address, "array")


@given(symbols, sites)
@settings(max_examples=150, deadline=None)
def test_both_engines_index_the_same_names(symbols, sites):
    object = write(symbols, sites)
    assert index_symbols(object, "scalar") == index_symbols(object, "array")


@given(symbols, sites)
@settings(max_examples=150, deadline=None)
def test_both_engines_find_the_same_demands(symbols, sites):
    object = write(symbols, sites)
    resolution = resolve(Inputs((object,), Table("user", {}), (), Table("outside", OUTSIDE)))
    one, two = scan(resolution, "scalar"), scan(resolution, "array")
    assert one.slots.keys() == two.slots.keys()
    assert one.stubs.keys() == two.stubs.keys()
    assert one.direct == two.direct
    assert (one.low is None) == (two.low is None)


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
