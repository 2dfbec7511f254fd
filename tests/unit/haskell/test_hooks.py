"""The machine code that stands before functions of the runtime and of libc is what its assembly says."""

from __future__ import annotations

import subprocess
from io import BytesIO

import pytest
from elftools.elf.elffile import ELFFile

from rtlinker.elf.reader import read_object
from rtlinker.haskell.hooks import KEEPER, PROFILER, R_X86_64_GOTPCREL, R_X86_64_PC32, SURROUNDINGS
from rtlinker.x86_64.rules import rule_name
from tests.support.compile import run

FUNCTIONS = {**KEEPER.functions, **PROFILER.functions, **SURROUNDINGS.functions}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_bytes_are_those_that_as_makes_of_the_assembly(tmp_path, name):
    source, made = tmp_path / "a.s", tmp_path / "a.o"
    source.write_text("".join(f"{line.assembly}\n" for line in FUNCTIONS[name]))
    run("as", source, "-o", made)
    with made.open("rb") as file:
        assembled = ELFFile(file).get_section_by_name(".text").data()
    assert assembled.hex() == "".join(line.code.replace(" ", "") for line in FUNCTIONS[name])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_jump_ends_where_an_instruction_begins(name):
    lines = FUNCTIONS[name]
    sizes = [len(bytes.fromhex(line.code)) for line in lines]
    starts = [sum(sizes[:number]) for number in range(len(lines))]
    for start, line in zip(starts, lines):
        if line.assembly.startswith("j") and not line.rule:
            assert start + int(line.assembly.rpartition(".")[2]) in starts


@pytest.mark.parametrize("hooks", [KEEPER, PROFILER, SURROUNDINGS], ids=["keeper", "profiler", "surroundings"])
def test_the_object_defines_every_function_and_word(hooks):
    symbols = ELFFile(BytesIO(hooks.written())).get_section_by_name(".symtab")
    defined = {symbol.name for symbol in symbols.iter_symbols() if symbol["st_shndx"] != "SHN_UNDEF"}
    assert {*hooks.functions, *hooks.words} <= defined
    assert read_object(hooks.written(), "hooks.o")


def test_the_relocation_numbers_are_those_of_the_table_of_rules():
    assert [rule_name(R_X86_64_PC32), rule_name(R_X86_64_GOTPCREL)] == ["R_X86_64_PC32", "R_X86_64_GOTPCREL"]


def test_the_object_is_one_that_the_system_linker_takes(tmp_path):
    path = tmp_path / "hooks.o"
    path.write_bytes(KEEPER.written())
    subprocess.run(["ld", "-r", "-o", tmp_path / "out.o", path], check=True)
