"""The files that entries are declared in: the header of a unit's line program (DWARF 5 section 6.2.4), no more."""

from __future__ import annotations

from struct import error as StructError  # noqa: N812
from struct import unpack_from

from rtlinker.dwarf.abbreviations import text_at, uleb
from rtlinker.dwarf.constants import AT_DECL_FILE, AT_NAME, AT_STMT_LIST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.dwarf.entries import Entry, Unit

_BROKEN = (IndexError, KeyError, ValueError, OverflowError, StructError)
_PATH = 1  # DW_LNCT_path
_FIXED = {0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16}


def file_of(entry: Entry) -> str:
    """The file of DW_AT_decl_file, as the compiler recorded it; the unit's own file where nothing is known."""
    unit = entry.unit
    number = entry.number(AT_DECL_FILE)
    return files_of(unit).get(number or 0) or unit.top.text(AT_NAME) or ""


def files_of(unit: Unit) -> dict[int, str]:
    """File names by number; none where the table is missing or broken: a listing without them beats no listing."""
    files = unit.sections.files.get((unit.section, unit.start))
    if files is None:
        files = unit.sections.files[unit.section, unit.start] = _files(unit)
    return files


def _files(unit: Unit) -> dict[int, str]:
    table = unit.sections.line_table()
    place = unit.top.number(AT_STMT_LIST)
    if place is None and unit.sections.suffix:
        place = 0  # a split unit: the one table of its file
    if place is None or place >= len(table):
        return {}
    try:
        version, size, place = _start(table, place)
        return _named(unit, table, place, size) if version >= 5 else _listed(table, place)
    except _BROKEN:
        return {}


def _start(table: bytes, place: int) -> tuple[int, int, int]:
    """The version, the size of offsets, and where the directories begin."""
    size = 4
    if unpack_from("<I", table, place)[0] == 0xFFFFFFFF:
        place, size = place + 4, 8
    version = unpack_from("<H", table, place + size)[0]
    place += size + 2
    if version >= 5:
        place += 2  # address_size, segment_selector_size
    place += size + (5 if version >= 4 else 4)  # header_length, minimum_instruction_length ... line_range
    return version, size, place + table[place]  # opcode_base counts itself, as the lengths after it do not


def _listed(table: bytes, place: int) -> dict[int, str]:
    """The files of DWARF 2 to 4: names with three numbers each, counted from 1, behind the directories."""
    while table[place]:
        place = table.index(0, place) + 1
    place += 1
    found: dict[int, str] = {}
    while table[place]:
        name = text_at(table, place)
        place += len(name) + 1
        for _ in range(3):  # directory, time, length
            _, place = uleb(table, place)
        found[len(found) + 1] = name.decode("utf-8", "surrogateescape")
    return found


def _named(unit: Unit, table: bytes, place: int, size: int) -> dict[int, str]:
    """The files of DWARF 5, counted from 0: each table says first what its rows are made of."""
    rows: list[list[tuple[int, object]]] = []
    for _ in range(2):  # directories, then files
        count, place = table[place], place + 1
        shape = []
        for _ in range(count):
            content, place = uleb(table, place)
            form, place = uleb(table, place)
            shape.append((content, form))
        number, place = uleb(table, place)
        if number > len(table):
            raise ValueError("more files than bytes")
        rows = []
        for _ in range(number):
            row: list[tuple[int, object]] = []
            for content, form in shape:
                value, place = _value(unit, table, place, form, size)
                row.append((content, value))
            rows.append(row)
    paths = [dict(row).get(_PATH) for row in rows]
    return {at: path.decode("utf-8", "surrogateescape") for at, path in enumerate(paths) if isinstance(path, bytes)}


def _value(unit: Unit, table: bytes, place: int, form: int, size: int) -> tuple[object, int]:
    """What stands at `place` in a form that line tables use, and where the next one starts."""
    if form == 0x08:  # string
        name = text_at(table, place)
        return name, place + len(name) + 1
    if form == 0x0F:
        return uleb(table, place)
    if form == 0x09:  # block
        length, place = uleb(table, place)
        return None, place + length
    if form in (0x0E, 0x1F):  # strp, line_strp
        number = int.from_bytes(table[place : place + size], "little")
        return unit.interpret(form, number), place + size
    return None, place + _FIXED[form]
