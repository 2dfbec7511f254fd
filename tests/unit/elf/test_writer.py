from __future__ import annotations

from io import BytesIO

import pytest
from elftools.elf.elffile import ELFFile

from rtlinker.elf import constants as elf
from rtlinker.elf.writer import ObjectWriter

CODE = elf.SHF_ALLOC | elf.SHF_EXECINSTR


def parsed(writer: ObjectWriter) -> ELFFile:
    return ELFFile(BytesIO(writer.bytes()))


def symbols(file: ELFFile) -> list[str]:
    return [symbol.name for symbol in file.get_section_by_name(".symtab").iter_symbols()]


def test_an_empty_object_is_a_valid_object() -> None:
    file = parsed(ObjectWriter())
    assert (file["e_type"], file["e_machine"], file.num_sections()) == ("ET_REL", "EM_X86_64", 4)


def test_a_section_carries_what_it_was_given() -> None:
    writer = ObjectWriter()
    writer.section(".x", b"abc", elf.SHT_PROGBITS, CODE, 64, entsize=3, info=9)
    section = parsed(writer).get_section_by_name(".x")
    fields = [section[f"sh_{field}"] for field in ("flags", "addralign", "size", "entsize", "info")]
    assert (section.data(), fields) == (b"abc", [CODE, 64, 3, 3, 9])


def test_contents_lie_at_a_multiple_of_their_alignment() -> None:
    writer = ObjectWriter()
    writer.section(".a", b"x")
    writer.section(".b", b"y", align=4096)
    assert parsed(writer).get_section_by_name(".b")["sh_offset"] % 4096 == 0


def test_a_handle_is_the_section_number_when_there_are_no_groups() -> None:
    writer = ObjectWriter()
    handles = [writer.section(".a"), writer.section(".b")]
    file = parsed(writer)
    assert [file.get_section(handle).name for handle in handles] == [".a", ".b"]


def test_nobits_takes_no_room_in_the_file() -> None:
    writer = ObjectWriter()
    writer.section(".bss", type=elf.SHT_NOBITS, size=1 << 40)
    assert len(writer.bytes()) < 1000


def test_locals_come_before_globals_in_the_order_they_were_made() -> None:
    writer = ObjectWriter()
    text = writer.section(".text")
    for name, bind in (("g1", 1), ("l1", 0), ("w1", 2), ("l2", 0)):
        writer.symbol(name, text, bind=bind)
    assert symbols(parsed(writer)) == ["", "l1", "l2", "g1", "w1"]


def test_sh_info_of_the_symbol_table_is_the_first_global() -> None:
    writer = ObjectWriter()
    text = writer.section(".text")
    writer.symbol("g", text)
    writer.symbol("l", text, bind=elf.STB_LOCAL)
    assert parsed(writer).get_section_by_name(".symtab")["sh_info"] == 2


@pytest.mark.parametrize(
    ("make", "index"), [("undefined", "SHN_UNDEF"), ("absolute", "SHN_ABS"), ("common", "SHN_COMMON")]
)
def test_a_symbol_in_no_section_has_its_reserved_number(make: str, index: str) -> None:
    writer = ObjectWriter()
    getattr(writer, make)("x", *{"undefined": (), "absolute": (5,), "common": (8, 16)}[make])
    assert parsed(writer).get_section_by_name(".symtab").get_symbol(1)["st_shndx"] == index


def test_a_common_symbol_keeps_its_alignment_in_the_value() -> None:
    writer = ObjectWriter()
    writer.common("x", 8, 32)
    symbol = parsed(writer).get_section_by_name(".symtab").get_symbol(1)
    assert (symbol["st_size"], symbol["st_value"]) == (8, 32)


def test_visibility_bind_and_type_are_written() -> None:
    writer = ObjectWriter()
    text = writer.section(".text")
    writer.symbol("f", text, 4, 9, bind=elf.STB_WEAK, type=elf.STT_FUNC, visibility=elf.STV_PROTECTED)
    symbol = parsed(writer).get_section_by_name(".symtab").get_symbol(1)
    kind = (symbol["st_info"]["bind"], symbol["st_info"]["type"], symbol["st_other"]["visibility"])
    assert kind == ("STB_WEAK", "STT_FUNC", "STV_PROTECTED")


def test_a_relocation_follows_its_symbol_when_symbols_are_sorted() -> None:
    writer = ObjectWriter()
    text = writer.section(".text", bytes(8), flags=CODE)
    late = writer.undefined("late")
    writer.relocation(text, 4, 2, late, -4)
    writer.symbol("first", text, bind=elf.STB_LOCAL)
    file = parsed(writer)
    (row,) = file.get_section_by_name(".rela.text").iter_relocations()
    fields = (row["r_offset"], row["r_info_type"], row["r_addend"], symbols(file)[row["r_info_sym"]])
    assert fields == (4, 2, -4, "late")


