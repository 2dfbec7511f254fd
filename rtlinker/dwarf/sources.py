"""The files that an object was compiled from. Asked by people's tools only, so pyelftools may take its time."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def source_files(data: bytes) -> tuple[str, ...]:
    """Every file that the line tables of an object name, headers too: absolute paths where directories are recorded.

    Empty where there are no line tables, or they are broken.
    """
    from io import BytesIO

    from elftools.elf.elffile import ELFFile

    found: dict[str, None] = {}
    try:
        dwarf = ELFFile(BytesIO(data)).get_dwarf_info()
        for unit in dwarf.iter_CUs():
            program = dwarf.line_program_for_CU(unit)
            if program is not None:
                found.update(dict.fromkeys(_paths(program, unit)))
    except Exception:  # pyelftools leaks all sorts of errors on broken tables, and less is better than nothing here
        return tuple(found)
    return tuple(found)


def _paths(program: Any, unit: Any) -> list[str]:
    """Directories are numbered from the one of the compilation, which only DWARF 5 lists (DWARF 5 section 6.2.4)."""
    directory = unit.get_top_DIE().attributes.get("DW_AT_comp_dir")
    own = _text(directory.value) if directory is not None else ""
    directories = [_text(each) for each in program["include_directory"]]
    if program["version"] < 5:
        directories = [own, *directories]
    rows = program["file_entry"]
    return [os.path.normpath(os.path.join(own, directories[row["dir_index"]], _text(row["name"]))) for row in rows]  # noqa: PTH118


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
