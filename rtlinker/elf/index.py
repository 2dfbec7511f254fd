"""Names to symbols: which names an object defines, which it leaves to others.

This is the one walk over the whole symbol table, so it is also where the table's records are checked. There are two
engines, chosen by the number of records and proved equal by tests/property/test_engines.py: a loop, and columns of
numpy, which take 39,000 symbols in the time the loop takes a few thousand.
"""

from __future__ import annotations

from struct import iter_unpack

from rtlinker.arrays import arrays_for
from rtlinker.elf.constants import (
    SHN_LORESERVE,
    SHN_XINDEX,
    STB_GLOBAL,
    STB_GNU_UNIQUE,
    STB_LOCAL,
    STB_WEAK,
    STT_GNU_IFUNC,
    STT_TLS,
)
from rtlinker.elf.object import ABSOLUTE, COMMON, LARGE_COMMON, RESERVED, Object, text_at
from rtlinker.errors import BadObjectError
from rtlinker.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

COMMONS = (COMMON, LARGE_COMMON)
BINDINGS = (STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE)


class Index(Fact):
    """The names that are not local, each with its symbol index. A name `f@@V` is also entered as `f` and `f@V`.

    `repeats` are further symbols with a name that an earlier one of the object has; compilers make none.
    """

    defined: dict[str, int]
    commons: dict[str, int]
    undefined: dict[str, int]
    repeats: tuple[tuple[str, int], ...] = ()
    ifuncs: tuple[int, ...] = ()
    """Symbols, local ones too, whose code says at run time where the function is (STT_GNU_IFUNC)."""
    threads: tuple[int, ...] = ()
    """Undefined symbols that are thread-local (STT_TLS)."""
    uniques: tuple[int, ...] = ()
    """Definitions of which a process has one, whatever the scopes of its libraries (STB_GNU_UNIQUE)."""


def index_symbols(object: Object, engine: str = "auto") -> Index:
    """The object's index. Raises BadObjectError when a symbol lies about its name, binding or section.

    A value beyond the end of the section is none of the lies: assemblers write `base - 8` as such a symbol, and ld
    takes it.
    `engine` is `auto`, `scalar` or `array` (gABI, Symbol Table).
    """
    numpy = arrays_for(len(object.symbols), engine)
    index = _by_arrays(object, numpy) if numpy else _by_loop(object)
    if b"@" in object.symbols.strings:
        _enter_versions(index)
    return index


def _by_loop(object: Object) -> Index:
    symbols, strings = object.symbols, object.symbols.strings
    first, count = symbols.first_global, len(object.sections)
    extended, limit = symbols.extended, len(strings)
    defined: dict[str, int] = {}
    commons: dict[str, int] = {}
    undefined: dict[str, int] = {}
    repeats: list[tuple[str, int]] = []
    ifuncs: list[int] = []
    threads: list[int] = []
    uniques: list[int] = []
    for number, (name, info, _, section, _, _) in enumerate(iter_unpack("<IBBHQQ", symbols.table)):
        if section >= SHN_LORESERVE:
            section = extended[number] if section == SHN_XINDEX and extended else section - RESERVED  # noqa: PLW2901
        if name >= limit or (info >> 4 == STB_LOCAL) != (number < first):
            raise _bad_symbol(object, number)
        if section > 0:
            if section >= count:
                raise _bad_symbol(object, number)
        elif section and section != ABSOLUTE and section not in COMMONS:
            raise _bad_symbol(object, number)
        if info & 15 == STT_GNU_IFUNC:
            ifuncs.append(number)
        elif info & 15 == STT_TLS and not section:
            threads.append(number)
        if number < first:
            continue
        bind = info >> 4
        if bind not in BINDINGS:
            raise _bad_symbol(object, number)
        if bind == STB_GNU_UNIQUE and section:
            uniques.append(number)
        text = text_at(strings, name)
        if text in defined or text in undefined or text in commons:
            repeats.append((text, number))
        elif section > 0 or section == ABSOLUTE:
            defined[text] = number
        else:
            (commons if section else undefined)[text] = number
    return Index(defined, commons, undefined, tuple(repeats), tuple(ifuncs), tuple(threads), tuple(uniques))


