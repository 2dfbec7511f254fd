"""What an object or archive says, as tables and as plain data for JSON."""

from __future__ import annotations

from struct import iter_unpack

from rtlinker.elf.constants import SHT_RELA
from rtlinker.elf.index import index_symbols
from rtlinker.elf.object import ABSOLUTE, COMMON, LARGE_COMMON, Object
from rtlinker.show.table import Table
from rtlinker.x86_64.rules import RULES, rule_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

SECTION_TYPES = {
    1: "PROGBITS",
    2: "SYMTAB",
    3: "STRTAB",
    4: "RELA",
    7: "NOTE",
    8: "NOBITS",
    9: "REL",
    14: "INIT_ARRAY",
    15: "FINI_ARRAY",
    16: "PREINIT_ARRAY",
    17: "GROUP",
    18: "SYMTAB_SHNDX",
    0x70000001: "X86_64_UNWIND",
}
SYMBOL_TYPES = {0: "notype", 1: "object", 2: "func", 3: "section", 4: "file", 5: "common", 6: "tls", 10: "ifunc"}
BINDS = {0: "local", 1: "global", 2: "weak", 10: "unique"}
VISIBILITIES = ("default", "internal", "hidden", "protected")
PLACES = {0: "undefined", ABSOLUTE: "absolute", COMMON: "common", LARGE_COMMON: "common (large)"}


def inspect_object(object: Object, provider: Callable[[str], str | None]) -> dict[str, Any]:
    """Sections, symbols, relocations and undefined names of one object, as data that `json.dumps` takes.

    `provider(name)` says who would provide an undefined name, or None. Offsets and sizes are bytes.
    """
    index = index_symbols(object)
    return {
        "file": object.name,
        "sections": [_section(object, number) for number in range(1, len(object.sections))],
        "symbols": [_symbol(object, number) for number in range(1, len(object.symbols))],
        "relocations": _relocations(object),
        "undefined": [
            {"name": name, "weak": object.symbols.bind(at) == 2, "provider": provider(name)}
            for name, at in index.undefined.items()
        ],
    }


def _section(object: Object, number: int) -> dict[str, Any]:
    sections = object.sections
    kind = sections.types[number]
    return {
        "index": number,
        "name": sections.names[number],
        "type": SECTION_TYPES.get(kind, hex(kind)),
        "size": sections.sizes[number],
        "align": sections.aligns[number],
        "access": sections.letters(number),
    }


def _symbol(object: Object, number: int) -> dict[str, Any]:
    symbol = object.symbols.symbol(number)
    place = PLACES.get(symbol.section) or object.sections.names[symbol.section]
    return {
        "name": object.symbol_title(number),
        "bind": BINDS.get(symbol.bind, str(symbol.bind)),
        "type": SYMBOL_TYPES.get(symbol.type, str(symbol.type)),
        "visibility": VISIBILITIES[symbol.visibility],
        "section": place,
        "value": symbol.value,
        "size": symbol.size,
    }


def _relocations(object: Object) -> list[dict[str, Any]]:
    found = []
    for table in object.relocations:
        section = object.sections.names[table.section]
        for offset, info, addend in iter_unpack("<QQq", table.table):
            found.append(
                {
                    "section": section,
                    "offset": offset,
                    "rule": rule_name(info & 0xFFFFFFFF),
                    "formula": RULES[info & 0xFFFFFFFF].formula if info & 0xFFFFFFFF in RULES else None,
                    "symbol": object.symbol_title(info >> 32) if 0 < info >> 32 < len(object.symbols) else None,
                    "addend": addend,
                }
            )
    return found


def object_tables(seen: dict[str, Any]) -> list[Table]:
    """The same as tables for people. The relocation tables of debug sections and the null entries are left out.

    Names of more than 100 characters lose their middle: templates of C++ have names of thousands.
    """
    sections = [
        (str(row["index"]), row["name"], row["type"], row["access"], f"{row['size']:#x}", str(row["align"]))
        for row in seen["sections"]
        if row["type"] != SECTION_TYPES[SHT_RELA]
    ]
    symbols = [
        (
            row["name"],
            row["bind"],
            row["type"],
            row["visibility"],
            row["section"],
            f"{row['value']:#x}",
            str(row["size"]),
        )
        for row in seen["symbols"]
        if row["type"] not in {"section", "file"}
    ]
    relocations = [
        (f"{row['section']}+{row['offset']:#x}", row["rule"], row["formula"] or "", _target(row))
        for row in seen["relocations"]
    ]
    undefined = [
        (row["name"], "weak" if row["weak"] else "", row["provider"] or "nobody known") for row in seen["undefined"]
    ]
    return [
        Table("sections", (">index", "name", "type", "access", ">size", ">align"), _cut(sections)),
        Table("symbols", ("name", "bind", "type", "visibility", "section", ">value", ">size"), _cut(symbols)),
        Table("relocations", ("site", "rule", "formula", "target"), _cut(relocations)),
        Table("undefined", ("name", "", "provided by"), _cut(undefined)),
    ]


LONGEST = 100


def _cut(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Rows whose cells have at most LONGEST characters: of longer ones the start and the end."""
    half = (LONGEST - 3) // 2
    return [tuple(f"{cell[:half]}...{cell[-half:]}" if len(cell) > LONGEST else cell for cell in row) for row in rows]


def _target(row: dict[str, Any]) -> str:
    addend = row["addend"]
    sign = "" if not addend else f" {'-' if addend < 0 else '+'} {abs(addend):#x}"
    return f"{row['symbol'] or '0'}{sign}"


def archive_data(
    name: str, members: Sequence[Object], refused: dict[str, str], names: dict[str, str]
) -> dict[str, Any]:
    """Members of an archive with what each defines and needs, and names that several members define."""
    rows = []
    for object in members:
        index = index_symbols(object)
        rows.append(
            {
                "member": object.name,
                "size": len(object.data),
                "defines": sorted([*index.defined, *index.commons]),
                "undefined": sorted(name for name in index.undefined if name not in names),
                "needs": sorted({names[name] for name in index.undefined if name in names} - {object.name}),
            }
        )
    return {"file": name, "members": rows, "refused": refused}


def archive_tables(seen: dict[str, Any]) -> list[Table]:
    """The same as tables for people."""
    members = [
        (
            _short(row["member"]),
            str(row["size"]),
            str(len(row["defines"])),
            ", ".join(row["defines"][:3]) + _more(row["defines"]),
            ", ".join(_short(need) for need in row["needs"][:3]) + _more(row["needs"]),
        )
        for row in seen["members"]
    ]
    outside = sorted({name for row in seen["members"] for name in row["undefined"]})
    tables = [
        Table("members", ("member", ">size", ">defines", "such as", "needs members"), members),
        Table("undefined in the whole archive", ("name",), [(name,) for name in outside]),
    ]
    if seen["refused"]:
        tables.append(Table("not objects", ("member", "reason"), list(seen["refused"].items())))
    return tables


def _short(name: str) -> str:
    return name[name.rindex("(") + 1 : -1] if name.endswith(")") else name


def _more(items: Sequence[object]) -> str:
    return " ..." if len(items) > 3 else ""
