"""What lies outside of the link and is reached directly: through a stub, through a mirror, or not at all.

Code compiled without -fPIC expects every symbol within 2 GiB, because ld would have put it there: functions through a
PLT entry, data of shared libraries through a copy relocation. The same two remedies exist here. A function gets a stub
inside the image, which also is its address for the image's own comparisons. A datum gets a mirror: its bytes are
copied to the image once. A copy relocation makes the library use the copy; we cannot, so a mirror is only right for a
datum that does not change. That is so for read-only data, and for a few pointers that programs set once if ever;
for anything else the link is refused, since the two copies would drift apart in silence.
"""

from __future__ import annotations

from rtlinker.errors import RelocationError
from rtlinker.facts import Fact
from rtlinker.link.resolution import Key, Resolution
from rtlinker.link.scan import Demand
from rtlinker.link.scope import Definition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from rtlinker.link.scope import Scope

STEADY = frozenset({"stdin", "stdout", "stderr", "environ", "__environ", "_environ"})
"""Writable data of libc whose value is set at start and then only read, in all but very unusual programs."""

LARGEST_MIRROR = 1 << 16


class Outside(Fact):
    """What was decided for the symbols outside of the link that are reached directly and do not come in reach.

    `stubs` are functions whose address is their stub's; `mirrors` are data that get a copy inside the image.
    """

    stubs: frozenset[Key]
    mirrors: dict[Key, Definition]
    notes: tuple[str, ...]


EVERYTHING_REACHED = Outside(frozenset(), {}, ())


def look_outside(resolution: Resolution, demand: Demand, scope: Scope, beyond: Collection[int]) -> Outside:
    """Decide for each symbol of `demand.direct` whose address is one of those `beyond` reach.

    Raises RelocationError naming the first datum that can neither be reached nor mirrored.
    """
    stubs: list[Key] = []
    mirrors: dict[Key, Definition] = {}
    notes: list[str] = []
    for key, definition in demand.direct.items():
        if definition.address not in beyond:
            continue
        known = scope.examine(definition)
        if known.kind == "function":
            stubs.append(key)
        elif known.kind == "data" and 0 < known.size <= LARGEST_MIRROR and (not known.writable or known.name in STEADY):
            mirrors[key] = known
            if known.writable:
                notes.append(f"{known.name} of {known.provider} is out of reach: a copy made now is read instead")
        elif known.kind == "data":
            raise _too_far(resolution, key, known)
    return Outside(frozenset(stubs), mirrors, tuple(notes))


def _too_far(resolution: Resolution, key: Key, definition: Definition) -> RelocationError:
    from struct import iter_unpack

    from rtlinker.x86_64.rules import RULES

    for number, object in enumerate(resolution.objects):
        symbol = resolution.indexes[number].undefined.get(str(key))
        for table in object.relocations if symbol is not None else ():
            for offset, info, _ in iter_unpack("<QQq", table.table):
                if info >> 32 == symbol and RULES[info & 0xFFFFFFFF].direct:
                    return RelocationError(
                        "data of a shared library is out of reach",
                        object.site_title(table.section, offset),
                        str(RULES[info & 0xFFFFFFFF]),
                        f"{definition.name} = {definition.address:#x} ({definition.provider}, data that can change)",
                        hint="compile with -fPIC: then the address is read from the GOT",
                    )
    raise KeyError(key)
