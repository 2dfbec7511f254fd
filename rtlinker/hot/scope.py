"""What a version sees of the hot modules around it: entries of their functions, and their variables where they are."""

from __future__ import annotations

from rtlinker.hot.redirect import LATEST
from rtlinker.link.scope import Definition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from rtlinker.elf.object import Object

    class Lookup(Protocol):
        """Names to entries."""

        def __getitem__(self, name: str) -> Definition: ...

    class Neighbour(Protocol):
        """A hot module, or what it is about to become."""

        @property
        def name(self) -> str:
            """The module's name."""

        def exports_function(self, name: str) -> bool:
            """Whether it has a function of that name for others."""

        def exported_datum(self, name: str) -> Definition | None:
            """Where its variable of that name is, if it has one for others and that has a place."""

        def strong_place(self, name: str) -> str | None:
            """The object that defines the name, not weakly."""


class Neighbourhood:
    """The other modules of a domain, as an earlier link that this one adds to.

    `latest` collects the names whose newest version was asked for, `functions` and `data` what was found elsewhere:
    each with the module it was found in.
    """

    name = "hot modules"

    def __init__(self, neighbours: Sequence[Neighbour], entry: Lookup) -> None:
        self._neighbours = neighbours
        self._entry = entry
        self.latest: set[str] = set()
        self.functions: dict[str, str] = {}
        self.data: dict[str, tuple[str, Definition]] = {}

    def leave(self) -> None:
        """Forget the neighbours, not what was found: the link is done."""
        self._neighbours = ()

    def find(self, name: str, version: str | None = None) -> Definition | None:
        """The entry of a function, or a variable's place; versions of names mean nothing here."""
        if name.startswith(LATEST):
            self.latest.add(name[len(LATEST) :])
            return self._entry[name[len(LATEST) :]]
        for neighbour in self._neighbours:
            if neighbour.exports_function(name):
                self.functions[name] = neighbour.name
                return self._entry[name]
            known = neighbour.exported_datum(name)
            if known is not None:
                self.data[name] = neighbour.name, known
                return known
        return None

    def find_thread_local(self, name: str, version: str | None = None) -> Definition | None:
        """A thread-local variable of another module."""
        found = self.find(name, version)
        return found if found is not None and found.variable is not None else None

    def examine(self, definition: Definition) -> Definition:
        """The definition, which says all there is."""
        return definition

    def clashes(self, names: Mapping[str, int]) -> list[tuple[str, str, bool]]:
        """Names that another module defines for everybody. Weak ones do not count: inline functions are each one's."""
        found = []
        for name in names:
            for neighbour in self._neighbours:
                place = neighbour.strong_place(name)
                if place is not None:
                    found.append((name, place, False))
                    break
        return found

    def groups(self) -> tuple[str, ...]:
        """None: each module keeps its own inline functions, since another's may go."""
        return ()

    def of_member(self, member: Object, name: str) -> Definition | None:
        """None: members of archives are each module's own."""
        return None
