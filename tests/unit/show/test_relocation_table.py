"""The page of relocation rules: that the committed one is the one the rules make, and that it leaves nothing out."""

import subprocess
import sys
from pathlib import Path

import pytest

from rtlinker.show.relocation_table import LETTERS, PLACES, field_text, relocation_table, row
from rtlinker.x86_64.rules import LETTERS as RULE_LETTERS
from rtlinker.x86_64.rules import RULES, SIGNED8, SIGNED32, UNSIGNED32, WORD8, WORD64

CHECKOUT = Path(__file__).parents[3]


def test_the_committed_page_is_what_the_rules_say():
    assert (CHECKOUT / "docs" / "relocations.md").read_text() == relocation_table()


def test_the_module_prints_the_page():
    command = [sys.executable, "-m", "rtlinker.show.relocation_table"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=CHECKOUT).stdout
    assert printed == relocation_table()


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_every_rule_has_a_row_with_its_formula_and_place(rule):
    line = row(rule)
    assert line in relocation_table()
    assert f"| {rule.number} | `{rule.name}`" in line
    assert rule.formula in line
    assert PLACES[rule.sort] in line


def test_every_letter_of_every_formula_is_explained():
    assert {letter for rule in RULES.values() if rule.formula for letter in rule.terms} <= set(LETTERS)
    assert set(RULE_LETTERS) <= set(LETTERS)


@pytest.mark.parametrize(("field", "text"), [
    (SIGNED32, "signed 32 bits, -2^31 to 2^31 - 1"), (UNSIGNED32, "unsigned 32 bits, 0 to 2^32 - 1"),
    (SIGNED8, "signed 8 bits, -2^7 to 2^7 - 1"), (WORD8, "8 bits, -2^7 to 2^8 - 1"), (WORD64, "64 bits"),
])  # fmt: skip
def test_a_field_shows_its_range(field, text):
    assert field_text(field) == text
