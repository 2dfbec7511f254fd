"""What one relocatable object says about its functions and variables: `read_declarations`.

Only the top level of each unit is read to find names; types are made when asked for. Names are found as in the symbol
table (linkage names, for C++ the mangled ones) and as in the source. A definition wins over a declaration.
"""

from __future__ import annotations

import struct

from rtlinker.bind.ctype import FunctionType, declare, size_of
from rtlinker.dwarf import constants as c
from rtlinker.dwarf.aliases import called
from rtlinker.errors import BadObjectError, LinkError
from rtlinker.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from rtlinker.bind.ctype import CType
    from rtlinker.dwarf.entries import Entry, Unit
    from rtlinker.dwarf.sections import DebugSections
    from rtlinker.dwarf.types import TypeReader
    from rtlinker.dwarf.units import Units

    T = TypeVar("T")

_BROKEN = (
    IndexError, KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError, MemoryError,
    struct.error,
)  # fmt: skip
_DEEPEST = 32
_NAMED = {
    "struct": (c.TAG_STRUCTURE_TYPE,),
    "union": (c.TAG_UNION_TYPE,),
    "class": (c.TAG_CLASS_TYPE,),
    "enum": (c.TAG_ENUMERATION_TYPE,),
    "": (
        c.TAG_TYPEDEF, c.TAG_STRUCTURE_TYPE, c.TAG_CLASS_TYPE, c.TAG_UNION_TYPE, c.TAG_ENUMERATION_TYPE,
        c.TAG_BASE_TYPE,
    ),
}  # fmt: skip


class Declared(Fact):
    """A function or variable that the object declares: where, under which names, and whether it is defined here.

    `symbol` is its name in the symbol table. `file` is as the compiler recorded it, `line` 0 where unknown.
    """

    name: str
    symbol: str
    file: str
    line: int
    static: bool
    defined: bool


