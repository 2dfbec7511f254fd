"""The list of frame descriptions in `.eh_frame` (LSB 10.6.1): where it ends."""

from __future__ import annotations

from struct import unpack_from

from rtlinker.elf.object import Object
from rtlinker.errors import BadObjectError


def without_terminator(object: Object, index: int) -> int:
    """The bytes of section `index` up to its zero word: that ends a list, and within a joined one would hide the rest.

    crtend.o and hand-written objects end theirs; compilers leave that to the linker. Raises BadObjectError for records
    that do not fill the section.
    """
    content, at = object.content(index), 0
    size = len(content)
    while at + 4 <= size:
        length = unpack_from("<I", content, at)[0]
        if not length:
            if any(content[at:]):
                break
            return at
        if length == 0xFFFFFFFF:
            if at + 12 > size:
                break
            length = unpack_from("<Q", content, at + 4)[0] + 8
        at += 4 + length
    if at != size:
        found, where = f"a record at {at:#x} of {size:#x} bytes", object.sections.title(index)
        raise BadObjectError(object.name, "frame descriptions do not fill .eh_frame", found, where)
    return size
