"""Valid objects of which single fields are changed, and what loading them comes to."""

from __future__ import annotations

from struct import pack_into

import rtlinker
from rtlinker.elf.constants import SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, STB_LOCAL, STT_FUNC
from rtlinker.elf.reader import read_object
from rtlinker.elf.writer import ObjectWriter
from tests.support.child import memory_map

CODE, DATA = SHF_ALLOC | SHF_EXECINSTR, SHF_ALLOC | SHF_WRITE

HEADER = {
    "class": (4, "B"), "order": (5, "B"), "version": (6, "B"), "e_type": (16, "<H"), "e_machine": (18, "<H"),
    "e_shoff": (40, "<Q"), "e_shentsize": (58, "<H"), "e_shnum": (60, "<H"), "e_shstrndx": (62, "<H"),
}  # fmt: skip
SECTION = {
    "sh_name": (0, "<I"), "sh_type": (4, "<I"), "sh_flags": (8, "<Q"), "sh_offset": (24, "<Q"), "sh_size": (32, "<Q"),
    "sh_link": (40, "<I"), "sh_info": (44, "<I"), "sh_addralign": (48, "<Q"), "sh_entsize": (56, "<Q"),
}  # fmt: skip
SYMBOL = {"st_name": (0, "<I"), "st_info": (4, "<B"), "st_shndx": (6, "<H"), "st_value": (8, "<Q")}
RELOCATION = {"r_offset": (0, "<Q"), "type": (8, "<I"), "symbol": (12, "<I"), "r_addend": (16, "<q")}


def writer_of_add() -> tuple[ObjectWriter, int]:
    """A writer with `int add(int, int)` in .text, which begins with that symbol's handle; and the section's."""
    writer = ObjectWriter()
    # lea (%rdi,%rsi), %eax; ret
    text = writer.section(".text", b"\x8d\x04\x37\xc3" + b"\x90" * 12, flags=CODE, align=16)
    writer.symbol("add", text, 0, 4, type=STT_FUNC)
    writer.symbol("local", text, 4, 4, bind=STB_LOCAL)
    return writer, text


def with_header(data: bytes, **fields: int) -> bytes:
    """The object with fields of its ELF header changed."""
    return _changed(data, 0, HEADER, fields)


def with_section(data: bytes, section: str | int, **fields: int) -> bytes:
    """The object with fields of one section's header changed; the section by its name or number."""
    number = section if isinstance(section, int) else read_object(data, "").sections.names.index(section)
    return _changed(data, int.from_bytes(data[40:48], "little") + 64 * number, SECTION, fields)


def with_symbol(data: bytes, name: str, **fields: int) -> bytes:
    """The object with fields of one symbol changed."""
    object = read_object(data, "")
    number = next(at for at in range(len(object.symbols)) if object.symbols.name(at) == name)
    return _changed(data, object.sections.offsets[object.sections.types.index(2)] + 24 * number, SYMBOL, fields)


def with_relocation(data: bytes, section: str, number: int = 0, **fields: int) -> bytes:
    """The object with fields of one record of a relocation table changed."""
    sections = read_object(data, "").sections
    return _changed(data, sections.offsets[sections.names.index(section)] + 24 * number, RELOCATION, fields)


def _changed(data: bytes, start: int, known: dict[str, tuple[int, str]], fields: dict[str, int]) -> bytes:
    changed = bytearray(data)
    for name, value in fields.items():
        offset, form = known[name]
        pack_into(form, changed, start + offset, value)
    return bytes(changed)


def refusal(in_child, *files, **named) -> rtlinker.LinkError:
    """The error that loading ends in, and that it leaves no memory behind. Fails when the load succeeds."""

    def attempts():
        maps = []
        for _ in range(4):  # the first rounds import modules and grow the heap
            try:
                rtlinker.load(*files, **named)
            except rtlinker.LinkError as error:
                refused = error
            else:
                return None, maps
            maps.append({mapping[:3] for mapping in memory_map() if "x" in mapping.letters or mapping.end < 1 << 31})
        return refused, maps

    error, maps = in_child(attempts)
    assert error is not None, "it was loaded"
    assert maps[-1] == maps[1], "the failed load left memory behind"
    assert len(error.headline) <= 72
    return error
