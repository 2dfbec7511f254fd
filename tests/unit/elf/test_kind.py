from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtlinker.elf import constants as elf
from rtlinker.elf.kind import MAGICS, file_kind
from rtlinker.elf.writer import ObjectWriter


def header(file_type: int, machine: int = elf.EM_X86_64) -> bytes:
    return ObjectWriter(machine, file_type).bytes()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (header(elf.ET_REL), "object"),
        (header(elf.ET_EXEC), "executable"),
        (header(elf.ET_DYN), "shared library"),
        (header(elf.ET_CORE), "core"),
        (header(77), "unknown"),
        (header(elf.ET_REL, 183), "elf other machine"),
        (b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x01\0\x03\0", "elf32"),
        (b"\x7fELF\x02\x01", "unknown"),
        (b"!<arch>\n", "archive"),
        (b"!<thin>\n", "thin archive"),
        (b"/* GNU ld script */ GROUP(a)", "linker script"),
        (b"BC\xc0\xde\x35\x14", "llvm bitcode"),
        (b"\xde\xc0\x17\x0b\0\0\0\0", "llvm bitcode"),
        (b"", "empty"),
        (b"int main(void);\n", "text"),
        ("größer\n".encode(), "text"),
        (b"\0\1\2\3", "unknown"),
        (b"\xff" * 100, "unknown"),
    ],
)
def test_each_kind_is_recognised(data: bytes, kind: str) -> None:
    assert file_kind(data).kind == kind


@pytest.mark.parametrize(
    ("data", "description"),
    [
        (header(elf.ET_REL, 183), "an ELF file for AArch64"),
        (header(elf.ET_REL, 4242), "an ELF file for machine 4242"),
        (b"\x7fELF\x02\x02\x01" + bytes(9) + b"\0\x01\0\x15", "an ELF file for PowerPC64, big-endian"),
        (b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x01\0\x03\0", "a 32-bit ELF file for i386"),
        (
            b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x01\0\x3e\0",
            "a 32-bit ELF file for x86-64 with 32-bit pointers (x32)",
        ),
        (b"\x7fELF\x02\x01", "an ELF file cut short after 6 bytes"),
        (b"\xcf\xfa\xed\xfe\0\0", "a Mach-O file, of macOS"),
        (b"\n  first line of it \nsecond", "a text file that begins with 'first line of it'"),
        (b"\0\1\2\3", "of no known kind; it begins with 00 01 02 03"),
    ],
)
def test_the_description_says_what_it_is(data: bytes, description: str) -> None:
    assert file_kind(data).description == description


def test_text_cut_inside_a_character_is_still_text() -> None:
    assert file_kind(b"a" * 4095 + "ü".encode()).kind == "text"


def test_only_the_front_of_a_file_is_looked_at() -> None:
    assert file_kind(b"a" * 4096 + b"\0\xff").kind == "text"


def test_a_memoryview_is_looked_at_like_bytes() -> None:
    assert file_kind(memoryview(b"!<arch>\nrest")).kind == "archive"


MAGIC_NUMBERS = st.sampled_from([b"", b"/* ", b"\x7fELF", b"\x7fELF\x02\x01", *(magic for magic, _ in MAGICS)])


@given(MAGIC_NUMBERS, st.binary(max_size=80))
def test_any_bytes_have_a_kind_and_a_description(magic: bytes, rest: bytes) -> None:
    kind = file_kind(magic + rest)
    assert kind.kind and kind.description
