"""References that are to reach the newest version: they lead to entries. Pure: a resolution in, a resolution out.

What a compiler knew decides. A function of another object was unknown to it: calls and addresses of it may lead to
any version, and lead to its entry. A function of the same object was known: at -O2 the caller relies on which
registers the body leaves alone and which memory it does not write, so a call stays in its version. Its address is
another matter, for who calls it later, through a pointer, relies on the psABI only: it is the entry's, so that `&f`
is equal in all versions, and leads to the newest.

Relocations tell calls and addresses apart. A call is PLT32, or a displacement behind an opcode of call or jump, or a
load from a slot by such an instruction. A 64-bit word in code is how large-model code calls: it stays. A function
that is local to its object has no entry: its address is that version's code.
"""

from __future__ import annotations

from struct import iter_unpack, pack

from rtlinker.elf.constants import SHF_ALLOC, SHF_EXECINSTR, STB_GLOBAL, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE
from rtlinker.elf.object import SYMBOL
from rtlinker.facts import replace
from rtlinker.link.layout import ARRAYS, EH_FRAME
from rtlinker.link.resolution import InObject, Resolution
from rtlinker.x86_64.rules import RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from rtlinker.elf.object import Object, Relocations
    from rtlinker.link.resolution import Binding
    from rtlinker.link.scope import Definition

LATEST = "__rtl_latest_"
"""How C code names the newest version of a function: this, and the function's name. See docs/hot-reload.md."""

_LEFT_ALONE = (EH_FRAME, ".gcc_except_table", ".init_array", ".fini_array", ".preinit_array", ".ctors", ".dtors")
_PLAIN = frozenset(("R_X86_64_64", "R_X86_64_32", "R_X86_64_32S", "R_X86_64_PC32", "R_X86_64_PC64"))
_SLOT = frozenset(("R_X86_64_GOTPCREL", "R_X86_64_GOTPCRELX", "R_X86_64_REX_GOTPCRELX", "R_X86_64_GOT64"))


def is_function(resolution: Resolution, number: int, symbol: int) -> bool:
    """Whether a symbol of object `number` is code that can be called."""
    object = resolution.objects[number]
    entry = object.symbols.symbol(symbol)
    if entry.section <= 0:
        return False
    in_code = bool(object.sections.flags[entry.section] & SHF_EXECINSTR)
    return entry.type in {STT_FUNC, STT_GNU_IFUNC} or (entry.type == STT_NOTYPE and in_code)


def functions_of(resolution: Resolution) -> dict[str, InObject]:
    """The functions of a link that are not local to an object, by name."""
    return {
        name: InObject(number, resolution.indexes[number].defined[name])
        for name, number in resolution.owners.items()
        if is_function(resolution, number, resolution.indexes[number].defined[name])
    }


def is_low(resolution: Resolution) -> bool:
    """Whether the code of a link holds addresses in 32 bits, so that it must lie in the low 2 GiB."""
    return any(
        RULES[number].low
        for object, discarded in zip(resolution.objects, resolution.discarded)
        for table in object.relocations
        if table.section not in discarded
        for number in {info & 0xFFFFFFFF for _, info, _ in iter_unpack("<QQq", table.table)}
        if number in RULES
    )


def redirect(resolution: Resolution, entries: Mapping[InObject, Definition], inner: Collection[int] = ()) -> Resolution:
    """The resolution in which references to the functions of `entries` lead to their entries.

    Calls within an object stay, but for the objects whose numbers are in `inner`.
    """
    own: dict[int, dict[int, Definition]] = {}
    for where, definition in entries.items():
        own.setdefault(where.object, {})[where.symbol] = definition
    objects, bound = [], []
    for number, object in enumerate(resolution.objects):
        mine: dict[int, Binding] = {}
        for symbol, meaning in resolution.bound[number].items():
            mine[symbol] = entries.get(meaning, meaning) if _is_foreign(meaning, number) else meaning  # type: ignore[arg-type]
        changed = _with_latest(object, own.get(number, {}), resolution.discarded[number], mine, number in inner)
        objects.append(changed)
        bound.append(mine)
    return replace(resolution, objects=tuple(objects), bound=tuple(bound))