def test_a_relocation_section_names_its_target() -> None:
    writer = ObjectWriter()
    writer.section(".a")
    target = writer.section(".b", bytes(8))
    writer.relocation(target, 0, 1, 0)
    file = parsed(writer)
    assert file.get_section(file.get_section_by_name(".rela.b")["sh_info"]).name == ".b"


def grouped() -> ELFFile:
    writer = ObjectWriter()
    writer.section(".text")
    inline = writer.section(".text.inline", bytes(8), flags=CODE)
    writer.relocation(inline, 0, 1, 0)
    writer.section(".ordered", flags=elf.SHF_LINK_ORDER, link=inline, info=7)
    writer.section(".about", flags=elf.SHF_INFO_LINK, info=inline)
    writer.group(writer.symbol("inline", inline, bind=elf.STB_WEAK), [inline])
    return parsed(writer)


def group_words(file: ELFFile) -> list[int]:
    data = file.get_section_by_name(".group").data()
    return [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]


def test_a_group_holds_its_sections_and_their_relocations() -> None:
    file = grouped()
    flag, *numbers = group_words(file)
    names = [file.get_section(number).name for number in numbers]
    assert (flag, names) == (elf.GRP_COMDAT, [".text.inline", ".rela.text.inline"])


def test_the_header_of_a_group_comes_before_those_of_its_members() -> None:
    file = grouped()
    assert file.get_section_index(".group") < min(group_words(file)[1:])


def test_members_of_a_group_are_flagged() -> None:
    file = grouped()
    flags = [bool(section["sh_flags"] & elf.SHF_GROUP) for section in file.iter_sections()]
    marked = [section.name for section, flag in zip(file.iter_sections(), flags, strict=True) if flag]
    assert marked == [".text.inline", ".rela.text.inline"]


def test_a_link_between_sections_survives_a_group() -> None:
    file = grouped()
    assert file.get_section(file.get_section_by_name(".ordered")["sh_link"]).name == ".text.inline"


def test_info_is_moved_by_a_group_only_when_it_is_a_section() -> None:
    file = grouped()
    about = file.get_section_by_name(".about")["sh_info"]
    assert (file.get_section(about).name, file.get_section_by_name(".ordered")["sh_info"]) == (".text.inline", 7)


def test_a_symbol_stays_in_its_section_when_there_is_a_group() -> None:
    file = grouped()
    symbol = file.get_section_by_name(".symtab").get_symbol_by_name("inline")[0]
    assert file.get_section(symbol["st_shndx"]).name == ".text.inline"


def test_writing_twice_gives_the_same_bytes() -> None:
    writer = ObjectWriter()
    writer.symbol("f", writer.section(".text", b"\xc3"))
    assert writer.bytes() == writer.bytes()


def test_a_symbol_in_a_section_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no section has the handle 3"):
        ObjectWriter().symbol("f", 3)


def test_a_relocation_of_a_symbol_that_does_not_exist_is_refused() -> None:
    writer = ObjectWriter()
    with pytest.raises(ValueError, match="no symbol 7"):
        writer.relocation(writer.section(".text"), 0, 1, 7)


def test_a_relocation_in_no_section_is_refused() -> None:
    with pytest.raises(ValueError, match="no section 0"):
        ObjectWriter().relocation(0, 0, 1, 0)


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0xFEFF, (0xFEFF, 0xFEFE)),
        (0xFF00, (0, 0xFEFF)),
        (0xFF01, (0, elf.SHN_XINDEX)),
    ],
)
def test_numbers_of_16_bits_move_to_section_0_when_they_reach_the_reserved_ones(
    count: int, written: tuple[int, int]
) -> None:
    writer = ObjectWriter()
    for _ in range(count - 4):
        writer.section(".x")
    header = parsed(writer).header
    assert (header["e_shnum"], header["e_shstrndx"]) == written


def many_sections(count: int) -> ELFFile:
    writer = ObjectWriter()
    for number in range(count):
        writer.symbol(f"f{number}", writer.section(f".text.{number}", b"\xc3", flags=CODE))
    return parsed(writer)


@pytest.mark.parametrize("count", [0xFF00 - 5, 0xFF00 - 4, 0xFF00 - 1, 0xFF00, 66_000])
def test_the_section_count_is_right_around_and_past_the_16_bit_limit(count: int) -> None:
    # null, .symtab, .strtab and .shstrtab come on top, and .symtab_shndx once a symbol needs it
    extra = 5 if count >= elf.SHN_LORESERVE else 4
    assert many_sections(count).num_sections() == count + extra


@pytest.mark.parametrize("count", [0xFF00 - 1, 0xFF00, 66_000])
def test_the_last_section_is_found_by_its_symbol(count: int) -> None:
    file = many_sections(count)
    number = file.get_section_by_name(".symtab").get_symbol(count)["st_shndx"]
    if number in ("SHN_XINDEX", elf.SHN_XINDEX):
        number = file.get_section_by_name(".symtab_shndx").get_section_index(count)
    assert file.get_section(number).name == f".text.{count - 1}"
