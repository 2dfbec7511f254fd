"""Headers that lie: each is refused with the place in the file; what ld shrugs at is taken."""

import pytest

import rtlinker
from rtlinker.elf.constants import SHF_ALLOC, SHF_COMPRESSED
from rtlinker.elf.reader import read_object
from tests.support.broken import CODE, refusal, with_header, with_section, writer_of_add

FOREIGN = {
    "another width": ({"class": 1}, "a 32-bit ELF file for x86-64 with 32-bit pointers (x32)"),
    "another byte order": ({"order": 2, "e_machine": 62 << 8}, "an ELF file for x86-64, big-endian"),
    "another machine": ({"e_machine": 183}, "an ELF file for AArch64"),
    "an executable": ({"e_type": 2}, "an ELF executable"),
    "a shared library": ({"e_type": 3}, "an ELF shared library or position-independent executable"),
    "a core": ({"e_type": 4}, "an ELF core dump"),
    "an unknown type": ({"e_type": 0xFE00}, "an ELF file of the unknown type 65024"),
}
LIES = {
    "section headers of an unknown size": {"e_shentsize": 40},
    "object without section headers": {"e_shoff": 0},
    "file is cut off": {"e_shoff": 1 << 63},
    "section name table is not a section": {"e_shstrndx": 77},
    "section name table is not a string table": {"e_shstrndx": 1},
}
SECTION_LIES = {
    "file is cut off": {"sh_offset": (1 << 64) - 8},
    "section of an unknown type": {"sh_type": 0x3E},
    "section linked to one that is not there": {"sh_link": 99},
    "section name outside its string table": {"sh_name": 9999},
    "section alignment is not a power of two up to 1 GiB": {"sh_addralign": 24},
    "section is compressed and allocated": {"sh_flags": CODE | SHF_COMPRESSED},
    "section claims more than its code model reaches": {"sh_type": 8, "sh_size": 1 << 32},
    "unused section that takes memory": {"sh_type": 0},
}


@pytest.fixture
def add():
    return writer_of_add()[0].bytes()


@pytest.mark.parametrize("lie", FOREIGN)
def test_a_file_for_something_else_is_named_as_what_it_is(add, in_child, lie, tmp_path):
    fields, found = FOREIGN[lie]
    path = tmp_path / "foreign.o"
    path.write_bytes(with_header(add, **fields))
    with pytest.raises(rtlinker.BadObjectError) as caught:
        in_child(lambda: rtlinker.Linker().load_object(path))
    assert (caught.value.headline, caught.value.found) == ("not an x86-64 relocatable object", found)


@pytest.mark.parametrize("headline", LIES)
def test_an_elf_header_that_lies_is_refused(add, in_child, headline):
    error = refusal(in_child, with_header(add, **LIES[headline]))
    assert isinstance(error, rtlinker.BadObjectError)
    assert error.headline == headline


@pytest.mark.parametrize("headline", SECTION_LIES)
def test_a_section_header_that_lies_is_refused_with_its_number(add, in_child, headline):
    error = refusal(in_child, with_section(add, ".text", **SECTION_LIES[headline]))
    assert error.headline == headline
    assert "section 1" in f"{error.found} {error.where}"


@pytest.mark.parametrize("size", [63, 65, 128])
def test_section_headers_have_one_size(add, in_child, size):
    error = refusal(in_child, with_header(add, e_shentsize=size))
    assert error.headline == "section headers of an unknown size"


def test_a_section_name_right_behind_the_string_table_is_outside(add, in_child):
    sections = read_object(add, "add.o").sections
    error = refusal(in_child, with_section(add, ".text", sh_name=sections.sizes[sections.names.index(".shstrtab")]))
    assert error.headline == "section name outside its string table"


def test_relocations_of_an_unknown_form_are_not_passed_over(in_child):
    writer, text = writer_of_add()
    writer.relocation(text, 8, 2, writer.undefined("other"), -4)
    error = refusal(in_child, with_section(writer.bytes(), ".rela.text", sh_type=0x40000099))
    assert (error.headline, error.found) == ("section of an unknown type", "sh_type 0x40000099")


@pytest.mark.parametrize("kind", [0x6FFFFF00, 0x80000001])
def test_types_of_systems_and_users_are_bytes_to_the_linker(add, in_child, kind):
    changed = with_section(add, ".text", sh_type=kind)
    assert in_child(lambda: rtlinker.load(changed).function("add", "int(int, int)")(2, 3)) == 5


def test_sections_that_share_bytes_of_the_file_link(in_child):
    writer, _ = writer_of_add()
    writer.section(".rodata", bytes(16), flags=SHF_ALLOC)
    data = writer.bytes()
    start = data.index(b"\x8d\x04\x37\xc3")
    overlapping = with_section(data, ".rodata", sh_offset=start + 2, sh_size=8)
    assert in_child(lambda: rtlinker.load(overlapping).function("add", "int(int, int)")(2, 3)) == 5
