"""Variables that live on: the new version's are placed where the old version's are. Pure.

Nothing is copied. A symbol of the new version that means a variable of the old one is bound to its address, so that
old and new code share it while both run, and pointers to it stay right.

What can be bound is decided by what sites name. Compilers name a variable that is not local by its symbol, so each can
be bound alone. A local one they name by its section and an offset, and an offset that code uses need not lie within
the variable it belongs to (`a[i - 1]`, the end of a loop): so the local variables of one section move together or not
at all. With -fdata-sections each variable has a section of its own, and everything can be bound. Where a section holds
several and they no longer lie as they did, the reload is refused; guessing would split the state in silence.
"""

from __future__ import annotations

from rtlinker.elf.constants import SHF_ALLOC, SHF_EXECINSTR, SHF_MERGE, SHF_TLS, SHF_WRITE, SHT_NOBITS
from rtlinker.facts import Fact, replace
from rtlinker.hot.variables import Key, Variable
from rtlinker.link.layout import EH_FRAME
from rtlinker.link.resolution import Common, InObject, Resolution
from rtlinker.link.scope import Definition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rtlinker.link.resolution import Binding

PROVIDER = "an earlier version"


class Placed(Fact):
    """A variable of a live version: `definition` says where it is; `body` is the number of the version it came with."""

    variable: Variable
    definition: Definition
    body: int


class Literals(Fact):
    """Constants of earlier versions without references, by their bytes and alignment: where, and in whose body."""

    places: Mapping[tuple[bytes, int], tuple[int, int]]


class Carry(Fact):
    """What is bound where. `kept` pairs each new variable that lives on with the old, `fresh` are those that begin.

    `symbols` are bindings by object and symbol, `names` those of COMMON blocks; `sections` need no place of their own.
    `crowded` are sections of which variables would have to move apart, each with the names; `misaligned` are variables
    that now need another alignment than their place has, in bytes. `bodies` are the versions whose memory is used.
    """

    kept: tuple[tuple[Variable, Placed], ...]
    fresh: tuple[Variable, ...]
    symbols: Mapping[tuple[int, int], Definition]
    names: Mapping[str, Definition]
    sections: frozenset[tuple[int, int]]
    crowded: tuple[tuple[str, tuple[str, ...]], ...]
    misaligned: tuple[tuple[Variable, int], ...]
    bodies: frozenset[int]


class _Bindings:
    """What is being bound."""

    def __init__(self, resolution: Resolution) -> None:
        self.resolution = resolution
        self.symbols: dict[tuple[int, int], Definition] = {}
        self.names: dict[str, Definition] = {}
        self.sections: set[tuple[int, int]] = set()
        self.crowded: list[tuple[str, tuple[str, ...]]] = []
        self.misaligned: list[tuple[Variable, int]] = []
        self.bodies: set[int] = set()
        self._there: dict[int, dict[int, list[int]]] = {}

    def symbols_in(self, number: int, section: int) -> list[int]:
        """The symbols of a section of object `number`."""
        found = self._there.get(number)
        if found is None:
            found = self._there[number] = {}
            for at, there in enumerate(self.resolution.objects[number].symbols.sections):
                if there > 0:
                    found.setdefault(there, []).append(at)
        return found.get(section, [])

    def bind(self, variable: Variable, placed: Placed) -> None:
        """One variable, by each of its symbols."""
        self.bodies.add(placed.body)
        if variable.object < 0:
            self.names[variable.name] = placed.definition
        for symbol in variable.symbols:
            self.symbols[variable.object, symbol] = replace(placed.definition, name=variable.symbol)

    def bind_section(self, number: int, section: int, base: int, local_only: bool) -> None:
        """A section's symbols, those of its variables included, as if it lay at the absolute address `base`."""
        symbols = self.resolution.objects[number].symbols
        for at in self.symbols_in(number, section):
            if not (local_only and at >= symbols.first_global):
                address = base + symbols.value(at)
                known = Definition(symbols.name(at), address, PROVIDER, "data", symbols.symbol(at).size)
                self.symbols[number, at] = known


def carry(
    resolution: Resolution, variables: Iterable[Variable], old: Mapping[Key, Placed], literals: Literals
) -> Carry:
    """Bind the variables that `old` has under the same key, and constants that some earlier version has already."""
    made = _Bindings(resolution)
    kept: list[tuple[Variable, Placed]] = []
    fresh: list[Variable] = []
    sections: dict[tuple[int, int], list[Variable]] = {}
    for variable in variables:
        placed = old.get(variable.key)
        if placed is None:
            fresh.append(variable)
        else:
            kept.append((variable, placed))
        if variable.kind in {"data", "virtual"}:
            sections.setdefault((variable.object, variable.section), []).append(variable)
        elif placed is not None:
            made.bind(variable, placed)
    for (number, section), members in sections.items():
        _carry_section(made, number, section, members, old)
    _carry_literals(made, literals)
    return Carry(
        tuple(kept), tuple(fresh), made.symbols, made.names, frozenset(made.sections), tuple(made.crowded),
        tuple(made.misaligned), frozenset(made.bodies),
    )  # fmt: skip


