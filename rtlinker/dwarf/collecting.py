"""The pass behind `read_program`: rows of every unit, their entries, and what they say, as facts."""

from __future__ import annotations

from rtlinker.dwarf import constants as c
from rtlinker.dwarf.entries import Entry
from rtlinker.dwarf.lines import files_of
from rtlinker.dwarf.places import Place, Places
from rtlinker.dwarf.program import CompileUnit, NamedFunction, NamedVariable, Program
from rtlinker.dwarf.reader import Declarations
from rtlinker.dwarf.scopes import Enclosing, Scopes
from rtlinker.dwarf.sections import DebugSections
from rtlinker.dwarf.split import split_part
from rtlinker.dwarf.walk import walk
from rtlinker.facts import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtlinker.dwarf.entries import Unit
    from rtlinker.dwarf.types import TypeReader

    Said = dict[int, object]


def collect(data: bytes, name: str) -> Program:
    """What `read_program` gives for an object with debug information."""
    own = Declarations(None, name)
    sections = own.guard(lambda: DebugSections(data, name))
    own = Declarations(sections, name)
    return own.guard(lambda: _collect(own, sections, data, name))


def _collect(own: Declarations, sections: DebugSections, data: bytes, name: str) -> Program:
    from rtlinker.elf.reader import read_object

    own.types()
    places = Places(read_object(data, name), sections)
    notes = [*own.notes]
    units: list[_UnitReader] = []
    for declarations, unit, skeleton in _compilations(own, data, name, notes):
        units.append(_UnitReader(declarations, unit, skeleton, places, len(units)))
    functions = [fact for unit in units for fact in unit.functions()]
    variables = [found for unit in units for found in unit.variables()]
    hidden = [found for unit in units if unit.has_static_locals() for found in unit.removed()]

    def removed() -> tuple[NamedVariable, ...]:
        rest = [found for unit in units for found in unit.removed()]
        return tuple(_numbered(variables + rest)[len(variables) :])

    return Program(
        tuple([unit.fact for unit in units]),
        tuple(functions),
        tuple(_numbered(variables + hidden)[: len(variables)]),
        tuple(notes),
        lambda: own.guard(removed),
    )


def _compilations(
    own: Declarations, data: bytes, name: str, notes: list[str]
) -> Iterator[tuple[Declarations, Unit, Unit]]:
    """Every unit with code or data of its own, and the unit that knows its addresses: itself or its skeleton."""
    for unit in own.units():
        if unit.top.tag not in (c.TAG_COMPILE_UNIT, c.TAG_SKELETON_UNIT) or unit.kind == 5:
            continue
        if not {c.AT_DWO_NAME, c.AT_GNU_DWO_NAME} & unit.top.attributes.keys():
            yield own, unit, unit
            continue
        part = split_part(unit.top, data, name)
        if isinstance(part, str):
            notes.append(part)
            continue
        notes += part.notes
        for inner in part.units():
            if inner.dwo_id == unit.dwo_id and inner.signature is None:
                yield part, inner, unit


