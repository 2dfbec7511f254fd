"""The guard's bytes are what the assembly beside them says, and its unwind tables what the assembler makes of them."""

import struct

import pytest
from elftools.elf.elffile import ELFFile

from rtlinker.x86_64.guard import (
    AFTER_LAST_LEAVE,
    AFTER_LEAVE,
    AFTER_MOVE,
    AFTER_PUSH,
    CODE,
    FIRST_THUNK,
    GUARD,
    LANDING,
    PERSONALITY,
    ROUTINES,
    SPAN,
    TABLES,
    THUNK,
    THUNK_SIZE,
    stack_room,
    thunk_code,
    unwind_tables,
)

DIRECTIVES = {
    AFTER_PUSH: ".cfi_def_cfa_offset 16\n.cfi_offset rbp, -16\n",
    AFTER_MOVE: ".cfi_def_cfa_register rbp\n.cfi_remember_state\n",
    AFTER_LEAVE: ".cfi_def_cfa rsp, 8\n",
    AFTER_LEAVE + 1: ".cfi_restore_state\n",
}


def assembly() -> str:
    """A block, with the tables' contents as directives."""
    text = f".set SPAN, {SPAN}\nBLOCK: .org {CODE}\nguard: .cfi_startproc\n.cfi_personality 0x1b, personality\n"
    at = 0
    for code, line in GUARD:
        at += len(bytes.fromhex(code))
        text += f"{line}\n{DIRECTIVES.get(at, '')}"
    text, at = text + "landing: ", 0
    for code, line in LANDING:
        at += len(bytes.fromhex(code))
        text += f"{line}\n{'.cfi_def_cfa rsp, 8' if at == AFTER_LAST_LEAVE else ''}\n"
    text += ".cfi_endproc\n"
    text += "personality: " + "\n".join(line for _, line in PERSONALITY) + "\n.p2align 4, 0xcc\n.cfi_startproc\n"
    thunk = "\n".join(line for _, line in THUNK) + "\n"
    return text + thunk + thunk + f".org {CODE + SPAN}\n.cfi_endproc\n"


@pytest.fixture
def assembled(compile):
    with compile(assembly(), "asm").open("rb") as file:
        elf = ELFFile(file)
        tables = bytearray(elf.get_section_by_name(".eh_frame").data())
        for site in elf.get_section_by_name(".rela.eh_frame").iter_relocations():
            offset = site["r_offset"]
            struct.pack_into("<i", tables, offset, site["r_addend"] - TABLES - offset)  # S of .text is the block, 0
        return elf.get_section_by_name(".text").data(), bytes(tables)


def test_the_routines_are_their_assembly(assembled):
    assert assembled[0][CODE : CODE + len(ROUTINES)] == ROUTINES


def test_after_each_leave_the_frame_is_found_by_the_stack_pointer():
    leave = bytes.fromhex("c9")
    code = [b"".join(bytes.fromhex(code) for code, _ in lines) for lines in (GUARD, LANDING)]
    assert [code[0][AFTER_LEAVE - 1 : AFTER_LEAVE], code[1][AFTER_LAST_LEAVE - 1 : AFTER_LAST_LEAVE]] == [leave, leave]
    assert [len(code[0]), len(code[1])] == [AFTER_LEAVE + 1, AFTER_LAST_LEAVE + 1]


def test_a_thunk_is_its_assembly(assembled):
    for place in (FIRST_THUNK, FIRST_THUNK + THUNK_SIZE):
        assert assembled[0][place : place + THUNK_SIZE] == thunk_code(place)


def test_the_unwind_tables_are_what_the_assembler_makes(assembled):
    assert records(unwind_tables()) == [*records(assembled[1]), b""]


def records(tables):
    """The records without their lengths and the zeros that fill them up, of which the assembler's last has more."""
    found, at = [], 0
    while at < len(tables):
        end = at + 4 + int.from_bytes(tables[at : at + 4], "little")
        assert end % 4 == 0
        found.append(tables[at + 4 : end].rstrip(b"\0"))
        at = end
    return found


@pytest.mark.parametrize("words", range(1, 100))
def test_copied_arguments_keep_their_alignment_and_few_words_are_copied_in_vain(words):
    room = stack_room(words)
    assert 0 <= room - words < 8
    assert (8 * room + 16) % 64 == 0


def test_no_stack_arguments_are_no_copy():
    assert stack_room(0) == 0
