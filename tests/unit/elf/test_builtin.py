from __future__ import annotations

from io import BytesIO

import pytest
from elftools.elf.elffile import ELFFile

from rtlinker.elf.builtin import R_X86_64_PC32, R_X86_64_PLT32, ROUTINES, builtin_archive
from rtlinker.errors import BadObjectError
from rtlinker.x86_64.rules import rule_name

ARCHIVE = builtin_archive()


def symbol_of(name: str, owner: str = "") -> dict[str, object]:
    owner = owner or name
    data = bytes(ARCHIVE.contents(ARCHIVE.member_at(ARCHIVE.index()[owner])))
    (symbol,) = ELFFile(BytesIO(data)).get_section_by_name(".symtab").get_symbol_by_name(name)
    return symbol


@pytest.mark.parametrize("name", list(ARCHIVE.index()))
def test_each_name_of_the_index_is_defined_by_its_member(name: str) -> None:
    assert symbol_of(name)["st_shndx"] != "SHN_UNDEF"


@pytest.mark.parametrize("routine", ROUTINES, ids=lambda routine: routine.names[0])
def test_each_routine_begins_with_endbr64(routine: object) -> None:
    (member,) = [member for member in ARCHIVE.members if member.name == routine.names[0] + ".o"]
    text = ELFFile(BytesIO(bytes(ARCHIVE.contents(member)))).get_section_by_name(".text")
    assert text.data().startswith(b"\xf3\x0f\x1e\xfa")


def test_no_name_is_defined_twice() -> None:
    names = [name for routine in ROUTINES for name in routine.names]
    assert len(names) == len(set(names))


def test_the_stack_protector_entry_is_hidden() -> None:
    assert symbol_of("__stack_chk_fail_local")["st_other"]["visibility"] == "STV_HIDDEN"


def test_the_dso_handle_is_asked_for_as_hidden() -> None:
    assert symbol_of("__dso_handle", "atexit")["st_other"]["visibility"] == "STV_HIDDEN"


def test_pthread_atfork_is_a_weak_alias() -> None:
    assert symbol_of("pthread_atfork")["st_info"]["bind"] == "STB_WEAK"


def test_label_names_archive_and_member() -> None:
    assert ARCHIVE.label(ARCHIVE.member_at(1)) == "rtlinker's libc_nonshared(atexit.o)"


@pytest.mark.parametrize("offset", [-1, 0, 1000])
def test_an_offset_of_no_member_is_refused(offset: int) -> None:
    with pytest.raises(BadObjectError):
        ARCHIVE.member_at(offset)


def test_the_relocation_numbers_are_those_of_the_table_of_rules() -> None:
    assert [rule_name(R_X86_64_PC32), rule_name(R_X86_64_PLT32)] == ["R_X86_64_PC32", "R_X86_64_PLT32"]
