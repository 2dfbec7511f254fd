"""Symbol, string and relocation tables that lie: refused with the record; what ld takes is taken."""

from struct import pack, unpack_from

import pytest

import rtlinker
from rtlinker.elf.constants import SHF_ALLOC, SHT_NOBITS, SHT_NOTE, SHT_REL, SHT_SYMTAB_SHNDX
from rtlinker.elf.reader import read_object
from rtlinker.link.pipeline import link
from rtlinker.link.resolution import InObject
from tests.support.broken import DATA, refusal, with_relocation, with_section, with_symbol, writer_of_add
from tests.support.ld import Pretended
from tests.support.objects import inputs


def relocated():
    """`add`, with a word that holds the address of `local`."""
    writer, _ = writer_of_add()
    data = writer.section(".data", bytes(16), flags=DATA, align=8)
    writer.relocation(data, 0, 1, 2)
    writer.symbol("word", data, 0, 8)
    return writer.bytes()


RECORDS = {
    "relocation against a symbol that is not there": {"symbol": 99},
    "relocation type that the psABI does not have": {"type": 250},
    "relocation outside its section": {"r_offset": 9},
    "relocation that only a dynamic linker handles": {"type": 6},
}
TABLES = {
    "relocations of a section that is not there": {"sh_info": 99},
    "relocations are not 24-byte entries": {"sh_entsize": 16},
    "relocations do not name the symbol table": {"sh_link": 1},
    "relocations without addends (REL)": {"sh_type": SHT_REL},
}
SYMBOLS = {
    "symbol name outside its string table": {"st_name": 9999},
    "symbol in a section that is not there": {"st_shndx": 0xFEFF},
    "symbol with an unknown binding": {"st_info": 0x32},
    "symbol on the wrong side of the local symbols": {"st_info": 0x02},
}
SYMTABS = {
    "symbol table is not made of 24-byte entries": {"sh_entsize": 16},
    "symbol table without a string table": {"sh_link": 1},
    "symbol table lies about its local symbols": {"sh_info": 99},
    "object without a symbol table": {"sh_type": SHT_NOTE},
    "symbol on the wrong side of the local symbols": {"sh_info": 1},
}


@pytest.mark.parametrize("headline", RECORDS)
def test_a_relocation_that_lies_is_refused(in_child, headline):
    error = refusal(in_child, with_relocation(relocated(), ".rela.data", **RECORDS[headline]))
    assert error.headline == headline
    assert ".data" in error.where


@pytest.mark.parametrize("offset", [(1 << 64) - 4, 1 << 63])
def test_an_offset_that_wraps_is_outside_its_section(in_child, offset):
    error = refusal(in_child, with_relocation(relocated(), ".rela.data", r_offset=offset))
    assert error.headline == "relocation outside its section"


@pytest.mark.parametrize("headline", TABLES)
def test_a_relocation_table_that_lies_is_refused(in_child, headline):
    assert refusal(in_child, with_section(relocated(), ".rela.data", **TABLES[headline])).headline == headline


@pytest.mark.parametrize("headline", SYMBOLS)
def test_a_symbol_that_lies_is_refused(in_child, headline):
    error = refusal(in_child, with_symbol(relocated(), "add", **SYMBOLS[headline]))
    assert error.headline == headline
    assert error.where.startswith("symbol 2")


@pytest.mark.parametrize("headline", SYMTABS)
def test_a_symbol_table_that_lies_is_refused(in_child, headline):
    assert refusal(in_child, with_section(relocated(), ".symtab", **SYMTABS[headline])).headline == headline


@pytest.mark.parametrize("table", [".strtab", ".shstrtab"])
def test_a_string_table_without_an_end_is_refused(in_child, table):
    data = relocated()
    sections = read_object(data, "").sections
    number = sections.names.index(table)
    error = refusal(in_child, with_section(data, table, sh_size=sections.sizes[number] - 1))
    assert error.headline == "string table does not end in NUL"