class Declarations:
    """The functions and variables of one object, by name.

    `notes` are sentences for people about information that is elsewhere (split DWARF). Every method may raise
    BadObjectError for debug information that is broken.
    """

    def __init__(self, sections: DebugSections | None, name: str) -> None:
        self._sections = sections
        self._file = name
        self._found: dict[int, dict[str, Entry]] = {c.TAG_SUBPROGRAM: {}, c.TAG_VARIABLE: {}}
        self._list: dict[int, list[Entry]] = {c.TAG_SUBPROGRAM: [], c.TAG_VARIABLE: []}
        self._units: Units | None = None
        self._named = False
        self._types: TypeReader | None = None
        self._notes: list[str] = []

    def __bool__(self) -> bool:
        return self._sections is not None and bool(self._sections.units)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is missing, and where it is."""
        self.guard(self.types)
        return tuple(self._notes)

    def function(self, name: str) -> FunctionType | None:
        """The type of a function, static ones too, by its symbol's name or its name in the source; or None."""
        ctype = self._look_up(c.TAG_SUBPROGRAM, name)
        return ctype if isinstance(ctype, FunctionType) else None

    def variable(self, name: str) -> CType | None:
        """The type of a variable, static ones too, or None."""
        return self._look_up(c.TAG_VARIABLE, name)

    def type(self, name: str) -> CType | None:
        """The struct, union, class, enumeration or typedef of that name (`point`, `struct point`), or None."""
        return self.guard(lambda: self._type_named(name)) if self._sections is not None else None

    def functions(self) -> tuple[Declared, ...]:
        """Every function that the object defines or declares, in the order of the units."""
        return self.guard(lambda: self._listed(c.TAG_SUBPROGRAM))

    def variables(self) -> tuple[Declared, ...]:
        """Every variable at file scope that the object defines or declares."""
        return self.guard(lambda: self._listed(c.TAG_VARIABLE))

    def guard(self, work: Callable[[], T]) -> T:
        """What `work` gives; what goes wrong on the way through broken bytes is a BadObjectError."""
        try:
            return work()
        except LinkError:
            raise
        except _BROKEN as error:
            found = f"{type(error).__name__}: {error}"[:200]
            raise BadObjectError(self._file, "debug information is broken", found, ".debug_info") from error

    def _look_up(self, tag: int, name: str) -> CType | None:
        def work() -> CType | None:
            types = self._reader()
            entry = called(self._found[tag], name)
            if entry is None:
                return self._static_local(types, name) if tag == c.TAG_VARIABLE and "." in name else None
            return types.function(entry) if tag == c.TAG_SUBPROGRAM else types.of(entry)

        return self.guard(work) if self._sections is not None else None

    def _reader(self) -> TypeReader:
        """The reader of types, after the top level of all units was read."""
        types = self.types()
        if not self._named:
            self._named = True
            for unit in self._units.all if self._units else ():
                if unit.signature is None:
                    self._read_level(unit, unit.top, 0)
        return types

    def types(self) -> TypeReader:
        """The reader of types. Raises as broken bytes do: see `guard`."""
        if self._types is None:
            from rtlinker.dwarf.types import TypeReader

            if self._sections is not None:
                from rtlinker.dwarf.units import Units

                self._units = Units(self._sections)
                self._notes += self._units.notes
            self._types = TypeReader(self._find, self.guard)
        return self._types

    def units(self) -> list[Unit]:
        """The units of the object, those of types too."""
        self.guard(self.types)
        return self._units.all if self._units else []

    def _read_level(self, unit: Unit, parent: Entry, depth: int) -> None:
        from rtlinker.dwarf.entries import Entry

        if not parent.abbreviation.children or depth > _DEEPEST:
            return
        for offset, tag in unit.below(parent.end):
            if tag in (c.TAG_SUBPROGRAM, c.TAG_VARIABLE):
                self._add(Entry(unit, offset))
            elif tag == c.TAG_NAMESPACE:
                self._read_level(unit, Entry(unit, offset), depth + 1)

    def _add(self, entry: Entry) -> None:
        names = {self._text(entry, c.AT_NAME), self._symbol(entry)} - {None}
        if not names:
            return
        self._list[entry.tag].append(entry)
        table = self._found[entry.tag]
        for name in names:
            old = table.get(name) if name else None
            if name and (old is None or (_rank(old) < _rank(entry))):
                table[name] = entry

    def _static_local(self, types: TypeReader, symbol: str) -> CType | None:
        """The type of a static variable in a function: gcc names it `calls.0`, clang `size.calls`.

        None where several could be meant and differ.
        """
        from rtlinker.dwarf.types import is_static

        first, _, rest = symbol.partition(".")
        function, wanted = (None, first) if rest.isdigit() else (first, rest.partition(".")[0])
        found: CType | None = None
        for outer in self._list[c.TAG_SUBPROGRAM]:
            if not outer.abbreviation.children or function not in (None, self._symbol(outer)):
                continue
            for offset, tag in outer.unit.within(outer.end):
                entry = type(outer)(outer.unit, offset) if tag == c.TAG_VARIABLE else None
                if entry is None or entry.text(c.AT_NAME) != wanted or not is_static(entry):
                    continue
                ctype = types.of(entry)
                if found is not None and declare(found) != declare(ctype):
                    return None
                found = ctype
        return found

    def _type_named(self, name: str) -> CType | None:
        """The first type at file scope with the name, of those that are more than declared if there is one."""
        from rtlinker.dwarf.entries import Entry

        types = self._reader()
        keyword, _, plain_name = name.rpartition(" ")
        found: CType | None = None
        for unit in self.units():
            for offset, tag in unit.below(unit.top.end):
                if tag in _NAMED.get(keyword, ()) and Entry(unit, offset).text(c.AT_NAME) == plain_name:
                    ctype = types.at((unit.section, offset))
                    if size_of(ctype) is not None:
                        return ctype
                    found = ctype
        return found

    def _text(self, entry: Entry, attribute: int) -> str | None:
        holder = self._types.holder(entry, attribute) if self._types else None
        return holder.text(attribute) if holder else None

    def _symbol(self, entry: Entry) -> str | None:
        return (
            self._text(entry, c.AT_LINKAGE_NAME)
            or self._text(entry, c.AT_MIPS_LINKAGE_NAME)
            or self._text(entry, c.AT_NAME)
        )

    def _find(self, reference: object) -> Entry | None:
        """The entry that a reference leads to, or None."""
        return self._units.find(reference) if self._units else None

    def _listed(self, tag: int) -> tuple[Declared, ...]:
        from rtlinker.dwarf.lines import file_of

        types = self._reader()
        rows = []
        for entry in self._list[tag]:
            line = types.holder(entry, c.AT_DECL_LINE)
            rows.append(
                Declared(
                    self._text(entry, c.AT_NAME) or "",
                    self._symbol(entry) or "",
                    file_of(types.holder(entry, c.AT_DECL_FILE) or entry),
                    (line.number(c.AT_DECL_LINE) or 0) if line else 0,
                    types.holder(entry, c.AT_EXTERNAL) is None,
                    _rank(entry) > 0,
                )
            )
        return tuple(rows)


def _rank(entry: Entry) -> int:
    """Definitions before abstract instances before declarations."""
    if c.AT_DECLARATION in entry.attributes:
        return 0
    return 2 if c.AT_LOW_PC in entry.attributes or c.AT_LOCATION in entry.attributes else 1


def read_declarations(data: bytes, name: str) -> Declarations:
    """The declarations in the debug information of one relocatable object; `name` is the file, for errors.

    Empty (and false) where there is none. Raises BadObjectError for broken debug sections; broken entries show when
    they are asked for. Reads DWARF 2 to 5, compressed sections, type units and the .dwo files of split DWARF.
    """
    declarations = Declarations(None, name)
    if b".debug_info" not in data and b".zdebug_info" not in data:
        return declarations
    from rtlinker.dwarf.sections import DebugSections

    sections = declarations.guard(lambda: DebugSections(data, name))
    if sections.units or sections.notes:
        declarations = Declarations(sections, name)
    if b".debug_addr" not in data:
        return declarations
    from rtlinker.dwarf.split import with_split_files

    return with_split_files(declarations, data, name)
