"""What values in C memory hold on to, and the notes of one crossing from Python to C."""

from __future__ import annotations

from rtlinker.errors import LinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Owner(Protocol):
        """A library as this room sees it: the memory is there until `closed`.

        `calls`, if it has such a list, has an entry for each call that runs; `kept`: see `keeper_of`.
        """

        @property
        def closed(self) -> bool:
            """True once it was unloaded."""


class Mismatch(Exception):
    """A Python value that does not fit a C type. The text says what was wanted and what came; callers add where."""


class Home:
    """Who keeps the memory of a value alive: a library until it is unloaded, or a buffer of our own.

    `writable` is False for memory that C declares const, which may lie in read-only pages. `kept` is what pointers in
    memory of our own point to, by the pointer's address.
    """

    __slots__ = ("kept", "memory", "owner", "writable")

    def __init__(self, owner: Owner | None = None, memory: object = None, writable: bool = True) -> None:
        self.owner = owner
        self.memory = memory
        self.writable = writable
        self.kept: dict[int, object] = {}

    def frozen(self) -> Home:
        """The same home, seen through a const."""
        if not self.writable:
            return self
        home = Home(self.owner, self.memory, writable=False)
        home.kept = self.kept
        return home

    def check(self) -> None:
        """Raises LinkError when the memory is gone."""
        if self.owner is not None and self.owner.closed:
            raise LinkError("library was unloaded", hint="load it again, and look the name up in the new library")


class Call:
    """The temporaries of one call or assignment: `keep` lives as long as it, `after` runs when C has returned.

    `keeper` holds what C may use later than that, callbacks above all; it lives as long as the library.
    """

    __slots__ = ("after", "keep", "keeper")

    def __init__(self, keeper: dict[object, object]) -> None:
        self.keep: list[object] = []
        self.after: list[Callable[[], None]] = []
        self.keeper = keeper


_without_owner: dict[object, object] = {}


def keeper_of(owner: Owner | None) -> dict[object, object]:
    """The dict of things that must live as long as `owner`: its own `kept`, if it has one, else a global one.

    A library that offers `kept` (a dict) frees its callbacks when it goes; without one they stay for good, since C
    may call them at any time.
    """
    kept = getattr(owner, "kept", None)
    return kept if isinstance(kept, dict) else _without_owner


def shown(value: object) -> str:
    """A Python value for an error text: its type, and itself where that is short."""
    text = repr(value)
    kind = type(value).__name__
    return f"{kind} {text}" if len(text) <= 24 and kind not in text else kind
