"""What resolving found out: which objects take part, which sections were dropped, and what every name means."""

from __future__ import annotations

from rtlinker.elf.constants import STB_LOCAL, STV_HIDDEN, STV_INTERNAL
from rtlinker.elf.index import Index
from rtlinker.elf.object import Object, Symbol
from rtlinker.facts import Fact, derived
from rtlinker.link.scope import Definition


class InObject(Fact):
    """A definition inside the link: symbol `symbol` of object number `object`."""

    object: int
    symbol: int


class Common(Fact):
    """A COMMON block of the link: as large as the largest and as aligned as the strictest tentative definition.

    `large` ones go to the large segment; with `thread` every thread has one (.tls_common of GNU as).
    """

    name: str
    size: int
    align: int
    large: bool
    thread: bool = False


class LinkerDefined(Fact):
    """A name that the linker itself gives a meaning to once everything has a place."""

    name: str


Binding = InObject | Common | LinkerDefined | Definition
"""What a reference means."""


class Pull(Fact):
    """Why an archive's member is in the link: `symbol` was wanted by `referrer` (an object's name)."""

    member: str
    archive: str
    symbol: str
    referrer: str


class Resolution(Fact):
    """The outcome of resolving. `objects` are the inputs followed by the members pulled, in the order they came.

    `bound[i]` says what a symbol of object i means where that is not simply its own definition; `discarded[i]` are
    the sections of object i that another object's COMDAT group replaced; `owners` says which object defines a name.
    """

    objects: tuple[Object, ...]
    indexes: tuple[Index, ...]
    bound: tuple[dict[int, Binding], ...]
    discarded: tuple[frozenset[int], ...]
    owners: dict[str, int]
    commons: dict[str, Common]
    pulls: tuple[Pull, ...]

    @derived
    def commons_in_order(self) -> tuple[Common, ...]:
        """The COMMON blocks that won, in the order in which they are laid out."""
        return tuple(self.commons.values())

    def symbol(self, where: InObject) -> Symbol:
        """The symbol table entry of a definition inside the link."""
        return self.objects[where.object].symbols.symbol(where.symbol)

    def find(self, name: str) -> InObject | Common | None:
        """What the link defines under a name that is not local, whatever its visibility."""
        owner = self.owners.get(name)
        if owner is not None:
            return InObject(owner, self.indexes[owner].defined[name])
        return self.commons.get(name)

    def exported(self, name: str) -> InObject | Common | None:
        """What the link shows to others under a name: not what is hidden or internal."""
        found = self.find(name)
        if isinstance(found, InObject) and self.symbol(found).visibility in {STV_HIDDEN, STV_INTERNAL}:
            return None
        return found

    def locals_named(self, name: str, file: str | None = None) -> list[InObject]:
        """Every local symbol with that name, of the object named `file`, or whose name ends in it, when it is given."""
        found = []
        exact = any(object.name == file for object in self.objects)
        for number, object in enumerate(self.objects):
            if file and object.name != file and (exact or not object.name.endswith(("/" + file, f"({file})"))):
                continue
            symbols = object.symbols
            if name.encode("utf-8", "surrogateescape") not in symbols.strings:
                continue
            for index in range(1, symbols.first_global):
                symbol = symbols.symbol(index)
                if symbol.name == name and symbol.bind == STB_LOCAL and symbol.section:
                    found.append(InObject(number, index))
        return found


Key = str | tuple[int, int]
"""What a slot or a stub is for: a name of the link, or (object, symbol index) for a local symbol."""
