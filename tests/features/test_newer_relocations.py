"""CODE_4_GOTPCRELX, of instructions with a REX2 prefix, is newer than our assembler: its number is written by hand."""

import ctypes
from struct import pack

import pytest

import rtlinker

SOURCE = """
.globl load, value
load:  .byte 0xd5, 0x48, 0x8b, 0x05   # mov value@GOTPCREL(%rip), %r16: needs APX to run, so it is only looked at
       .reloc ., R_X86_64_REX_GOTPCRELX, value{addend}
       .long 0
       ret
.data
value: .long 7
"""
NUMBERS = {"R_X86_64_REX_GOTPCRELX": 42, "R_X86_64_CODE_4_GOTPCRELX": 43}


def renumbered(path, old, new):
    """The object's bytes with the only relocation of type `old` become one of type `new`."""
    data = path.read_bytes()
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as stream:
        section = ELFFile(stream).get_section_by_name(".rela.text")
        (place,) = [at for at, one in enumerate(section.iter_relocations()) if one["r_info_type"] == old]
        at = section["sh_offset"] + 24 * place + 8
    return data[:at] + pack("<I", new) + data[at + 4 :]


def test_a_load_with_a_rex2_prefix_is_relaxed(compile, in_child):
    data = renumbered(compile(SOURCE.format(addend="-4"), "asm"), 42, 43)

    def call():
        library = rtlinker.load(data)
        code, at = ctypes.string_at(library.address("load"), 8), library.address("load")
        return code[:4], at + 8 + int.from_bytes(code[4:], "little", signed=True) == library.address("value")

    assert in_child(call) == (b"\xd5\x48\x8d\x05", True)


@pytest.mark.parametrize("number", [43, 46, 49])
def test_another_addend_keeps_the_slot(compile, in_child, number):
    data = renumbered(compile(SOURCE.format(addend="-5"), "asm"), 42, number)

    def call():
        library = rtlinker.load(data)
        code, at = ctypes.string_at(library.address("load"), 8), library.address("load")
        slot = at + 9 + int.from_bytes(code[4:], "little", signed=True)
        return code[2], ctypes.c_uint64.from_address(slot).value == library.address("value")

    assert in_child(call) == (0x8B, True)


@pytest.mark.parametrize("number", [52, 77, 0xFFFFFFFF])
def test_a_number_that_the_psabi_does_not_have_is_a_bad_object(compile, in_child, number):
    data = renumbered(compile(SOURCE.format(addend="-4"), "asm"), 42, number)
    with pytest.raises(rtlinker.BadObjectError, match="psABI does not have") as caught:
        in_child(lambda: rtlinker.load(data))
    assert caught.value.where.startswith(".text+0x4")
