"""The files that entries are declared in. Asked for in listings only, so pyelftools may take its time."""

from __future__ import annotations

from rtlinker.dwarf.constants import AT_DECL_FILE, AT_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.dwarf.entries import Entry, Unit


def file_of(entry: Entry) -> str:
    """The file of DW_AT_decl_file, as the compiler recorded it; the unit's own file where nothing is known."""
    unit = entry.unit
    number = entry.number(AT_DECL_FILE)
    files = unit.sections.files.get((unit.section, unit.start))
    if files is None:
        files = unit.sections.files[unit.section, unit.start] = _files(unit)
    return files.get(number or 0) or unit.top.text(AT_NAME) or ""


def _files(unit: Unit) -> dict[int, str]:
    """File names by number, from the header of the unit's line program (DWARF 5 section 6.2.4)."""
    from io import BytesIO

    from elftools.common.exceptions import DWARFError, ELFError
    from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo

    rows = [unit.sections.units[unit.section], (".debug_line", unit.sections.line_table()), *unit.tables.items()]
    named = {name[1:]: data for name, data in rows}
    sections = {
        name: DebugSectionDescriptor(BytesIO(named[name]), f".{name}", 0, len(named[name]), 0)
        if name in named
        else None
        for name in _SECTIONS
    }
    dwarf = DWARFInfo(DwarfConfig(True, "x64", 8), **{f"{name}_sec": section for name, section in sections.items()})
    try:
        program = dwarf.line_program_for_CU(dwarf.get_CU_at(unit.start))
        if program is None:
            return {}
        first = 0 if unit.version >= 5 else 1
        names = enumerate(program["file_entry"], first)
        return {number: row["name"].decode("utf-8", "surrogateescape") for number, row in names}
    except (DWARFError, ELFError, KeyError, IndexError, AssertionError, OverflowError, AttributeError, ValueError):
        return {}  # a listing without file names beats none; pyelftools leaks all of these on broken tables


_SECTIONS = (
    "debug_info", "debug_aranges", "debug_abbrev", "debug_frame", "eh_frame", "debug_str", "debug_loc", "debug_ranges",
    "debug_line", "debug_pubtypes", "debug_pubnames", "debug_addr", "debug_str_offsets", "debug_line_str",
    "debug_loclists", "debug_rnglists", "debug_sup", "gnu_debugaltlink", "debug_types",
)  # fmt: skip
