"""The relocation rules of the x86-64 psABI, one row each: number, name, formula, field (psABI 1.0, table 4.9).

This table is the only place where a rule is written down. The scan, both relocation engines, the documentation and
every error text read the same row. A formula is a signed sum of the psABI's letters:

    S    the symbol's address                  A     the addend
    P    the site's address                    GOT   the address of the global offset table
    G    the symbol's slot, relative to GOT    L     the address of the symbol's stub, or S where a stub is not needed
    Z    the symbol's size in bytes

and, for thread-local variables, where the psABI has no letters ("ELF Handling for Thread-Local Storage"):

    M    the number of the module that has the variable       D    its offset in that module's block
    T    its distance from the thread pointer                 C    its descriptor: a function and its argument
    GD   the address of the slots that hold M and D           LD   of those that hold the link's own M and 0
    GT   the address of the slot that holds T                 GC   of the slots that hold C

A field says how many bits are written and which values fit. GNU ld's choices are ours, since objects are written for
it: 8 and 16 bits take a value that fits as signed or as unsigned, R_X86_64_32 must be unsigned, R_X86_64_32S signed.
"""

from __future__ import annotations

from rtlinker.facts import Fact, derived


class Field(Fact):
    """What a rule writes: `width` bytes, and the inclusive range of values that fit."""

    name: str
    width: int
    lowest: int
    highest: int
    text: str

    @derived
    def mask(self) -> int:
        """All bits of the field."""
        return (1 << 8 * self.width) - 1


NONE = Field("none", 0, -(1 << 64), 1 << 65, "nothing")
WORD8 = Field("word8", 1, -(1 << 7), (1 << 8) - 1, "8 bits")
SIGNED8 = Field("signed8", 1, -(1 << 7), (1 << 7) - 1, "signed 8 bits")
WORD16 = Field("word16", 2, -(1 << 15), (1 << 16) - 1, "16 bits")
UNSIGNED32 = Field("unsigned32", 4, 0, (1 << 32) - 1, "unsigned 32 bits")
SIGNED32 = Field("signed32", 4, -(1 << 31), (1 << 31) - 1, "signed 32 bits")
WORD64 = Field("word64", 8, -(1 << 64), 1 << 65, "64 bits")
"""Arithmetic is modulo 2**64 (psABI 4.4), so every sum of three addresses fits."""

DESCRIPTOR = Field("descriptor", 16, 0, (1 << 128) - 1, "128 bits")

LETTERS = ("S", "A", "P", "GOT", "G", "L", "Z", "M", "D", "T", "C", "GD", "LD", "GT", "GC")


class Rule(Fact):
    """One row. `sort` is `object` (can stand in a .o), `tls`, `indirect`, or `dynamic` (only in linked files)."""

    number: int
    name: str
    formula: str
    field: Field
    sort: str = "object"
    relaxable: int = 0
    """For the GOTPCRELX family: where the opcode is, in bytes before the site (0: never relaxed)."""
    note: str = ""

    @derived
    def terms(self) -> dict[str, int]:
        """The formula as {letter: sign}, e.g. `S + A - P` as {"S": 1, "A": 1, "P": -1}."""
        words = self.formula.split()
        signs = [1, *(1 if word == "+" else -1 for word in words[1::2])]
        return dict(zip(words[0::2], signs))

    @derived
    def of_symbol(self) -> tuple[tuple[str, int], ...]:
        """The letters that depend on the symbol (or the image) alone, with their signs: all but A and P."""
        return tuple([(letter, sign) for letter, sign in self.terms.items() if letter not in {"A", "P"}])

    @derived
    def from_site(self) -> bool:
        """The formula subtracts P: the value is a distance from the site."""
        return "P" in self.terms

    @derived
    def needs_slot(self) -> bool:
        """The formula names G: the symbol's address must stand in a GOT word."""
        return "G" in self.terms

    @derived
    def needs_stub(self) -> bool:
        """The formula names L: the site calls, so a far target can be reached through a stub."""
        return "L" in self.terms

    @derived
    def direct(self) -> bool:
        """The site holds the symbol's own address or distance in at most 32 bits: the target must be near or low."""
        return "S" in self.terms and 0 < self.field.width < 8

    @derived
    def asks(self) -> bool:
        """A site of this rule can ask for something (a slot, a stub, a near place) or must be refused."""
        return self.sort != "object" or self.needs_slot or self.needs_stub or self.direct or "Z" in self.terms

    @derived
    def low(self) -> bool:
        """The site holds an absolute address in 32 bits: the target must be in the low 2 GiB."""
        return self.direct and self.field.width == 4 and "P" not in self.terms

    def __str__(self) -> str:
        return f"{self.name} = {self.formula}, {self.field.text}" if self.formula else self.name


