"""What the code of one function does with the rest of its object: which functions it calls, which memory it touches.

With capstone each instruction says whether it writes or only reads what it names. Without it (it is an extra) the
relocations and opcodes of calls tell what is named, and everything named counts as written.
"""

from __future__ import annotations

from struct import iter_unpack

from rtlinker.elf.constants import SHF_EXECINSTR, SHF_WRITE, STT_SECTION
from rtlinker.facts import Fact
from rtlinker.hot.escaping import PC_RELATIVE, is_jump, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from rtlinker.elf.object import Object

    Reference = tuple[int, int, int]
    """A relocation: rule, symbol, addend."""

CALL, TAKEN, WRITTEN, READ, INDIRECT = "call", "taken", "written", "read", "indirect"

SLOTS = frozenset((9, 41, 42))  # R_X86_64_GOTPCREL, _GOTPCRELX, _REX_GOTPCRELX
_THREAD = frozenset((19, 20, 22, 34))  # R_X86_64_TLSGD, _TLSLD, _GOTTPOFF, _GOTPC32_TLSDESC
_BEHIND = (4, 5, 6, 8)
"""Bytes from a displacement to the end of its instruction: immediate operands of 0, 1, 2 and 4 bytes may follow it."""


class Act(Fact):
    """What an instruction does: `kind`, to which place. `section` is 0 for another object's `name`, -1 for none.

    `spread` says that an index or a distance is added to the place; `guessed` that the bytes may be no such
    instruction; `to` which function of another object gets an address as its first argument.
    """

    kind: str
    section: int
    offset: int
    name: str
    spread: bool = False
    guessed: bool = False
    to: str = ""


class Code:
    """The code of an object, function by function."""

    def __init__(self, object: Object) -> None:
        self.object = object
        self._references: dict[int, dict[int, Reference]] = {}
        for table in object.relocations:
            rows = self._references.setdefault(table.section, {})
            for offset, info, addend in iter_unpack("<QQq", table.table):
                rows[offset] = info & 0xFFFFFFFF, info >> 32, addend
        self._capstone: Any = False

    def capstone(self) -> Any:
        """The disassembler's module, or None; its import takes 0.1 s, which objects without constructors are spared."""
        if self._capstone is False:
            try:
                import capstone

                self._capstone = capstone
            except ImportError:
                self._capstone = None
        return self._capstone

    def acts(self, section: int, start: int, end: int) -> Iterator[Act]:
        """What the code between two offsets of a section does, in the order of its instructions."""
        code = self.object.content(section)[start:end]
        decoded = 0
        capstone = self.capstone()
        if capstone is not None:
            from rtlinker.hot.reading import Reading

            decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
            decoder.detail = True
            instructions = list(decoder.disasm(code, start))
            if instructions:
                decoded = instructions[-1].address + instructions[-1].size - start
            yield from Reading(self, section, capstone).acts(instructions)
        if decoded < len(code):  # data among code, or an instruction that capstone does not know
            yield from self._guessed(section, code[decoded:], start + decoded)

    def references(self, section: int) -> dict[int, Reference]:
        """The relocations of a section by offset."""
        return self._references.get(section, {})

    def place(self, reference: Reference, behind: int) -> tuple[int, int, str]:
        """Section, offset and name that a relocation leads to; `behind` is from its site to the instruction's end."""
        rule, symbol, addend = reference
        symbols = self.object.symbols
        section, value, name = symbols.section(symbol), symbols.value(symbol), symbols.name(symbol)
        if section <= 0:
            return section, 0, name
        if rule in SLOTS or rule in _THREAD or symbols.type(symbol) != STT_SECTION:
            return section, value, name  # a[i - 1] is written as `a - 4` and an index: whose it is, the symbol says
        return section, value + addend + (behind if rule in PC_RELATIVE else 0), name

    def is_constant(self, section: int) -> bool:
        """Whether a section is data that nobody writes."""
        return section > 0 and not self.object.sections.flags[section] & (SHF_WRITE | SHF_EXECINSTR)

    def _guessed(self, section: int, code: bytes, start: int) -> Iterator[Act]:
        """Everything that the bytes may do: what relocations name, and whatever reads as a jump within the section."""
        rows = self.references(section)
        for (_, target), site in loads(self.object, section):
            if start <= site < start + len(code) and site not in rows:
                yield Act(TAKEN, section, target, "", guessed=True)
        for at in range(len(code)):
            reference = rows.get(start + at)
            if reference is not None:
                called = reference[0] in PC_RELATIVE and is_jump(code, at)
                for behind in (4,) if called or reference[0] not in PC_RELATIVE else _BEHIND:
                    place = self.place(reference, behind)
                    yield Act(CALL if called else WRITTEN, *place, not called, True)
            elif is_jump(code, at) and at + 4 <= len(code):
                distance = int.from_bytes(code[at : at + 4], "little", signed=True)
                yield Act(CALL, section, start + at + 4 + distance, "", guessed=True)
            if code[at] == 0xEB or 0x70 <= code[at] <= 0x7F:  # jumps over at most 127 bytes
                distance = int.from_bytes(code[at + 1 : at + 2], "little", signed=True)
                yield Act(CALL, section, start + at + 2 + distance, "", guessed=True)
