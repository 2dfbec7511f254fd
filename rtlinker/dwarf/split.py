"""Split DWARF: debug information that the compiler left in `.dwo` files (DWARF 5 section 7.3.2, -gsplit-dwarf).

The object has a skeleton for each unit: the file's name, the directory it was compiled in, and a number that the file
repeats, since a file of another compilation would describe other types.
"""

from __future__ import annotations

import os

from rtlinker.dwarf import constants as c
from rtlinker.dwarf.reader import Declarations
from rtlinker.dwarf.sections import DebugSections
from rtlinker.errors import BadObjectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.bind.ctype import CType, FunctionType
    from rtlinker.dwarf.entries import Entry
    from rtlinker.dwarf.reader import Declared


class SplitDeclarations(Declarations):
    """The declarations of one object and of the files that hold its split units."""

    def __init__(self, own: Declarations, parts: list[Declarations], notes: list[str]) -> None:
        self._own = own
        self._parts = parts
        self._said = notes

    def __bool__(self) -> bool:
        return bool(self._own)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is missing, and where it is."""
        return (*self._own.notes, *self._said, *[note for part in self._parts for note in part.notes])

    def function(self, name: str) -> FunctionType | None:
        """See `Declarations.function`."""
        return next(filter(None, (part.function(name) for part in (*self._parts, self._own))), None)

    def variable(self, name: str) -> CType | None:
        """See `Declarations.variable`."""
        return next(filter(None, (part.variable(name) for part in (*self._parts, self._own))), None)

    def type(self, name: str) -> CType | None:
        """See `Declarations.type`."""
        return next(filter(None, (part.type(name) for part in (*self._parts, self._own))), None)

    def functions(self) -> tuple[Declared, ...]:
        """See `Declarations.functions`."""
        return tuple(found for part in (self._own, *self._parts) for found in part.functions())

    def variables(self) -> tuple[Declared, ...]:
        """See `Declarations.variables`."""
        return tuple(found for part in (self._own, *self._parts) for found in part.variables())


def with_split_files(own: Declarations, data: bytes, name: str) -> Declarations:
    """The object's declarations with those of its .dwo files, looked for where they were compiled and beside `name`.

    A file that is missing, broken or of another compilation is a note. The object itself may hold the split sections
    (clang's -gsplit-dwarf=single).
    """
    skeletons = [unit.top for unit in own.units() if {c.AT_DWO_NAME, c.AT_GNU_DWO_NAME} & unit.top.attributes.keys()]
    if not skeletons:
        return own
    parts: list[Declarations] = []
    notes: list[str] = []
    for top in skeletons:
        found = split_part(top, data, name)
        if isinstance(found, str):
            notes.append(found)
        else:
            parts.append(found)
    return SplitDeclarations(own, parts, notes)


def split_part(top: Entry, data: bytes, name: str) -> Declarations | str:
    """The declarations in the file that the top entry of a skeleton names, or what to say where they are of no use."""
    said = top.text(c.AT_DWO_NAME) or top.text(c.AT_GNU_DWO_NAME) or ""
    inside = b".debug_info.dwo" in data
    path = name if inside else _path(said, top.text(c.AT_COMP_DIR) or "", name)
    problem = "which is not there"
    if path is not None:
        found = _read(data if inside else None, path, top)
        if not isinstance(found, str):
            return found
        problem = found
    return f"types are in {said}, {problem}: the object was compiled with -gsplit-dwarf"


def _path(said: str, directory: str, name: str) -> str | None:
    beside = os.path.join(os.path.dirname(name), os.path.basename(said))  # noqa: PTH118, PTH119, PTH120
    places = [os.path.join(directory, said), beside]  # noqa: PTH118
    return next((place for place in places if os.path.isfile(place)), None)  # noqa: PTH113


def _read(data: bytes | None, path: str, top: Entry) -> Declarations | str:
    """The declarations of a file, or what is wrong with it."""
    try:
        if data is None:
            with open(path, "rb") as file:  # noqa: PTH123  pathlib costs 6 ms to import
                data = file.read()
        part = Declarations(DebugSections(data, path, b".dwo"), path)
        if top.unit.dwo_id not in {unit.dwo_id for unit in part.units()}:
            return "which is of another compilation"
    except (OSError, BadObjectError):
        return "which cannot be read"
    return part