def _is_foreign(meaning: Binding, number: int) -> bool:
    return isinstance(meaning, InObject) and meaning.object != number


def _with_latest(
    object: Object, own: Mapping[int, Definition], discarded: frozenset[int], bound: dict[int, Binding], calls: bool
) -> Object:
    """The object with a second symbol for each of its functions whose address is taken; `bound` gets its meaning."""
    tables: dict[int, bytearray] = {}
    added: dict[int, int] = {}
    for position, table in enumerate(object.relocations):
        if table.section in discarded or not own:
            continue
        for at, symbol, info in _sites(object, table, own, calls):
            latest = added.setdefault(symbol, len(object.symbols) + len(added))
            records = tables.setdefault(position, bytearray(table.table))
            records[at + 8 : at + 16] = pack("<Q", latest << 32 | info & 0xFFFFFFFF)
    if not added:
        return object
    for symbol, latest in added.items():
        bound[latest] = own[symbol]
    relocations = [
        replace(table, table=memoryview(bytes(tables[position]))) if position in tables else table
        for position, table in enumerate(object.relocations)
    ]
    return replace(object, symbols=_extended(object, list(added)), relocations=tuple(relocations))


def _sites(
    object: Object, table: Relocations, own: Mapping[int, Definition], calls: bool
) -> Iterator[tuple[int, int, int]]:
    """The records of a table that are to lead to entries: offset in the table, symbol, r_info."""
    name, flags = object.sections.names[table.section], object.sections.flags[table.section]
    alone = name.startswith(_LEFT_ALONE) or object.sections.types[table.section] in ARRAYS
    if alone or not flags & SHF_ALLOC:
        return
    in_code = bool(flags & SHF_EXECINSTR)
    for position, (offset, info, _) in enumerate(iter_unpack("<QQq", table.table)):
        if info >> 32 in own and (calls or takes_address(object, table.section, offset, info, in_code)):
            yield position * 24, info >> 32, info


def takes_address(object: Object, section: int, offset: int, info: int, in_code: bool) -> bool:
    """Whether a site uses a function's address other than for calling it there and then."""
    rule = RULES[info & 0xFFFFFFFF].name
    if rule not in _PLAIN and rule not in _SLOT:
        return False
    if not in_code:
        return True
    if rule in {"R_X86_64_64", "R_X86_64_PC64"}:
        return False
    if rule in {"R_X86_64_32", "R_X86_64_32S"}:  # an immediate, whatever is before it: `movq $f, -24(%rbp)` ends in e8
        return True
    start = object.sections.offsets[section] + offset
    before = object.data[max(start - 2, object.sections.offsets[section]) : start]
    if rule in _SLOT:  # call and jump through a slot: opcode ff, ModRM /2 and /4 with a displacement from rip
        return before[-2:] not in {b"\xff\x15", b"\xff\x25"}
    conditional = len(before) == 2 and before[0] == 0x0F and before[1] & 0xF0 == 0x80
    return before[-1:] not in {b"\xe8", b"\xe9"} and not conditional


def _extended(object: Object, latest: list[int]):  # type: ignore[no-untyped-def]  # Symbols, which facts.replace hides
    """The symbol table with an undefined symbol behind the others for each of `latest`."""
    symbols = object.symbols
    strings = bytearray(symbols.strings)
    records = bytearray(symbols.table)
    for symbol in latest:
        records += SYMBOL.pack(len(strings), STB_GLOBAL << 4 | STT_FUNC, 0, 0, 0, 0)
        strings += LATEST.encode() + symbols.name(symbol).encode("utf-8", "surrogateescape") + b"\0"
    extended = (*symbols.extended, *([0] * len(latest))) if symbols.extended else ()
    return replace(symbols, table=memoryview(bytes(records)), strings=bytes(strings), extended=extended)