def _carry_section(
    made: _Bindings, number: int, section: int, members: list[Variable], old: Mapping[Key, Placed]
) -> None:
    """The variables of one section: together as they lie, or one by one where sites name them by symbols."""
    matched = {variable: old[variable.key] for variable in members if variable.key in old}
    if not matched:
        return
    made.misaligned += _misaligned(made.resolution, matched, alone=len(members) == 1)
    bases = {placed.definition.address - variable.offset for variable, placed in matched.items()}
    virtual = members[0].kind == "virtual"
    whole = not virtual or sum(variable.size for variable in members) == _size(made, number, section)
    if whole and len(matched) == len(members) and len(bases) == 1:
        made.bind_section(number, section, bases.pop(), local_only=False)
        made.sections.add((number, section))
        made.bodies |= {placed.body for placed in matched.values()}
        return
    locals = [variable for variable in members if variable.local]
    moving = [variable for variable in locals if variable in matched]
    if moving and not virtual:
        bases = {matched[variable].definition.address - variable.offset for variable in moving}
        if len(moving) < len(locals) or len(bases) > 1:
            object = made.resolution.objects[number]
            title = f"{object.name}:({object.sections.names[section]})"
            made.crowded.append((title, tuple([variable.name for variable in locals])))
            return
        made.bind_section(number, section, bases.pop(), local_only=True)
    for variable, placed in matched.items():
        if not (virtual and variable.local):  # named by section and offset, and other constants lie there, too
            made.bind(variable, placed)


def _size(made: _Bindings, number: int, section: int) -> int:
    return made.resolution.objects[number].sections.sizes[section]


def _misaligned(
    resolution: Resolution, matched: Mapping[Variable, Placed], alone: bool
) -> Iterable[tuple[Variable, int]]:
    """Variables that an instruction for aligned memory would fault on, where their old version had less.

    Objects tell the alignment of sections. That of a variable which shares one is what its offset keeps of it, up to
    its size: compilers align arrays and structs by those, and what is beyond is chance.
    """
    for variable, placed in matched.items():
        align = resolution.objects[variable.object].sections.aligns[variable.section]
        if variable.kind != "data" or align < 2:
            continue
        if not alone:
            by_offset = variable.offset & -variable.offset or align
            align = min(align, by_offset, 1 << max(variable.size.bit_length() - 1, 0))
        if placed.definition.address % align:
            yield variable, align


def literal_sections(resolution: Resolution) -> dict[tuple[int, int], tuple[bytes, int]]:
    """The sections of constants that hold no reference, each with its bytes and alignment."""
    found = {}
    for number, object in enumerate(resolution.objects):
        sections = object.sections
        referring = {table.section for table in object.relocations}
        for section in sections.allocated:
            flags = sections.flags[section]
            plain = flags & SHF_ALLOC and not flags & (SHF_WRITE | SHF_EXECINSTR | SHF_TLS)
            if not plain or section in referring or section in resolution.discarded[number]:
                continue
            name, size = sections.names[section], sections.sizes[section]
            if size and sections.types[section] != SHT_NOBITS and name != EH_FRAME and not name.isidentifier():
                found[number, section] = object.content(section), sections.aligns[section]
    return found


def _carry_literals(made: _Bindings, literals: Literals) -> None:
    """Each place serves one section, since two constants have two addresses, but for strings that linkers merge."""
    used: set[int] = set()
    for (number, section), content in literal_sections(made.resolution).items() if literals.places else ():
        place = literals.places.get(content)
        if place is not None and place[0] not in used and (number, section) not in made.sections:
            if not made.resolution.objects[number].sections.flags[section] & SHF_MERGE:
                used.add(place[0])
            symbols = made.resolution.objects[number].symbols
            for at in made.symbols_in(number, section):
                address = place[0] + symbols.value(at)
                known = Definition(symbols.name(at), address, PROVIDER, "data", len(content[0]), writable=False)
                made.symbols[number, at] = known
            made.sections.add((number, section))
            made.bodies.add(place[1])


def rebind(resolution: Resolution, carried: Carry) -> Resolution:
    """The resolution in which what is carried means what the earlier version has, and takes no memory again."""
    bound = []
    for number, mine in enumerate(resolution.bound):
        changed: dict[int, Binding] = {}
        for symbol, meaning in mine.items():
            changed[symbol] = _meaning(carried, meaning)
        changed.update({at: known for (owner, at), known in carried.symbols.items() if owner == number})
        bound.append(changed)
    discarded = [
        dropped | {section for owner, section in carried.sections if owner == number}
        for number, dropped in enumerate(resolution.discarded)
    ]
    commons = {name: block for name, block in resolution.commons.items() if name not in carried.names}
    return replace(resolution, bound=tuple(bound), discarded=tuple(discarded), commons=commons)


def _meaning(carried: Carry, meaning: Binding) -> Binding:
    if isinstance(meaning, InObject):
        return carried.symbols.get((meaning.object, meaning.symbol), meaning)
    if isinstance(meaning, Common):
        return carried.names.get(meaning.name, meaning)
    return meaning