@pytest.mark.parametrize("size", [0, 4, 11, 13, 16])
def test_extended_section_indices_are_one_word_per_symbol(in_child, size):
    writer, _ = writer_of_add()
    # behind .text there are this section, .symtab and .strtab
    writer.section(".symtab_shndx", pack("<3I", 0, 0, 0), SHT_SYMTAB_SHNDX, entsize=4, link=3)
    data = writer.bytes()
    assert in_child(lambda: rtlinker.load(data).function("add", "int(int, int)")(2, 3)) == 5
    error = refusal(in_child, with_section(data, ".symtab_shndx", sh_size=size))
    assert error.headline == "extended section indices are not one word per symbol"


def test_an_extended_index_that_is_not_there_is_refused(in_child):
    writer, _ = writer_of_add()
    writer.section(".symtab_shndx", pack("<3I", 0, 0, 1 << 31), SHT_SYMTAB_SHNDX, entsize=4, link=3)
    error = refusal(in_child, with_symbol(writer.bytes(), "add", st_shndx=0xFFFF))
    assert error.headline == "symbol in a section that is not there"


@pytest.mark.parametrize("value", [17, 1 << 20, (1 << 64) - 8])
@pytest.mark.parametrize("engine", ["scalar", "native"])
def test_a_symbol_may_lie_beyond_its_section_as_for_ld(value, engine):
    object = read_object(with_symbol(relocated(), "local", st_value=value), "beyond.o")
    image = link(inputs(object, engine=engine), Pretended(0x7F0000000000))
    text, data = image.layout.sections[0][1:3]
    expected = (image.address + text + value) % (1 << 64)
    assert unpack_from("<Q", image.memory.view, data) == (expected,)
    assert image.addresses.of_binding(InObject(0, 1)) == expected


@pytest.mark.parametrize("size", [0, 4])
def test_a_section_too_small_for_its_relocations_is_refused(in_child, size):
    error = refusal(in_child, with_section(relocated(), ".data", sh_size=size))
    assert (error.headline, error.where) == ("relocation outside its section", ".data+0x0")


def test_a_relocation_of_nothing_may_stand_in_an_empty_section(in_child):
    data = with_section(with_relocation(relocated(), ".rela.data", type=0), ".data", sh_size=0)
    assert in_child(lambda: rtlinker.load(data).function("add", "int(int, int)")(2, 3)) == 5


def test_relocations_of_a_section_without_contents_are_refused(in_child):
    error = refusal(in_child, with_section(relocated(), ".data", sh_type=SHT_NOBITS))
    assert error.headline == "relocations of a section without contents"


def test_relocations_of_a_section_that_is_not_loaded_are_passed_over(in_child):
    data = with_section(relocated(), ".data", sh_flags=0)
    broken = with_relocation(data, ".rela.data", symbol=99)
    assert in_child(lambda: rtlinker.load(broken).function("add", "int(int, int)")(2, 3)) == 5


BLOCKS = {
    "aligned to 3": (8, 3),
    "aligned to 2 GiB": (8, 1 << 31),
    "aligned to half of all memory": (8, 1 << 63),
    "larger than code reaches": ((1 << 31) + 1, 8),
}


@pytest.mark.parametrize("lie", BLOCKS)
def test_a_common_block_that_no_memory_can_hold_is_refused(in_child, lie):
    writer, _ = writer_of_add()
    writer.common("block", *BLOCKS[lie])
    error = refusal(in_child, writer.bytes())
    assert error.headline == "COMMON block that no memory can hold"
    assert f"{BLOCKS[lie][0]:#x} bytes" in error.found
    assert "block" in error.where


def test_a_common_block_without_an_alignment_is_a_block_of_bytes(in_child):
    writer, _ = writer_of_add()
    writer.common("block", 8, 0)
    data = writer.bytes()
    assert in_child(lambda: rtlinker.load(data).address("block") > 0)


def test_a_note_may_have_any_flags_that_a_system_gives_it(in_child):
    writer, _ = writer_of_add()
    writer.section(".note.x", bytes(12), SHT_NOTE, SHF_ALLOC | 1 << 40, 4)
    data = writer.bytes()
    assert in_child(lambda: rtlinker.load(data).function("add", "int(int, int)")(2, 3)) == 5