def _by_arrays(object: Object, numpy: ModuleType) -> Index:
    symbols, strings = object.symbols, object.symbols.strings
    table = symbol_array(object, numpy)
    binds, sections = table["info"] >> 4, section_array(object, numpy)
    local = numpy.arange(len(table)) < symbols.first_global
    bad = table["name"] >= len(strings)
    bad |= (binds == STB_LOCAL) != local
    bad |= ~local & (binds != STB_GLOBAL) & (binds != STB_WEAK) & (binds != STB_GNU_UNIQUE)
    bad |= (sections < 0) & (sections != ABSOLUTE) & (sections != COMMON) & (sections != LARGE_COMMON)
    bad |= sections >= len(object.sections)
    if bad.any():
        raise _bad_symbol(object, int(bad.argmax()))
    first = symbols.first_global
    names = names_of(strings, table["name"][first:], numpy)
    defined = dict(zip(names, range(first, len(table))))
    repeats: tuple[tuple[str, int], ...] = ()
    if len(defined) != len(names):  # the first of two equal names stays
        defined = dict(zip(reversed(names), range(len(table) - 1, first - 1, -1)))
        repeats = tuple([(name, first + at) for at, name in enumerate(names) if defined[name] != first + at])
    there = sections[first:]
    common = (there == COMMON) | (there == LARGE_COMMON)
    commons = _take(defined, names, first, numpy.flatnonzero(common).tolist())
    undefined = _take(defined, names, first, numpy.flatnonzero(there == 0).tolist())
    ifuncs = numpy.flatnonzero(table["info"] & 15 == STT_GNU_IFUNC).tolist()
    threads = numpy.flatnonzero((table["info"] & 15 == STT_TLS) & (sections == 0)).tolist()
    uniques = numpy.flatnonzero((binds == STB_GNU_UNIQUE) & (sections != 0)).tolist()
    return Index(defined, commons, undefined, repeats, tuple(ifuncs), tuple(threads), tuple(uniques))


def _take(defined: dict[str, int], names: list[str], first: int, positions: list[int]) -> dict[str, int]:
    """Move the names at these positions to a dictionary of their own."""
    taken: dict[str, int] = {}
    for position in positions:
        name = names[position]
        if defined.get(name) == first + position:
            taken[name] = defined.pop(name)
    return taken


def symbol_array(object: Object, numpy: ModuleType):  # type: ignore[no-untyped-def]  # numpy is not imported for types
    """The symbol table as a structured array that borrows the object's bytes; fields as in Elf64_Sym."""
    fields = [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")]
    return numpy.frombuffer(object.symbols.table, dtype=fields)


def section_array(object: Object, numpy: ModuleType):  # type: ignore[no-untyped-def]
    """The section of every symbol as int64; reserved indices are negative, as `Symbols.section` gives them."""
    narrow = symbol_array(object, numpy)["section"].astype(numpy.int64)
    sections = numpy.where(narrow >= SHN_LORESERVE, narrow - RESERVED, narrow)
    if object.symbols.extended:
        wide = numpy.array(object.symbols.extended[: len(narrow)], dtype=numpy.int64)
        sections = numpy.where(narrow == SHN_XINDEX, wide, sections)
    return sections


def names_of(strings: bytes, offsets, numpy: ModuleType) -> list[str]:  # type: ignore[no-untyped-def]
    """The NUL-terminated names at the offsets (an integer array) of a string table."""
    if not len(offsets):
        return []
    content = numpy.frombuffer(strings, dtype=numpy.uint8)
    starts = offsets.astype(numpy.int64)
    if strings.isascii() and (numpy.diff(starts) > 0).all() and not content[starts[1:] - 1].any():
        # ascending, and each right behind a NUL: if there are as many strings as names, they are the names
        end = strings.index(0, int(starts[-1]))
        parts = strings[int(starts[0]) : end].decode("ascii").split("\0")
        if len(parts) == len(starts):
            return parts
    ends = numpy.flatnonzero(content == 0)
    pairs = zip(starts.tolist(), ends[numpy.searchsorted(ends, starts)].tolist())
    return [strings[start:stop].decode("utf-8", "surrogateescape") for start, stop in pairs]


def _enter_versions(index: Index) -> None:
    """Let `f@@V` answer to `f` and `f@V`; a plain definition of `f` in the same object comes first."""
    for name, number in list(index.defined.items()):
        base, separator, version = name.partition("@@")
        if separator:
            index.defined.setdefault(base, number)
            index.defined.setdefault(f"{base}@{version}", number)


def _bad_symbol(object: Object, number: int) -> BadObjectError:
    """Why this record was refused; the checks stand in the order in which people ask."""
    symbols = object.symbols
    name, info, _, narrow, _, _ = next(iter_unpack("<IBBHQQ", symbols.table[number * 24 : number * 24 + 24]))
    where = f"symbol {number}"
    if name >= len(symbols.strings):
        return BadObjectError(object.name, "symbol name outside its string table", f"st_name {name:#x}", where)
    where += f" {text_at(symbols.strings, name)}".rstrip()
    if (info >> 4 == STB_LOCAL) != (number < symbols.first_global):
        found = f"binding {info >> 4} at {number}, locals end at {symbols.first_global}"
        return BadObjectError(object.name, "symbol on the wrong side of the local symbols", found, where)
    if info >> 4 not in (STB_LOCAL, *BINDINGS):
        return BadObjectError(object.name, "symbol with an unknown binding", f"binding {info >> 4}", where)
    return BadObjectError(object.name, "symbol in a section that is not there", f"st_shndx {narrow:#x}", where)
