"""One difference between two types, as a fact."""

from __future__ import annotations

from rtlinker.facts import Fact

BREAK = "break"
"""Old callers, or bytes that already exist, are misread."""

NOTE = "note"
"""A meaning may have moved while every byte stayed."""


class Change(Fact):
    """One difference: of `what` (a path such as `place.x`, or `return`, or `parameter 2 'count'`), and of which `kind`.

    `old` and `new` are spellings, empty where there is nothing; offsets are bytes from the start of the record (inside
    of an array from that of the element), sizes bytes; None where they mean nothing. `kind` is one of `size`, `shape`,
    `added`, `removed`, `moved`, `type`, `enum`, `count`, `renamed`, `tag`, `variadic`.
    """

    what: str
    kind: str
    text: str
    old: str = ""
    new: str = ""
    old_offset: int | None = None
    new_offset: int | None = None
    old_size: int | None = None
    new_size: int | None = None
    severity: str = BREAK
