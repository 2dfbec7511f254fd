"""The machine code that is kept as bytes is what the assembly beside it means."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from elftools.elf.elffile import ELFFile

from rtlinker.x86_64 import kernels, name_kernels, rescue, startup

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BYTES = {
    "rescue": (
        [(bytes.fromhex(code), text) for code, text in rescue.CODE_LINES],
        rescue.CODE_BYTES,
        f".set state, start + {rescue.STATE}\n",
    ),
    "prologue": (list(startup.PROLOGUE), startup.BEFORE, ""),
    "epilogue": (list(startup.EPILOGUE), startup.AFTER, ""),
    "padding": ([startup.PADDING], startup.PADDING[0], ""),
    **{
        name: ([(bytes.fromhex(code), text) for code, text in lines], wanted, "")
        for name, lines, wanted in (
            ("place", kernels.PLACE, kernels.PLACE_CODE),
            ("scan", kernels.SCAN, kernels.SCAN_CODE),
            ("relocate", kernels.RELOCATE, kernels.RELOCATE_CODE),
            ("hash", name_kernels.HASH, name_kernels.HASH_CODE),
            ("find", name_kernels.FIND, name_kernels.FIND_CODE),
        )
    },
}


@pytest.mark.parametrize("name", BYTES)
def test_the_bytes_are_those_of_the_assembly(compile: Callable[..., Path], name: str) -> None:
    lines, wanted, head = BYTES[name]
    text = "\n".join(line for _, line in lines)
    code = ELFFile(BytesIO(compile(f"{head}start:\n{text}\n", "asm").read_bytes())).get_section_by_name(".text")
    assert code.data() == wanted == b"".join(part for part, _ in lines)


def test_the_unwind_table_is_what_the_assembler_makes(compile: Callable[..., Path]) -> None:
    after = {text: directives.replace(";", "\n") for text, _, directives in rescue._AFTER}
    text = "start: .cfi_startproc\n"
    for _, line in rescue.RUN:
        text += f"{line}\n{after.get(line, '')}\n"
    elf = ELFFile(BytesIO(compile(f".set state, start + {rescue.STATE}\n{text}.cfi_endproc\n", "asm").read_bytes()))
    tables = bytearray(elf.get_section_by_name(".eh_frame").data())
    for site in elf.get_section_by_name(".rela.eh_frame").iter_relocations():
        place = site["r_offset"]
        struct.pack_into("<i", tables, place, site["r_addend"] - rescue.TABLE_AT - place)
    made = rescue.unwind_table()
    assert [made[4:24], made[28:-4].rstrip(b"\0")] == [tables[4:24], tables[28:].rstrip(b"\0")]
    assert rescue.TABLE_AT + len(made) <= rescue.STATE


def test_functions_begin_where_their_offsets_say() -> None:
    for offset in (0, rescue.HANDLER_AT, rescue.PERFORM_AT):
        assert rescue.CODE_BYTES[offset:].startswith(b"\xf3\x0f\x1e\xfa")
    assert rescue.CODE_BYTES[rescue.RESTORER_AT : rescue.PERFORM_AT] == b"\xb8\x0f\0\0\0\x0f\x05"


def test_an_empty_function_returns_at_once() -> None:
    assert startup.blank_function(13, framed=True) == startup.BEFORE + startup.AFTER
    assert startup.blank_function(3, framed=False) == b"\x90" * 3
