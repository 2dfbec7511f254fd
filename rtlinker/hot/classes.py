"""Classes that a new version has no more, while objects of them live: their virtual functions are still called."""

from __future__ import annotations

from rtlinker.host.demangle import readable
from rtlinker.hot.redirect import LATEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from rtlinker.hot.carry import Placed
    from rtlinker.hot.variables import Key
    from rtlinker.hot.version import Version

TABLE = "_ZTV"


def abandoned_objects(
    old: Version, new: Version, known: Collection[Key], free: Collection[str]
) -> list[tuple[str, str]]:
    """The classes whose tables of virtual functions are not among the `known` ones, and what points to each.

    Only those that lead to functions which the new version lacks; the tables stay where they are, so that others go on.
    Memory is searched if there are such, but for classes in `free`.
    """
    tables: dict[str, Placed] = {}
    for key, placed in old.placed.items():
        table = placed.variable
        if key in known or not table.symbol.startswith(TABLE):
            continue
        name = readable(table.symbol).removeprefix("vtable for ")
        called = {symbol.removeprefix(LATEST) for _, _, symbol, _ in table.references}
        if name not in free and any(symbol in old.where and symbol not in new.where for symbol in called):
            tables[name] = placed
    if not tables:
        return []
    from rtlinker.host.roots import pointers_into

    found: list[tuple[str, str]] = []
    spans = {
        name: (placed.definition.address, placed.definition.address + placed.variable.size)
        for name, placed in tables.items()
    }
    hits = pointers_into(spans.values())
    for name, (start, end) in sorted(spans.items()):
        held = next((hit for hit in hits if start <= hit.value < end), None)
        if held is not None:
            found.append((name, f"class is gone, and {held.mapping} at {held.address:#x} has an object of it"))
    return found