class _UnitReader:
    """One unit on its way to facts."""

    def __init__(self, declarations: Declarations, unit: Unit, skeleton: Unit, places: Places, number: int) -> None:
        self.declarations = declarations
        self.types: TypeReader = declarations.types()
        self.unit = unit
        self.places = places
        self.number = number
        top = unit.top
        base = skeleton.top.number(c.AT_ADDR_BASE)
        base = skeleton.top.number(c.AT_GNU_ADDR_BASE) if base is None else base
        self.base = base if base is not None else 8 if skeleton.version >= 5 else 0
        if skeleton is not unit and not files_of(unit):
            unit.sections.files[unit.section, unit.start] = files_of(skeleton)
        self.files = files_of(unit)
        name = top.text(c.AT_NAME) or ""
        self.fact = CompileUnit(name, top.text(c.AT_PRODUCER) or "", top.number(c.AT_LANGUAGE) or 0)
        self.rows = walk(unit)
        self.scopes = Scopes(unit, self.rows, self.types, name)
        enclosing = self.types.enclosing
        if not isinstance(enclosing, Enclosing):
            enclosing = self.types.enclosing = Enclosing(self.types)
        enclosing.known[unit.section, unit.start] = self.scopes
        self.placed: set[int] = set()
        self.hidden: list[tuple[NamedVariable, int]] | None = None

    def functions(self) -> list[NamedFunction]:
        """The functions that have code, and after them those that were inlined and have none."""
        found: list[NamedFunction] = []
        roots: set[int] = set()
        abstract: list[tuple[Entry, Entry]] = []
        for offset in self.rows.functions:
            entry = Entry(self.unit, offset)
            root = self.scopes.root(entry)
            if c.AT_LOW_PC in entry.attributes or c.AT_RANGES in entry.attributes:
                roots.add(root.offset)
                found.append(self._function(entry))
            else:
                abstract.append((entry, root))
        found += [self._function(entry) for entry, root in abstract if root.offset not in roots]
        return [fact for fact in found if fact.symbol]

    def _function(self, entry: Entry) -> NamedFunction:
        said = self._said(entry)
        name = _text(said, c.AT_NAME)
        linkage = _linkage(said) or name
        place = self.places.code(entry, self.base)
        if place is None and c.AT_RANGES in entry.attributes:
            place = self.places.named(linkage) or self.places.copied(linkage)
        symbols = self.places.named_at(place) if place else []
        names = [self.places.name(symbol) for symbol in symbols]
        chosen = 0
        if linkage in names:
            chosen = names.index(linkage)
        else:  # a copy that gcc made, such as f.constprop.0
            chosen = next((at for at, each in enumerate(names) if each.startswith(linkage + ".")), 0)
        external = c.AT_EXTERNAL in said
        if names:
            external = self.places.external(symbols[chosen])
            linkage = names.pop(chosen)
        file, line = self._where(said)
        make = lambda: self.declarations.guard(lambda: self.types.function(entry))  # noqa: E731
        section, offset = (place.section, place.offset) if place else (None, 0)
        return NamedFunction(name, linkage, tuple(names), external, self.number, file, line, section, offset, make)

    def variables(self) -> list[tuple[NamedVariable, int]]:
        """The variables with storage, and those at file scope without, each once; with their offsets."""
        found: dict[int, tuple[Entry, Entry, Place | None]] = {}
        for offset in self.rows.storage:
            entry = Entry(self.unit, offset)
            place = self.places.storage(entry, self.base)
            root = self.scopes.root(entry)
            if place is not None and root.offset not in found:
                found[root.offset] = entry, root, place
        for offset in self.rows.unplaced:
            entry = Entry(self.unit, offset)
            root = self.scopes.root(entry)
            if root.offset not in found and c.AT_DECLARATION not in entry.attributes:
                found[root.offset] = entry, root, self._by_name(self._said(entry))
        self.placed = set(found)
        return [(self._variable(*row), offset) for offset, row in found.items()]

    def _by_name(self, said: Said) -> Place | None:
        """Where a variable lies whose value is all that clang tells of a constant: its symbol says it."""
        name = _text(said, c.AT_NAME)
        mangled = f"_ZL{len(name)}{name}"  # of a static variable outside of namespaces, Itanium C++ ABI 5.1
        return self.places.named(_linkage(said) or name) or self.places.named(mangled)

    def has_static_locals(self) -> bool:
        """Whether a variable of a function has storage, so that one of its name without storage makes it doubtful."""
        functions = {*self.rows.functions}
        return any(self.rows.parents[offset] in functions for offset in self.rows.storage)

    def removed(self) -> list[tuple[NamedVariable, int]]:
        """The variables of functions without storage."""
        if self.hidden is None:
            self.hidden = self._hidden()
        return self.hidden

    def _hidden(self) -> list[tuple[NamedVariable, int]]:
        found: dict[int, NamedVariable] = {}
        for offset in self.rows.local:
            entry = Entry(self.unit, offset)
            root = self.scopes.root(entry)
            if root.offset not in self.placed and root.offset not in found and c.AT_ARTIFICIAL not in root.attributes:
                found[root.offset] = self._variable(entry, root, None)
        return [(fact, offset) for offset, fact in found.items()]

    def _variable(self, entry: Entry, root: Entry, place: Place | None) -> NamedVariable:
        said = self._said(entry)
        name = _text(said, c.AT_NAME)
        external = c.AT_EXTERNAL in said
        symbol = _linkage(said) or name if external else None
        indices = self.places.named_at(place) if place else []
        for index in indices:
            if self.places.external(index):
                external, symbol = True, self.places.name(index)
                break
        scope = self.scopes.around(root, self.places.name(indices[0]) if indices else "")
        file, line = self._where(root.attributes)
        value = said.get(c.AT_CONST_VALUE) if place is None else None
        constant = value if isinstance(value, int) else bytes(value) if isinstance(value, (bytes, memoryview)) else None
        make = lambda: self.declarations.guard(lambda: self.types.of(entry))  # noqa: E731
        section, offset, thread = (place.section, place.offset, place.thread_local) if place else (None, 0, False)
        return NamedVariable(
            name, symbol, scope, 0, 1, external, thread, self.number, file, line, section, offset, constant, make
        )

    def _said(self, entry: Entry) -> Said:
        """The attributes of an entry and of all that it completes or is an instance of, its own before theirs."""
        origin = self.types.origin(entry)
        if origin is None:
            return entry.attributes
        said = entry.attributes
        for _ in range(8):
            if origin is None:
                break
            said = {**origin.attributes, **said}
            origin = self.types.origin(origin)
        return said

    def _where(self, said: Said) -> tuple[str, int]:
        number, line = said.get(c.AT_DECL_FILE, 0), said.get(c.AT_DECL_LINE)
        file = self.files.get(number) if isinstance(number, int) else None
        return file or self.fact.name, line if isinstance(line, int) else 0


def _text(said: Said, attribute: int) -> str:
    value = said.get(attribute)
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else ""


def _linkage(said: Said) -> str:
    return _text(said, c.AT_LINKAGE_NAME) or _text(said, c.AT_MIPS_LINKAGE_NAME)


def _numbered(found: list[tuple[NamedVariable, int]]) -> list[NamedVariable]:
    """The variables, those of one name and scope numbered in the order of the source."""
    rivals: dict[tuple[str, ...], list[tuple[int, int, int]]] = {}
    for index, (fact, offset) in enumerate(found):
        rivals.setdefault(fact.key, []).append((fact.line, offset, index))
    facts = [fact for fact, _ in found]
    for rows in rivals.values():
        if len(rows) > 1:
            for ordinal, (_, _, index) in enumerate(sorted(rows)):
                facts[index] = replace(facts[index], ordinal=ordinal, rivals=len(rows))
    return facts
