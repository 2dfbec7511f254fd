"""The psABI's rows, relaxations and stubs as data."""

import pytest

from rtlinker.x86_64.relaxations import CALL, JMP, MOV_TO_LEA, match_relaxation
from rtlinker.x86_64.rules import LETTERS, RULES, rule_name
from rtlinker.x86_64.stubs import STUB_SIZE, stub_code


def test_numbers_are_the_keys_and_are_not_repeated():
    assert all(number == rule.number for number, rule in RULES.items())
    assert sorted(RULES) == list(range(52))
    assert len({rule.name for rule in RULES.values()}) == len(RULES)


def test_formulas_of_objects_are_sums_of_known_letters():
    for rule in RULES.values():
        if rule.sort == "object" and rule.formula:
            assert rule.terms.keys() <= set(LETTERS)
            assert rule.terms["A"] == 1


def test_a_type_the_psabi_does_not_have_still_has_a_name():
    assert rule_name(77) == "relocation type 77"


@pytest.mark.parametrize(
    ("opcode", "relaxation"),
    [
        ("8b05", MOV_TO_LEA),
        ("8b3d", MOV_TO_LEA),
        ("ff15", CALL),
        ("ff25", JMP),
        ("8505", None),
        ("0305", None),
        ("8b45", None),
    ],
)
def test_only_the_three_forms_are_matched(opcode, relaxation):
    assert match_relaxation(int.from_bytes(bytes.fromhex(opcode), "little")) is relaxation


def test_a_stub_is_sixteen_bytes_that_jump_through_its_pointer():
    capstone = pytest.importorskip("capstone")
    code = stub_code(0x1000, 0x3008)
    assert len(code) == STUB_SIZE
    decoded = list(capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64).disasm(code, 0x1000))
    assert [line.mnemonic for line in decoded] == ["endbr64", "jmp", "nop"]
    assert 0x1000 + 4 + decoded[1].size + int(decoded[1].op_str.rpartition("+ ")[2].rstrip("]"), 16) == 0x3008