def _rows() -> tuple[Rule, ...]:
    """The table in the psABI's order. Deprecated numbers 39 and 40 are what MPX compilers still left in archives."""
    return (
        Rule(0, "R_X86_64_NONE", "", NONE),
        Rule(1, "R_X86_64_64", "S + A", WORD64),
        Rule(2, "R_X86_64_PC32", "S + A - P", SIGNED32),
        Rule(3, "R_X86_64_GOT32", "G + A", SIGNED32),
        Rule(4, "R_X86_64_PLT32", "L + A - P", SIGNED32),
        Rule(5, "R_X86_64_COPY", "", NONE, "dynamic"),
        Rule(6, "R_X86_64_GLOB_DAT", "S", WORD64, "dynamic"),
        Rule(7, "R_X86_64_JUMP_SLOT", "S", WORD64, "dynamic"),
        Rule(8, "R_X86_64_RELATIVE", "B + A", WORD64, "dynamic"),
        Rule(9, "R_X86_64_GOTPCREL", "G + GOT + A - P", SIGNED32),
        Rule(10, "R_X86_64_32", "S + A", UNSIGNED32),
        Rule(11, "R_X86_64_32S", "S + A", SIGNED32),
        Rule(12, "R_X86_64_16", "S + A", WORD16),
        Rule(13, "R_X86_64_PC16", "S + A - P", WORD16),
        Rule(14, "R_X86_64_8", "S + A", WORD8),
        Rule(15, "R_X86_64_PC8", "S + A - P", SIGNED8),
        Rule(16, "R_X86_64_DTPMOD64", "M", WORD64, "tls"),
        Rule(17, "R_X86_64_DTPOFF64", "D + A", WORD64, "tls"),
        Rule(18, "R_X86_64_TPOFF64", "T + A", WORD64, "tls"),
        Rule(19, "R_X86_64_TLSGD", "GD + A - P", SIGNED32, "tls"),
        Rule(20, "R_X86_64_TLSLD", "LD + A - P", SIGNED32, "tls"),
        Rule(21, "R_X86_64_DTPOFF32", "D + A", SIGNED32, "tls"),
        Rule(22, "R_X86_64_GOTTPOFF", "GT + A - P", SIGNED32, "tls"),
        Rule(23, "R_X86_64_TPOFF32", "T + A", SIGNED32, "tls"),
        Rule(24, "R_X86_64_PC64", "S + A - P", WORD64),
        Rule(25, "R_X86_64_GOTOFF64", "S + A - GOT", WORD64),
        Rule(26, "R_X86_64_GOTPC32", "GOT + A - P", SIGNED32),
        Rule(27, "R_X86_64_GOT64", "G + A", WORD64),
        Rule(28, "R_X86_64_GOTPCREL64", "G + GOT + A - P", WORD64),
        Rule(29, "R_X86_64_GOTPC64", "GOT + A - P", WORD64),
        Rule(30, "R_X86_64_GOTPLT64", "G + A", WORD64),
        Rule(31, "R_X86_64_PLTOFF64", "L + A - GOT", WORD64),
        Rule(32, "R_X86_64_SIZE32", "Z + A", UNSIGNED32),
        Rule(33, "R_X86_64_SIZE64", "Z + A", WORD64),
        Rule(34, "R_X86_64_GOTPC32_TLSDESC", "GC + A - P", SIGNED32, "tls"),
        Rule(35, "R_X86_64_TLSDESC_CALL", "", NONE, "tls"),
        Rule(36, "R_X86_64_TLSDESC", "C", DESCRIPTOR, "tls"),
        Rule(37, "R_X86_64_IRELATIVE", "S + A", WORD64, "indirect"),
        Rule(38, "R_X86_64_RELATIVE64", "B + A", WORD64, "dynamic"),
        Rule(39, "R_X86_64_PC32_BND", "S + A - P", SIGNED32, note="deprecated"),
        Rule(40, "R_X86_64_PLT32_BND", "L + A - P", SIGNED32, note="deprecated"),
        Rule(41, "R_X86_64_GOTPCRELX", "G + GOT + A - P", SIGNED32, relaxable=2),
        Rule(42, "R_X86_64_REX_GOTPCRELX", "G + GOT + A - P", SIGNED32, relaxable=3),
        Rule(43, "R_X86_64_CODE_4_GOTPCRELX", "G + GOT + A - P", SIGNED32, relaxable=4),
        Rule(44, "R_X86_64_CODE_4_GOTTPOFF", "GT + A - P", SIGNED32, "tls"),
        Rule(45, "R_X86_64_CODE_4_GOTPC32_TLSDESC", "GC + A - P", SIGNED32, "tls"),
        Rule(46, "R_X86_64_CODE_5_GOTPCRELX", "G + GOT + A - P", SIGNED32, note="never relaxed here"),
        Rule(47, "R_X86_64_CODE_5_GOTTPOFF", "GT + A - P", SIGNED32, "tls"),
        Rule(48, "R_X86_64_CODE_5_GOTPC32_TLSDESC", "GC + A - P", SIGNED32, "tls"),
        Rule(49, "R_X86_64_CODE_6_GOTPCRELX", "G + GOT + A - P", SIGNED32, note="never relaxed here"),
        Rule(50, "R_X86_64_CODE_6_GOTTPOFF", "GT + A - P", SIGNED32, "tls"),
        Rule(51, "R_X86_64_CODE_6_GOTPC32_TLSDESC", "GC + A - P", SIGNED32, "tls"),
    )


RULES: dict[int, Rule] = {rule.number: rule for rule in _rows()}
"""Every rule by its number (ELF64_R_TYPE)."""


def rule_name(number: int) -> str:
    """The rule's name, or `relocation type 77` for a number that the psABI does not have."""
    rule = RULES.get(number)
    return rule.name if rule else f"relocation type {number}"
