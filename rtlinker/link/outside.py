"""What lies outside of the link and is reached directly: through a stub, through a mirror, or not at all.

Code compiled without -fPIC expects every symbol within 2 GiB, because ld would have put it there: functions through a
PLT entry, data of shared libraries through a copy relocation. The same two remedies exist here. A function gets a stub
inside the image, which also is its address for the image's own comparisons. A datum gets a mirror: its bytes are
copied to the image once. A copy relocation makes the library use the copy; we cannot, so a mirror is only right for a
datum that does not change. That is so for read-only data, and for a few pointers that programs set once if ever;
for anything else the link is refused, since the two copies would drift apart in silence.
"""

from __future__ import annotations

from struct import iter_unpack

from rtlinker.errors import RelocationError
from rtlinker.facts import Fact
from rtlinker.link.resolution import Key, Resolution
from rtlinker.link.scan import Demand
from rtlinker.link.scope import Definition
from rtlinker.x86_64.rules import RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from rtlinker.link.scope import Scope

STEADY = frozenset({"stdin", "stdout", "stderr"})
"""Writable data of libc whose value is set at start and then only read, in all but very unusual programs.

`environ` is not among them: setenv moves what it points to, and Python calls setenv.
"""

LARGEST_MIRROR = 1 << 16


class Outside(Fact):
    """What was decided for the symbols outside of the link that are reached directly and do not come in reach.

    `stubs` are functions whose address is their stub's; `mirrors` are data that get a copy inside the image.
    """

    stubs: frozenset[Key]
    mirrors: dict[Key, Definition]
    notes: tuple[str, ...]
    sizes: dict[Key, int]
    """Bytes of the symbols outside whose size a site holds."""


EVERYTHING_REACHED = Outside(frozenset(), {}, (), {})


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
        elif known.kind == "data" and 0 < known.size <= LARGEST_MIRROR and _is_steady(known):
            mirrors[key] = known
            if known.writable:
                notes.append(f"{known.name} of {known.provider} is out of reach: a copy made now is read instead")
        elif known.kind == "data":
            raise _too_far(resolution, known)
    return Outside(frozenset(stubs), mirrors, tuple(notes), _sizes(demand, scope))


def _is_steady(known: Definition) -> bool:
    """Whether a copy of the datum stays right."""
    return not known.writable or (known.name in STEADY and known.provider.startswith("libc."))


def _sizes(demand: Demand, scope: Scope) -> dict[Key, int]:
    """The sizes that sites ask for (rules with Z). Raises RelocationError where nobody knows one."""
    sizes = {}
    for key, definition in demand.sized.items():
        known = scope.examine(definition)
        if not known.size:
            target = f"{definition.name} = {definition.address:#x} ({definition.provider})"
            raise RelocationError("size of a symbol that nobody knows", "", "R_X86_64_SIZE32 or SIZE64", target)
        sizes[key] = known.size
    return sizes


def _too_far(resolution: Resolution, definition: Definition) -> RelocationError:
    target = f"{definition.name} = {definition.address:#x} ({definition.provider}, data that can change)"
    site, rule = _first_direct_site(resolution, definition)
    hint = "compile with -fPIC (-fPIE may do), or link a static archive that has it"
    return RelocationError("data outside of the link is out of reach", site, rule, target, hint=hint)


def _first_direct_site(resolution: Resolution, definition: Definition) -> tuple[str, str]:
    """The first site that reaches the definition directly, and its rule."""
    for number, object in enumerate(resolution.objects):
        meant = {
            symbol
            for symbol, meaning in resolution.bound[number].items()
            if isinstance(meaning, Definition) and meaning.address == definition.address
        }
        for table in object.relocations if meant else ():
            for offset, info, _ in iter_unpack("<QQq", table.table):
                if info >> 32 in meant and RULES[info & 0xFFFFFFFF].direct:
                    return object.site_title(table.section, offset), str(RULES[info & 0xFFFFFFFF])
    return "", ""
