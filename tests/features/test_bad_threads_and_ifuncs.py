"""Thread-local storage and indirect functions that contradict themselves: refused before any code of them has run."""

from struct import unpack

import pytest

import rtlinker
from rtlinker.elf.constants import (
    SHF_TLS,
    SHT_INIT_ARRAY,
    SHT_NOBITS,
    STB_LOCAL,
    STB_WEAK,
    STT_GNU_IFUNC,
    STT_TLS,
)
from tests.support.broken import CODE, DATA, refusal, with_section, with_symbol, writer_of_add

TLS = DATA | SHF_TLS
GOTTPOFF, TPOFF32, DTPOFF64, TLSGD = 22, 23, 17, 19


def with_thread_local(rule=GOTTPOFF, **section):
    """`add`, and a function whose one site has `rule` against `x` of `.tdata`."""
    writer, _ = writer_of_add()
    text = writer.section(".text.use", bytes(16), flags=CODE, align=16)
    block = writer.section(".tdata", b"\x07" + bytes(7), flags=TLS, align=8, **section)
    writer.relocation(text, 8, rule, writer.symbol("x", block, 0, 4, type=STT_TLS), -4)
    return writer.bytes()


def with_ifunc(rule=1):
    """`add`, an indirect function `f`, and a word with its address."""
    writer, text = writer_of_add()
    data = writer.section(".data", bytes(8), flags=DATA, align=8)
    writer.relocation(data, 0, rule, writer.symbol("f", text, 3, 1, type=STT_GNU_IFUNC))
    return writer.bytes()


ORDINARY = {
    "absolute": {"st_shndx": 0xFFF1},
    "in code": {"st_shndx": 1},
    "undefined, of a library": {"st_shndx": 0},
}


@pytest.mark.parametrize("place", ORDINARY)
@pytest.mark.parametrize("rule", [GOTTPOFF, TPOFF32, DTPOFF64, TLSGD])
def test_a_thread_local_symbol_that_is_in_no_block_is_refused(in_child, place, rule):
    data = with_symbol(with_thread_local(rule), "x", **ORDINARY[place])
    error = refusal(in_child, data)
    if place.startswith("undefined"):
        assert [symbol.name for symbol in error.symbols] == ["x"]
    else:
        assert error.headline == "thread-local relocation against an ordinary symbol"


def test_a_thread_local_section_may_be_of_any_type_that_has_bytes(in_child):
    data = with_section(with_thread_local(), ".tdata", sh_type=SHT_NOBITS)
    assert in_child(lambda: rtlinker.load(data).address("add") > 0)


def test_a_thread_local_section_that_takes_no_memory_is_in_no_block(in_child):
    data = with_section(with_thread_local(), ".tdata", sh_flags=TLS & ~2)
    assert refusal(in_child, data).headline == "thread-local relocation against an ordinary symbol"


def test_a_thread_local_section_aligned_beyond_reason_is_refused(in_child):
    error = refusal(in_child, with_section(with_thread_local(), ".tdata", sh_addralign=1 << 30))
    assert error.headline == "thread-local section is aligned beyond 1 MiB"


@pytest.mark.parametrize("rule", [TPOFF32, DTPOFF64, TLSGD, GOTTPOFF, 21, 18, 34])
@pytest.mark.parametrize("engine", ["scalar", "native"])
def test_a_variable_of_a_discarded_group_has_no_place(in_child, rule, engine):
    def grouped():
        writer, _ = writer_of_add()
        text = writer.section(".text.use", bytes(16), flags=CODE, align=16)
        block = writer.section(".tdata.x", bytes(8), flags=TLS, align=8)
        writer.relocation(text, 4, rule, writer.symbol("mine", block, bind=STB_LOCAL, type=STT_TLS))
        writer.group(writer.symbol("x", block, 0, 4, bind=STB_WEAK, type=STT_TLS), [block])
        return writer.bytes()

    def load():
        linker = rtlinker.Linker(engine=engine)
        linker.load_object(grouped())
        linker.load_object(grouped().replace(b"add\0", b"abc\0"))
        linker.resolve()

    with pytest.raises(rtlinker.RelocationError) as caught:
        in_child(load)
    assert caught.value.headline == "reference into a discarded COMDAT section"
    assert caught.value.target == "mine"


@pytest.mark.parametrize("fields", [{"sh_addralign": 3}, {"sh_addralign": 1 << 40}, {"sh_size": 1 << 40}])
def test_a_thread_local_section_that_lies_is_refused_as_any_other(in_child, fields):
    assert isinstance(refusal(in_child, with_section(with_thread_local(), ".tdata", **fields)), rtlinker.BadObjectError)


def test_a_thread_local_block_that_no_thread_has_room_for_is_refused(in_child):
    data = with_section(with_thread_local(), ".tdata", sh_type=SHT_NOBITS, sh_size=1 << 30)
    error = refusal(in_child, data)
    assert isinstance(error, rtlinker.ThreadStorageError)
    assert error.size == 1 << 30


def test_a_thread_local_array_of_functions_is_not_called(in_child):
    data = with_section(with_thread_local(), ".tdata", sh_type=SHT_INIT_ARRAY)
    error = refusal(in_child, data)
    assert error.headline == "array of functions points outside of executable memory"


def test_a_thread_local_common_block_that_no_memory_can_hold_is_refused(in_child):
    writer, _ = writer_of_add()
    writer.common("block", 1 << 32, 8)
    data = with_symbol(writer.bytes(), "block", st_info=0x16)
    assert refusal(in_child, data).headline == "COMMON block that no memory can hold"


LIES = {
    "beyond its section": {"st_value": 16},
    "far beyond": {"st_value": (1 << 64) - 8},
    "absolute": {"st_shndx": 0xFFF1},
    "in data": {"st_shndx": 2, "st_value": 0},
    "COMMON": {"st_shndx": 0xFFF2, "st_value": 8},
}


@pytest.mark.parametrize("lie", LIES)
def test_an_indirect_function_without_code_is_refused(in_child, lie):
    error = refusal(in_child, with_symbol(with_ifunc(), "f", **LIES[lie]))
    assert (error.headline, error.where) == ("indirect function without code", "f")


def test_an_indirect_function_that_is_undefined_is_only_a_name(in_child):
    data = with_symbol(with_ifunc(), "f", st_shndx=0, st_value=0)
    with pytest.raises(rtlinker.UndefinedSymbolsError):
        in_child(lambda: rtlinker.load(data))


def test_the_objects_themselves_are_accepted(in_child):
    data = with_thread_local()
    assert in_child(lambda: rtlinker.load(data).address("add") > 0)
    assert unpack("<B", data[data.index(b"\x07" + bytes(7)) :][:1]) == (7,)
