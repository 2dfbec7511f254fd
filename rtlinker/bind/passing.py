"""How records travel by value: the psABI's classes (section 3.2.3) made into a shape that libffi gets right.

ctypes derives the registers of a struct from the fields it was declared with, and goes wrong for unions, bit-fields and
some arrays. We classify the type ourselves, from offsets the compiler wrote down, and hand ctypes a *carrier*: a
structure of one 64-bit integer or double per eightbyte, into which the bytes are copied. What has no carrier is
refused: vectors (libffi has no such class), and records with unaligned fields of at most 16 bytes (they go to the
stack, 8-byte aligned, which no carrier of that size does).
"""

from __future__ import annotations

import ctypes

from rtlinker.bind.ctype import Array, Base, CType, Enum, Pointer, Record, Refused, declare, plain, size_of
from rtlinker.errors import UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INTEGER = "i"
SSE = "d"
X87 = "x"

_carriers: dict[tuple[str, int], type[ctypes.Structure]] = {}
_WORDS: dict[str, type[ctypes._CData]] = {INTEGER: ctypes.c_uint64, SSE: ctypes.c_double, X87: ctypes.c_longdouble}


def refuse(ctype: CType, reason: str) -> UnsupportedError:
    """The error for a value of this type in a call, with the reason."""
    name = declare(ctype)
    if len(name) > 40:
        name = "this type"
    return UnsupportedError(name, f"cannot pass {name} by value", [("type", declare(ctype)), ("reason", reason)])


def carrier_of(ctype: CType) -> type[ctypes.Structure]:
    """The structure that carries a record, a complex number or an __int128 through libffi.

    It is at least as large as the value. Raises UnsupportedError for values that would arrive wrong.
    """
    shape, words = eightbytes(ctype)
    found = _carriers.get((shape, words))
    if found is None:
        fields: list[tuple[str, type[ctypes._CData]]] = [(f"w{i}", _WORDS[kind]) for i, kind in enumerate(shape)]
        if words > 4:
            fields = [("w", ctypes.c_longdouble * (words // 2) if shape[0] == X87 else ctypes.c_uint64 * words)]
        found = type("Carrier", (ctypes.Structure,), {"_fields_": fields})
        _carriers[shape, words] = found
    return found


def eightbytes(ctype: CType) -> tuple[str, int]:
    """The class letters of the carrier's words, and the size of the value in eightbytes.

    `id` is one integer and one SSE register; more than two words travel in memory.
    """
    real = plain(ctype)
    size = size_of(real)
    if isinstance(real, Record) and not real.trivial:
        raise refuse(ctype, "this C++ class is copied by its constructor, which only C++ can call")
    if size is None:
        raise refuse(ctype, "only its name is known")
    if size == 0:
        raise refuse(ctype, "it is empty, and C and C++ disagree on how nothing is passed")
    words = (size + 7) // 8
    scalars = list(_scalars(ctype, real, 0))
    wide = any(alignment == 16 for _, _, alignment in scalars)
    if size > 16:
        return (X87 * (words // 2) if wide else INTEGER * min(words, 5)), words
    classes = [""] * words
    for kind, offset, alignment in scalars:
        if offset % min(8, alignment):
            raise refuse(ctype, "its fields are not aligned, so that it travels in memory (psABI 3.2.3)")
        if kind == X87:
            if len(scalars) > 1:
                raise refuse(ctype, "it overlays a long double, which travels in memory (psABI 3.2.3)")
            return X87, words
        place = offset // 8
        classes[place] = INTEGER if INTEGER in (kind, classes[place]) else SSE
    return "".join(kind or SSE for kind in classes), words


def stack_words(natives: Sequence[type], hidden: bool) -> int:
    """At least as many 8-byte words as arguments of these ctypes types take on the stack (psABI 3.2.3).

    `hidden` is for a result in memory, whose address takes a register. A record counts as if all its words went to
    registers and to the stack, each long double as if it needed padding: whoever copies so many words copies a little
    too much, less than ctypes itself keeps on the stack for each argument.
    """
    integers, vectors, words = int(hidden), 0, 0
    for native in natives:
        if issubclass(native, ctypes.Structure):
            size = (ctypes.sizeof(native) + 7) // 8
            words += size + 1
            if size <= 2:
                integers, vectors = integers + size, vectors + size
        elif issubclass(native, ctypes.c_longdouble):
            words += 3
        elif issubclass(native, (ctypes.c_float, ctypes.c_double)):
            vectors += 1
            words += vectors > 8
        else:
            integers += 1
            words += integers > 6
    return words


def is_register_pair(ctype: CType) -> bool:
    """True for a value of 16 bytes that the stack would hold 16-byte aligned, and registers at any place."""
    real = plain(ctype)
    return size_of(real) == 16 and any(
        alignment == 16 and kind == INTEGER for kind, _, alignment in _scalars(real, real, 0)
    )


def _scalars(whole: CType, ctype: CType, offset: int) -> Iterator[tuple[str, int, int]]:
    """The (class, offset in bytes, alignment) of every scalar within; one element stands for a long array."""
    ctype = plain(ctype)
    if isinstance(ctype, Refused):
        raise refuse(whole, f"it holds {ctype.name}: {ctype.reason}" if whole is not ctype else ctype.reason)
    if isinstance(ctype, Array):
        step = size_of(ctype.element) or 0
        for index in range(min(ctype.count or 0, 16)):
            yield from _scalars(whole, ctype.element, offset + index * step)
    elif isinstance(ctype, Record):
        if not ctype.trivial:
            raise refuse(whole, "it holds a C++ class that only its constructor can copy")
        for member in ctype.members:
            if member.bit_size is not None:
                first = 8 * offset + (member.bit_offset or 0)
                yield INTEGER, first // 64 * 8, 8
                yield INTEGER, (first + member.bit_size - 1) // 64 * 8, 8
            else:
                yield from _scalars(whole, member.type, offset + member.offset)
    elif isinstance(ctype, Base):
        yield from _base(ctype, offset)
    elif isinstance(ctype, (Pointer, Enum)):
        size = size_of(ctype) or 8
        yield INTEGER, offset, size


def _base(ctype: Base, offset: int) -> Iterator[tuple[str, int, int]]:
    if ctype.encoding == "complex":
        half = ctype.size // 2
        yield SSE, offset, half
        yield SSE, offset + half, half
    elif ctype.encoding == "float":
        yield (X87 if ctype.size == 16 else SSE), offset, ctype.size
    elif ctype.size == 16:
        yield INTEGER, offset, 16
        yield INTEGER, offset + 8, 8
    else:
        yield INTEGER, offset, ctype.size
