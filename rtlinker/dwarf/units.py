"""The units of one file's debug information, and the entries that references between them lead to."""

from __future__ import annotations

from rtlinker.dwarf.entries import Entry, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.dwarf.sections import DebugSections


class Units:
    """Every unit in the order of the sections (`all`); `notes` says which are not read."""

    __slots__ = ("_entries", "_signatures", "all", "notes")

    def __init__(self, sections: DebugSections) -> None:
        self.all: list[Unit] = []
        self.notes: list[str] = [*sections.notes]
        self._signatures: dict[int, Unit] = {}
        self._entries: dict[object, Entry | None] = {}
        for number, (_, data) in enumerate(sections.units):
            place = 0
            while place < len(data):
                unit = Unit(sections, number, place)
                place = unit.end
                if not unit.known:
                    self.notes.append(f"debug information of DWARF version {unit.version} is not read")
                    continue
                self.all.append(unit)
                if unit.signature is not None:
                    self._signatures[unit.signature] = unit

    def holding(self, section: int, offset: int) -> Unit | None:
        """The unit in which the offset of a section lies, or None."""
        low, high = 0, len(self.all)
        while low < high:  # the last unit that starts at or before the offset
            middle = (low + high) // 2
            unit = self.all[middle]
            if (unit.section, unit.start) <= (section, offset):
                low = middle + 1
            else:
                high = middle
        found = self.all[low - 1] if low else None
        inside = found is not None and found.section == section and found.start < offset < found.end
        return found if inside else None

    def find(self, reference: object) -> Entry | None:
        """The entry that a reference leads to, or None; read once, however many refer to it."""
        if not isinstance(reference, tuple):
            return None
        try:
            return self._entries[reference]
        except KeyError:
            found = self._entries[reference] = self._find(reference)
            return found

    def _find(self, reference: tuple[int, int]) -> Entry | None:
        section, offset = reference
        if section == -1:
            signed = self._signatures.get(offset)
            return Entry(signed, signed.type_offset) if signed else None
        unit = self.holding(section, offset)
        return Entry(unit, offset) if unit else None
