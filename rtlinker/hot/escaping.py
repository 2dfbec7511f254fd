"""Static functions whose address leaves the code that calls them: who holds it may call into this version later.

A pointer to a static function leads to the version that made it, for as long as somebody keeps it. Which functions
that can happen to is read off the object: their address stands in data, or code takes it otherwise than by a call.
Within one section the assembler resolves `lea function(%rip)` itself and leaves no relocation, so those are looked for
in the bytes: anything that reads as one counts, an instruction or not. The answer errs on that side only.

A function that others can name counts where an assembler names it by its section, as nasm does: no entry is in between
then. And so does a label within a function (`&&label`), unless a table of constants holds it: a switch's.
"""

from __future__ import annotations

from struct import iter_unpack, unpack_from

from rtlinker.elf.constants import SHF_EXECINSTR, SHF_WRITE, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, STT_SECTION
from rtlinker.facts import Fact
from rtlinker.link.layout import EH_FRAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.elf.object import Object

    Places = dict[tuple[int, int], str]

PC_RELATIVE = frozenset((2, 4, 24))
"""R_X86_64_PC32, _PLT32, _PC64: what a displacement is written with."""

WIDE = frozenset((1, 24, 25))
"""R_X86_64_64, _PC64, _GOTOFF64: how large-model code names a function, which `hot.redirect` leaves alone."""

_CODE = frozenset((STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE))

_NO_POINTERS = (EH_FRAME, ".gcc_except_table", ".init_array", ".fini_array", ".preinit_array", ".ctors", ".dtors",
                "__patchable_function_entries", "__mcount_loc")  # fmt: skip
"""Sections of addresses that nobody keeps: tables of the unwinder, and what runs once."""


class Escape(Fact):
    """A static function, as a place and its name, and where its address is taken: `a.o:(.data+0x8)`."""

    section: int
    offset: int
    name: str
    site: str


def addresses_taken(object: Object) -> tuple[Escape, ...]:
    """The object's static functions whose address may be kept somewhere, each with the first site that takes it.

    Functions that others can name are not among them, as far as their address is that of an entry, which stays.
    """
    functions = _functions(object)
    if not functions:
        return ()
    flags, sections, concerned = object.sections.flags, object.symbols.sections, {section for section, _ in functions}
    found: dict[tuple[int, int], Escape] = {}

    def take(place: tuple[int, int], section: int, offset: int) -> None:
        name = functions.get(place)
        inside = flags[place[0]] & SHF_EXECINSTR and flags[section] & (SHF_EXECINSTR | SHF_WRITE)
        if name is None and inside and 0 < place[1] < object.sections.sizes[place[0]]:
            name = "a label"
        if name is not None and place not in found:
            found[place] = Escape(*place, name, object.site_title(section, offset))

    sites: dict[int, set[int]] = {}
    for table in object.relocations:
        section = table.section
        if object.sections.names[section].startswith(_NO_POINTERS):
            continue
        in_code = bool(object.sections.flags[section] & SHF_EXECINSTR)
        content = object.content(section) if in_code else b""
        patched = sites.setdefault(section, set())
        for offset, info, addend in iter_unpack("<QQq", table.table):
            rule, symbol = info & 0xFFFFFFFF, info >> 32
            patched.add(offset)
            if sections[symbol] not in concerned:
                continue
            if in_code and rule in PC_RELATIVE and is_jump(content, offset):
                continue
            place = _target(object, rule, symbol, addend, in_code)
            if place is not None:
                take(place, section, offset)
    for section in concerned:
        for place, offset in loads(object, section):
            if offset not in sites.get(section, ()) and place[1] != offset - 3:  # large-model code loads its own place
                take(place, section, offset)
    return tuple([found[place] for place in sorted(found)])


def is_jump(code: bytes, offset: int) -> bool:
    """Whether the displacement at `offset` is that of a call or jump: no other opcode has these bytes before one."""
    return code[offset - 1 : offset] in (b"\xe8", b"\xe9") or (
        code[offset - 2 : offset - 1] == b"\x0f" and 0x80 <= code[offset - 1] <= 0x8F
    )


def _functions(object: Object) -> Places:
    symbols, flags = object.symbols, object.sections.flags
    found: Places = {}
    for index in range(len(symbols)):
        section = symbols.section(index)
        if section > 0 and flags[section] & SHF_EXECINSTR and symbols.type(index) in _CODE:
            found.setdefault((section, symbols.value(index)), symbols.name(index))
    return found


def _target(object: Object, rule: int, symbol: int, addend: int, in_code: bool) -> tuple[int, int] | None:
    """The place that a relocation leads to, or None for an entry, and for the entries of jump tables."""
    symbols = object.symbols
    section, value = symbols.section(symbol), symbols.value(symbol)
    if section <= 0:
        return None
    if symbol >= symbols.first_global:
        return (section, value) if in_code and rule in WIDE else None
    if rule in PC_RELATIVE:
        if not in_code and symbols.type(symbol) == STT_SECTION:
            return None  # a distance from a table to a label: gcc's and clang's switch
        return section, value + (addend + 4 if in_code else 0)
    if symbols.type(symbol) == STT_SECTION:
        return section, value + addend
    return section, value


def loads(object: Object, section: int) -> list[tuple[tuple[int, int], int]]:
    """What reads as `lea displacement(%rip), register`: the place it leads to, and where the displacement is."""
    code = object.content(section)
    found = []
    at = code.find(b"\x8d")
    while at >= 0 and at + 6 <= len(code):
        if code[at + 1] & 0xC7 == 0x05:
            found.append(((section, at + 6 + unpack_from("<i", code, at + 2)[0]), at + 2))
        at = code.find(b"\x8d", at + 1)
    return found
