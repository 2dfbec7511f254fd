"""Functions local to their objects whose addresses a version's code hands out: they have no entries."""

from __future__ import annotations

from rtlinker.elf.constants import SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE
from rtlinker.link.layout import EH_FRAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.hot.version import Version


def escaping(version: Version) -> frozenset[int]:
    """Where such functions are, in bytes from the start of the version's code; pointers anywhere may lead there.

    Not as addresses: a set of those holds them as words of memory, in which they will be searched for.
    """
    from rtlinker.hot.escaping import addresses_taken

    assert version.before is not None
    found = set()
    for number, object in enumerate(version.before.objects):
        for escape in addresses_taken(object):
            start = version.image.addresses.of_section(number, escape.section)
            if start is not None:
                found.add(start + escape.offset - version.text[0])
    return frozenset(found)


def tables(version: Version) -> tuple[tuple[int, int], ...]:
    """Where constants are that may hold such addresses, in bytes from the start of its code: start and end of each.

    Constant tables are not searched for pointers; who has the address of one reaches the functions in it.
    """
    from rtlinker.hot.escaping import addresses_taken

    assert version.before is not None
    found = []
    for number, object in enumerate(version.before.objects):
        if not addresses_taken(object):
            continue
        sections = object.sections
        for section in sorted({table.section for table in object.relocations}):
            flags, name = sections.flags[section], sections.names[section]
            constant = not flags & SHF_WRITE or name.startswith(".data.rel.ro")
            if not flags & SHF_ALLOC or flags & SHF_EXECINSTR or not constant or name == EH_FRAME:
                continue
            start = version.image.addresses.of_section(number, section)
            if start is not None:
                found.append((start - version.text[0], start - version.text[0] + sections.sizes[section]))
    return tuple(found)
