"""Functions local to their objects whose addresses a version's code hands out: they have no entries."""

from __future__ import annotations

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
