"""Section groups that contradict themselves: dropping them would drop what somebody else needs."""

from struct import pack_into

import pytest

from rtlinker.elf.constants import STB_WEAK, STT_FUNC
from rtlinker.elf.reader import read_object
from tests.support.broken import CODE, refusal, with_section, writer_of_add


def grouped(*words, group=1):
    """`add`, and two COMDAT groups of one section each; the words of one group's section are changed to `words`."""
    writer, _ = writer_of_add()
    for name in ("one", "two"):
        section = writer.section(f".text.{name}", b"\xc3", flags=CODE)
        writer.group(writer.symbol(name, section, 0, 1, bind=STB_WEAK, type=STT_FUNC), [section])
    data = bytearray(writer.bytes())
    pack_into(f"<{len(words)}I", data, read_object(bytes(data), "").sections.offsets[group], *words)
    return bytes(data)


MEMBERS = {
    "section group names a section that is not there": (1, 99),
    "section group names a section group": (1, 1),
    "section group names a section that is no member": (1, 3),
    "section in two section groups": (1, 5),
}


@pytest.mark.parametrize("headline", MEMBERS)
def test_a_group_with_a_member_that_cannot_be_one_is_refused(in_child, headline):
    error = refusal(in_child, grouped(*MEMBERS[headline]))
    assert error.headline == headline
    assert error.where.endswith(".group")


def test_a_group_that_names_the_null_section_is_refused(in_child):
    assert refusal(in_child, grouped(1, 0)).headline == "section group names a section that is not there"


@pytest.mark.parametrize("size", [0, 2, 7])
def test_a_group_of_odd_size_is_refused(in_child, size):
    error = refusal(in_child, with_section(grouped(1), 1, sh_size=size))
    assert (error.headline, error.where) == ("section group is not made of words", "section 1 .group")


@pytest.mark.parametrize("fields", [{"sh_info": 999}, {"sh_link": 3}])
def test_a_group_without_a_signature_is_refused(in_child, fields):
    assert refusal(in_child, with_section(grouped(1), 1, **fields)).headline == "section group without a signature"


def test_the_groups_themselves_are_accepted():
    assert [group.signature for group in read_object(grouped(1, 4), "").groups] == ["one", "two"]
