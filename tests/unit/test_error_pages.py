"""One page per error class in docs/errors, whose attributes are those the class has."""

import inspect
import re
from pathlib import Path

import pytest

import rtlinker
from rtlinker import errors

PAGES = Path(__file__).parents[2] / "docs" / "errors"

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == errors.__name__
}

MADE = {
    "LinkError": errors.LinkError("headline"),
    "BadObjectError": errors.BadObjectError("a.o", "headline"),
    "UnsupportedError": errors.UnsupportedError("lto", "headline"),
    "UndefinedSymbolsError": errors.UndefinedSymbolsError([errors.UndefinedSymbol("f", ["a.o"])]),
    "DuplicateSymbolError": errors.DuplicateSymbolError([("f", "a.o", "b.o")]),
    "RelocationError": errors.RelocationError("headline", "a.o:(.text+0x1)", "R_X86_64_PC32"),
    "RelocationOverflowError": errors.RelocationOverflowError("a.o:(.text+0x1)", "R_X86_64_PC32", "f", 1 << 40),
    "SignatureError": errors.SignatureError("headline"),
    "ThreadStorageError": errors.ThreadStorageError(4096, 16, static=True),
    "ReloadError": errors.ReloadError("types", "headline"),
    "ForeignExceptionError": errors.ForeignExceptionError("C++", "std::runtime_error", "bad thing", "f"),
    "CrashError": errors.CrashError(11, "headline"),
}
"""One of each, to ask for its attributes."""


def attributes(name):
    """The names in the first column of a page's table of attributes."""
    section = (PAGES / f"{name}.md").read_text().partition("\n## Attributes\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_every_class_is_tried_here():
    assert MADE.keys() == CLASSES.keys()


def test_the_pages_are_those_of_the_classes():
    assert {page.stem for page in PAGES.glob("*.md")} - {"README"} == CLASSES.keys()


@pytest.mark.parametrize("name", CLASSES)
def test_the_overview_leads_to_the_page(name):
    assert f"[{name}]({name}.md)" in (PAGES / "README.md").read_text()


@pytest.mark.parametrize("name", CLASSES)
def test_a_page_says_what_it_has_to(name):
    text = (PAGES / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n")
    for heading in ("Attributes", "Example", "Causes and remedies"):
        assert f"\n## {heading}\n" in text


@pytest.mark.parametrize("name", CLASSES)
def test_documented_attributes_exist(name):
    documented = attributes(name)
    assert documented
    assert [attribute for attribute in documented if not hasattr(MADE[name], attribute)] == []


@pytest.mark.parametrize("name", CLASSES)
def test_attributes_are_documented(name):
    inherited = set(attributes("LinkError"))
    assert vars(MADE[name]).keys() - inherited == set(attributes(name)) - inherited


@pytest.mark.parametrize("name", CLASSES)
def test_the_class_is_public(name):
    assert getattr(rtlinker, name) is CLASSES[name]
