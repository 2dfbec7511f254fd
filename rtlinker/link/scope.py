"""Where names come from: definitions, and the two kinds of things that are asked for them.

A scope answers at once with an address. An archive answers with an object, which then joins the link. Both are asked
by name only; nothing else in the link knows that a process exists.
"""

from __future__ import annotations

from rtlinker.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Protocol, TypeGuard

    from rtlinker.elf.object import Object
    from rtlinker.link.resolution import Resolution

    class Scope(Protocol):
        """Something that knows addresses by name."""

        name: str

        def find(self, name: str, version: str | None = None) -> Definition | None:
            """The definition of a name, or None. `version` is what follows the @ of `memcpy@GLIBC_2.2.5`."""

        def find_thread_local(self, name: str, version: str | None = None) -> Definition | None:
            """The definition of a thread-local name, or None."""

        def examine(self, definition: Definition) -> Definition:
            """The same definition with kind, size and writable filled in as far as they can be known."""

    class Process(Scope, Protocol):
        """The process that the link is for."""

        def unique(self, name: str) -> Definition | None:
            """The definition of a name of which the process has one for everybody (STB_GNU_UNIQUE), or None."""

    class Earlier(Scope, Protocol):
        """What an earlier link of the same linker shows to later ones."""

        def clashes(self, names: dict[str, int]) -> list[tuple[str, str, bool]]:
            """Those of the names that the earlier link shows, with the place of each definition and if it is weak."""

        def groups(self) -> Iterable[str]:
            """The signatures of its COMDAT groups."""

        def of_member(self, member: Object, name: str) -> Definition | None:
            """What `member` defines under a name of any visibility, when it is part of the earlier link."""

    class Source(Protocol):
        """An archive: objects that join the link when one of their symbols is asked for."""

        name: str

        def index(self) -> Mapping[str, int]:
            """Every symbol the archive defines, with where its member is."""

        def object_at(self, position: int) -> Object:
            """The member at such a position."""


class ThreadVariable(Fact):
    """A thread-local variable as the dynamic linker knows it: a symbol of a loaded library, and bytes from there.

    `library` is the path that ld.so has for it, `version` the symbol's, or "". `place` is the module and the offset in
    its block that the symbol must turn out to have, where that is known.
    """

    library: str
    symbol: str
    offset: int
    version: str = ""
    place: tuple[int, int] | None = None


class Definition(Fact):
    """An address that a name has outside of the link. `address` is absolute; `size` is bytes, 0 when unknown.

    `kind` is `function`, `data`, `tls`, `constant` (a number, not a place) or None when nobody has looked yet. A
    thread-local one has a `variable` in place of an address.
    """

    name: str
    address: int
    provider: str
    kind: str | None = None
    size: int = 0
    writable: bool = True
    variable: ThreadVariable | None = None


def is_scope(provider: Source | Scope) -> TypeGuard[Scope]:
    """Whether a provider answers with addresses."""
    return hasattr(provider, "find")


def is_source(provider: Source | Scope) -> TypeGuard[Source]:
    """Whether a provider answers with objects that join the link."""
    return hasattr(provider, "object_at")


def nothing(name: str) -> Definition:
    """What an undefined weak symbol resolves to: the number 0 (gABI, Symbol Table)."""
    return Definition(name, 0, "undefined weak", "constant")


class Table:
    """A scope over a dictionary: what the user defined, or what a test pretends."""

    def __init__(self, name: str, definitions: Mapping[str, Definition]) -> None:
        self.name = name
        self._definitions = definitions

    def find(self, name: str, version: str | None = None) -> Definition | None:
        """The definition under this name; a versioned name is looked up as `name@version` first."""
        if version:
            exact = self._definitions.get(f"{name}@{version}")
            if exact:
                return exact
        return self._definitions.get(name)

    def find_thread_local(self, name: str, version: str | None = None) -> Definition | None:
        """The definition, when the table says that it is thread-local."""
        found = self.find(name, version)
        return found if found is not None and found.kind == "tls" else None

    def examine(self, definition: Definition) -> Definition:
        """The definition as it was given."""
        return definition

    def unique(self, name: str) -> Definition | None:
        """None: what was given is not unique."""
        return None


class Inputs(Fact):
    """All that a link is made of. Order is the order of the command line and decides among equals.

    `objects` are linked whole; `providers` (archives and library scopes, mixed) are asked in turn and again until
    nothing changes; `process` is asked after them, or before the archives among them with `process_first`; `last`
    are archives for names that live nowhere else. `roots` are names to bring in although no object refers to them.
    """

    objects: tuple[Object, ...]
    user: Scope
    providers: tuple[Source | Scope, ...]
    process: Process
    last: tuple[Source, ...] = ()
    roots: tuple[str, ...] = ()
    before: tuple[Earlier, ...] = ()
    """Scopes of earlier links that this one adds to: asked right after the objects."""
    process_first: bool = False
    engine: str = "auto"
    front: int = 0
    """Bytes at the start of the image that are left free, so that its own address is nothing's that it holds."""
    rewrite: Callable[[Resolution], Resolution] | None = None
    """What the owner of the link makes of its resolution before anything is looked for or placed."""
