"""The table of relocation rules as documentation: `python -m rtlinker.show.relocation_table > docs/relocations.md`.

Made from the rules themselves, so that what is written down cannot differ from what is done; a test holds the
committed page equal to it.
"""

from __future__ import annotations

from rtlinker.x86_64.relaxations import RELAXATIONS
from rtlinker.x86_64.rules import RULES, Field, Rule

LETTERS = {
    "S": "the address of the symbol; of its stub or mirror where the image reaches the symbol only through one",
    "A": "the addend, from the relocation's own record (RELA)",
    "P": "the address of the site: of the bytes that are written",
    "GOT": "the address of the global offset table, where the slots begin",
    "G": "the symbol's slot, relative to GOT; the slot holds the symbol's address",
    "L": "the address of the symbol where every site of the image reaches it, else of its stub",
    "Z": "the size of the symbol in bytes",
    "M": "the number of the module (a loaded library) that has the thread-local variable",
    "D": "the variable's offset in that module's block, in bytes",
    "T": "the variable's distance from the thread pointer, in bytes; only variables of static blocks have one",
    "C": "the variable's descriptor (TLSDESC): the address of a function and its argument",
    "GD": "the address of two slots that hold M and D, as `__tls_get_addr` takes them",
    "LD": "the address of two slots that hold the M of the link's own block and 0",
    "GT": "the address of a slot that holds T",
    "GC": "the address of two slots that hold C",
    "B": "the address at which a shared library was loaded; no object has a use for it",
}
"""What each letter of a formula stands for. All addresses are absolute."""

PLACES = {
    "object": "object",
    "indirect": "object, answered at run time",
    "tls": "object, thread-local",
    "dynamic": "dynamic linker only",
}
"""Where a rule of each sort can stand."""

INTRODUCTION = """\
# Relocations

<!-- made by: python -m rtlinker.show.relocation_table > docs/relocations.md -->

One row per rule of the x86-64 psABI (version 1.0, table 4.9). The scan, both relocation engines and every error text
read the same rows, in `rtlinker/x86_64/rules.py`; this page is printed from them.

A formula is a signed sum of letters:

| letter | stands for |
|---|---|
"""

COLUMNS = """
The field is what is written: how many bits, and which values fit. A value that does not fit is a
[RelocationOverflowError](errors/RelocationOverflowError.md), never a value cut to size. 64-bit fields hold every
value, since addresses are computed modulo 2^64. 8- and 16-bit fields take what fits as a signed or as an unsigned
number, as GNU ld does.

A rule stands in one of these places:

- `object`: a relocatable object may contain it, and it is applied.
- `object, answered at run time`: what the formula gives is a function, and the site gets what that function returns.
- `object, thread-local`: against thread-local symbols only, and those take no other rules.
- `dynamic linker only`: only linked files contain it; in an object it is a
  [BadObjectError](errors/BadObjectError.md).

A rule that may be relaxed promises that its site belongs to one of a few known instructions that load an address from
the slot. When the target is within 2 GiB and the addend is -4, the instruction is rewritten to do without the slot:
"""

HEAD = """
| number | name | formula | field | can stand in | relaxed |
|--:|---|---|---|---|---|
"""


def relocation_table() -> str:
    """The page `docs/relocations.md`, whole."""
    letters = "".join(f"| {letter} | {meaning} |\n" for letter, meaning in LETTERS.items())
    relaxations = "".join(f"- {relaxation.name}\n" for relaxation in RELAXATIONS)
    return INTRODUCTION + letters + COLUMNS + "\n" + relaxations + HEAD + "".join(map(row, RULES.values()))


def row(rule: Rule) -> str:
    """One line of the table."""
    formula = f"`{rule.formula}`" if rule.formula else ""
    name = f"`{rule.name}`" + (f" ({rule.note})" if rule.note and not relaxed(rule) else "")
    cells = (str(rule.number), name, formula, field_text(rule.field), PLACES[rule.sort], relaxed(rule))
    return f"| {' | '.join(cells)} |\n".replace("|  |", "| |").replace("|  |", "| |")


def relaxed(rule: Rule) -> str:
    """Whether the rule's sites are rewritten where they can be: `yes`, `never relaxed here`, or nothing to say."""
    if rule.relaxable:
        return "yes"
    return rule.note if "relaxed" in rule.note else ""


def field_text(field: Field) -> str:
    """The field's size and range: `signed 32 bits, -2^31 to 2^31 - 1`."""
    if field.width in {0, 8}:
        return field.text
    lowest = f"-2^{(-field.lowest).bit_length() - 1}" if field.lowest else "0"
    return f"{field.text}, {lowest} to 2^{field.highest.bit_length()} - 1"


if __name__ == "__main__":
    print(relocation_table(), end="")
