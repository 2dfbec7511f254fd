"""One field of a valid object changed: both engines come to the same bytes or to the same refusal, and to no crash."""

from itertools import product
from struct import unpack_from

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtlinker.elf.constants import (
    SHF_TLS,
    SHT_FINI_ARRAY,
    SHT_INIT_ARRAY,
    SHT_NOBITS,
    SHT_SYMTAB_SHNDX,
    STB_LOCAL,
    STB_WEAK,
    STT_GNU_IFUNC,
    STT_TLS,
)
from rtlinker.elf.reader import read_object
from rtlinker.elf.writer import ObjectWriter
from rtlinker.errors import LinkError
from rtlinker.link.pipeline import link
from rtlinker.link.scope import Definition, ThreadVariable
from rtlinker.live.startup import startup
from tests.property.test_bad_objects import Everything, Modest
from tests.support.broken import CODE, DATA, HEADER, RELOCATION, SECTION, SYMBOL
from tests.support.objects import inputs, table

SIZES = {"B": 1, "<B": 1, "<H": 2, "<I": 4, "<Q": 8, "<q": 8}
EDGES = (0, 1, 2, 7, 8, 24, 0xFF00, 0xFF02, 0xFFF1, 0xFFF2, 0xFFFF, 1 << 20, 1 << 31, 1 << 32, 1 << 46, 1 << 63)


def written():
    """An object with something of everything that has a field."""
    writer = ObjectWriter()
    text = writer.section(".text", b"\x90" * 136, flags=CODE, align=16)
    data = writer.section(".data", bytes(96), flags=DATA, align=8)
    arrays = [writer.section(".init_array", bytes(16), SHT_INIT_ARRAY, DATA, 8)]
    arrays.append(writer.section(".fini_array", bytes(8), SHT_FINI_ARRAY, DATA, 8))
    writer.section(".bss", b"", SHT_NOBITS, DATA, 32, size=64)
    twins = [writer.section(f".text.{name}", b"\xc3" * 16, flags=CODE) for name in ("one", "two")]
    local = writer.symbol("local", data, 16, 8, bind=STB_LOCAL)
    start = writer.symbol("start", text, 0, 8)
    weak = [writer.symbol(f"twin{at}", section, 0, 8, bind=STB_WEAK) for at, section in enumerate(twins)]
    other, block = writer.undefined("other"), writer.common("block", 32, 16)
    number, versioned = writer.absolute("number", 5), writer.symbol("versioned@@V1", data, 8, 8)
    calls = [(2, other), (4, other), (9, other), (41, block), (42, start), (10, number), (2, block), (4, weak[0])]
    for at, (rule, symbol) in enumerate(calls):
        writer.relocation(text, 3 + 8 * at, rule, symbol, -4)
    words = [(1, local), (1, other), (24, other), (32, start), (33, block), (1, versioned), (25, local), (27, weak[1])]
    for at, (rule, symbol) in enumerate(words):
        writer.relocation(data, 8 * at, rule, symbol, at)
    block = writer.section(".tdata", bytes(24), flags=DATA | SHF_TLS, align=8)
    threads = writer.symbol("own", block, 8, 8, type=STT_TLS), writer.symbol("others", type=STT_TLS)
    for at, (rule, symbol) in enumerate(product((19, 21, 22, 23, 34), threads)):
        if rule != 21 or symbol == threads[0]:
            writer.relocation(text, 67 + 6 * at, rule, symbol, -4)
    writer.relocation(text, 127, 20, threads[0], -4)
    writer.symbol("chosen", text, 64, 8, type=STT_GNU_IFUNC)
    writer.relocation(arrays[0], 0, 1, start)
    writer.relocation(arrays[1], 0, 1, weak[1])
    for signature, section in zip(weak, twins):
        writer.group(signature, [section])
    # a word for each symbol and for the null symbol; 9 sections and 4 relocation tables come before the symbol table
    writer.section(".symtab_shndx", bytes(4 * 12), SHT_SYMTAB_SHNDX, align=4, entsize=4, link=14)
    return writer.bytes()


def fields_of(data):
    """Where each field of each header and record of an object is, by the sort of thing: (offset, bytes)."""
    object = read_object(data, "")
    sections, headers = object.sections, unpack_from("<Q", data, 40)[0]
    found = {"header": spots(HEADER, 0), "section": [], "symbol": [], "relocation": [], "word": []}
    for index, kind in enumerate(sections.types):
        found["section"] += spots(SECTION, headers + 64 * index)
        start, end = sections.offsets[index], sections.offsets[index] + sections.sizes[index]
        if kind in {2, 4}:
            known, sort = (SYMBOL, "symbol") if kind == 2 else (RELOCATION, "relocation")
            found[sort] += [spot for at in range(start, end, 24) for spot in spots(known, at)]
        elif kind in {3, 17, 18}:
            found["word"] += [(at, 4) for at in range(start, end - 3, 4)]
    return found


class Threads(Everything):
    """A scope that knows every name, thread-local ones as such."""

    def find_thread_local(self, name, version=None):
        return Definition(name, 0, "everything", "tls", 16, variable=ThreadVariable("everything", name, 0))


def spots(known, start):
    return [(start + offset, SIZES[form]) for offset, form in known.values()]


VALID = written()
FIELDS = fields_of(VALID)


def outcome(data, engine):
    """The headline of the refusal, or the bytes and what would be run."""
    try:
        object = read_object(data, "mutant.o")
        objects = inputs(object, user=table("user"), process=Threads("everything", {}), engine=engine)
        image = link(objects, Modest(0x7F0000000000))
        return bytes(image.memory.view), startup(image)
    except LinkError as error:
        assert len(error.headline) <= 72
        return str(error)
    except MemoryError:
        return "too large for a test"


def test_the_object_links_as_it_is():
    assert not isinstance(outcome(VALID, "scalar"), str)
    assert len(read_object(VALID, "").symbols.extended) == 12
    assert set(FIELDS) == {sort for sort, spots in FIELDS.items() if spots}


@pytest.mark.parametrize("sort", FIELDS)
@given(st.data())
@settings(max_examples=400, deadline=None)
def test_any_field_changed_is_the_same_to_both_engines(sort, data):
    mutant = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 2))):
        at, size = data.draw(st.sampled_from(FIELDS[sort]))
        old = int.from_bytes(mutant[at : at + size], "little")
        near = st.integers(-9, 9).map(lambda step, old=old: old + step)
        any = st.integers(0, (1 << 8 * size) - 1)
        value = data.draw(st.one_of(near, st.sampled_from(EDGES), st.integers(0, 40), any))
        mutant[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")
    assert outcome(bytes(mutant), "scalar") == outcome(bytes(mutant), "native")
