"""Names to symbols: which names an object defines, which it leaves to others.

This is the one walk over the whole symbol table, so it is also where the table's records are checked. There are two
engines, chosen by the number of records and proved equal by tests/property/test_engines.py: a loop, and columns, on
which bytes and lists work without a step of Python per symbol.
"""

from __future__ import annotations

from itertools import accumulate
from operator import lt
from struct import iter_unpack

from rtlinker.elf.constants import (
    SHN_LORESERVE,
    SHN_XINDEX,
    STB_GLOBAL,
    STB_GNU_UNIQUE,
    STB_LOCAL,
    STB_WEAK,
    STT_GNU_IFUNC,
    STT_TLS,
    SYM_SIZE,
)
from rtlinker.elf.object import ABSOLUTE, COMMON, LARGE_COMMON, RESERVED, SYMBOL, Object, text_at
from rtlinker.errors import BadObjectError
from rtlinker.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rtlinker.elf.object import Symbols

COMMONS = (COMMON, LARGE_COMMON)
NO_SECTIONS = (ABSOLUTE, *COMMONS)
BINDINGS = (STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE)

LOCAL = bytes([info for info in range(256) if info >> 4 == STB_LOCAL])
SHARED = bytes([info for info in range(256) if info >> 4 in BINDINGS])
TYPES, BINDS = bytes([info & 15 for info in range(256)]), bytes([info >> 4 for info in range(256)])
"""Of every st_info its type and its binding, for bytes.translate."""

WORTH_COLUMNS = 100
"""Symbols from which columns win over the loop."""


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
    `engine` is `auto`, `scalar` or `native` (gABI, Symbol Table).
    """
    columns = len(object.symbols) >= WORTH_COLUMNS if engine == "auto" else engine == "native"
    index = _by_columns(object) if columns else None
    if index is None:
        index = _by_loop(object, enumerate(iter_unpack(SYMBOL.format, object.symbols.table)))
    if b"@" in object.symbols.strings:
        _enter_versions(index)
    return index


def index_some(object: Object, numbers: Sequence[int]) -> Index:
    """The index of the local symbols and these. Raises BadObjectError as `index_symbols` does."""
    table = object.symbols.table
    chosen = [*enumerate(iter_unpack(SYMBOL.format, table[: object.symbols.first_global * SYM_SIZE]))]
    chosen += [(number, SYMBOL.unpack_from(table, number * SYM_SIZE)) for number in numbers]
    return _by_loop(object, chosen)


def _by_loop(object: Object, records: Iterable[tuple[int, tuple[int, ...]]]) -> Index:
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
    for number, (name, info, _, section, _, _) in records:
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


def _by_columns(object: Object) -> Index | None:
    """The same by columns, without a step per symbol where one is not needed; None when some record is wrong."""
    symbols = object.symbols
    first, table = symbols.first_global, symbols.table
    infos, names = bytes(table[4::SYM_SIZE]), table.cast("I")[0::6].tolist()
    sections = _sections(symbols)
    found = set(sections)
    wrong = (
        infos[:first].translate(None, LOCAL)
        or infos[first:].translate(None, SHARED)
        or max(names) >= len(symbols.strings)
    )
    if wrong or not all(0 <= each < len(object.sections) or each in NO_SECTIONS for each in found):
        return None
    texts = names_at(symbols.strings, names[first:])
    count = len(sections)
    defined = dict(zip(texts, range(first, count)))
    repeats: tuple[tuple[str, int], ...] = ()
    if len(defined) != len(texts):  # the first of two equal names stays
        defined = dict(zip(reversed(texts), range(count - 1, first - 1, -1)))
        repeats = tuple([(text, number) for number, text in enumerate(texts, first) if defined[text] != number])
    undefined = _take(defined, texts, first, _places(sections, 0, first))
    commons: dict[str, int] = {}
    for common in found.intersection(COMMONS):
        commons |= _take(defined, texts, first, _places(sections, common, first))
    if len(found.intersection(COMMONS)) > 1:
        commons = dict(sorted(commons.items(), key=lambda entry: entry[1]))
    kinds, binds = infos.translate(TYPES), infos.translate(BINDS)
    return Index(
        defined,
        commons,
        undefined,
        repeats,
        tuple(_places(kinds, STT_GNU_IFUNC, 0)),
        tuple([at for at in _places(kinds, STT_TLS, 0) if not sections[at]]),
        tuple([at for at in _places(binds, STB_GNU_UNIQUE, first) if sections[at]]),
    )


def _sections(symbols: Symbols) -> list[int]:
    """The section of every symbol; reserved indices are negative, as `Symbols.section` gives them."""
    narrow = symbols.table.cast("H")[3::12].tolist()
    sections = narrow[:]
    for reserved in [section for section in set(narrow) if section >= SHN_LORESERVE]:
        wide = symbols.extended if reserved == SHN_XINDEX else ()
        for at in _places(narrow, reserved, 0):
            sections[at] = wide[at] if wide else reserved - RESERVED
    return sections


def _places(column: Sequence[int], value: int, start: int) -> list[int]:
    """Where a column has a value, from `start` on."""
    places: list[int] = []
    try:
        while True:
            start = column.index(value, start)
            places.append(start)
            start += 1
    except ValueError:
        return places


def _take(defined: dict[str, int], names: list[str], first: int, numbers: list[int]) -> dict[str, int]:
    """Move the names of these symbols to a dictionary of their own."""
    taken: dict[str, int] = {}
    for number in numbers:
        name = names[number - first]
        if defined.get(name) == number:
            taken[name] = defined.pop(name)
    return taken


def names_at(strings: bytes, offsets: list[int]) -> list[str]:
    """The NUL-terminated names at the offsets of a string table."""
    if not offsets or not strings.isascii():
        return [text_at(strings, offset) for offset in offsets]
    if all(map(lt, offsets, offsets[1:])) and not any(map((b"\0" + strings).__getitem__, offsets)):
        # ascending, and each right behind a NUL: if there are as many strings as names, they are the names
        parts = strings[offsets[0] : strings.index(0, offsets[-1])].decode("ascii").split("\0")
        if len(parts) == len(offsets):
            return parts
    parts = strings.decode("ascii").split("\0")
    starts = accumulate(map(len, parts), lambda start, length: start + length + 1, initial=0)
    known = dict(zip(starts, parts))
    return [known[offset] if offset in known else text_at(strings, offset) for offset in offsets]


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
