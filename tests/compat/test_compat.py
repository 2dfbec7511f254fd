"""The programs whose compilers `make test` installs do what docs/compatibility.md says. `make compat` runs them all."""

import pytest

from tests.compat import table
from tests.compat.recipes import RECIPES
from tests.compat.run import run

LIGHT = ("gcc", "clang", "tcc", "g++", "clang++", "gfortran", "nasm", "as")


@pytest.mark.parametrize("recipe", [row for row in RECIPES if row.name in LIGHT], ids=lambda row: row.name)
def test_a_program_of_this_compiler_works(recipe):
    outcome = run(recipe)
    if outcome.works is None:
        pytest.skip(outcome.why)
    assert outcome.works, outcome.why


def test_the_page_has_a_row_for_every_program():
    page = table.PAGE.read_text()
    assert [recipe.name for recipe in RECIPES if f"| `{recipe.name}` |" not in page] == []
