"""Text and ByteString, strict and lazy, as text 1.2 and 2, and bytestring 0.10 lay them out.

A strict Text is a ByteArray# with offset and length: of UTF-16 in units of 16 bits, in text 2 of UTF-8 in bytes. A
strict ByteString is an address with what keeps it alive, an offset and a length; ours is a pinned ByteArray#, as
bytestring itself makes them. The lazy ones are lists of strict ones whose fields are unpacked into each cell: the
pointers first, then the other words.
"""

from __future__ import annotations

from ctypes import string_at

from rtlinker.haskell.heap import check_constructors
from rtlinker.haskell.scalars import mismatch
from rtlinker.haskell.types import LAZY_BYTES, LAZY_TEXT, transform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtlinker.haskell.heap import Heap
    from rtlinker.haskell.types import Type, TypeCon, TypeVar

KINDS = ("Text", LAZY_TEXT, "ByteString", LAZY_BYTES)
PIECE = 32 * 1024
"""Bytes in one piece of a lazy value that we build: the libraries' own size."""

_HOMES = {
    "Text": ("text", "Data.Text.Internal", "Text"),
    LAZY_TEXT: ("text", "Data.Text.Internal.Lazy", "Chunk"),
    "ByteString": ("bytestring", "Data.ByteString.Internal", "PS"),
    LAZY_BYTES: ("bytestring", "Data.ByteString.Lazy.Internal", "Chunk"),
}


def packages_of(kind: Type) -> set[str]:
    """The packages, beyond those of the runtime, that values of a type need."""
    found: set[str] = set()

    def note(leaf: TypeCon | TypeVar) -> Type:
        if leaf.name in _HOMES:
            found.add(_HOMES[leaf.name][0])
        return leaf

    transform(kind, note)
    return found


def is_lazy(kind: str) -> bool:
    """Whether a value of that type is a list of pieces."""
    return kind in (LAZY_TEXT, LAZY_BYTES)


def prepare_texts(kind: str, values: Sequence[object], place: str) -> Callable[[Heap], list[int]]:
    """What builds Texts from str, ByteStrings from bytes and what has a buffer of them.

    Texts are prepared as UTF-16; which version of text is there can be asked when they are built.
    """
    contents = [_content(kind, value, place) for value in values]
    if is_lazy(kind):
        return lambda heap: [_lazy(heap, kind, content) for content in contents]
    return lambda heap: [_strict(heap, kind, content) for content in contents]


def _content(kind: str, value: object, place: str) -> bytes:
    if kind in ("Text", LAZY_TEXT):
        if not isinstance(value, str):
            raise mismatch(kind, value, place)
        try:
            return value.encode("utf-16-le")
        except UnicodeEncodeError as error:
            raise mismatch(kind, value, place, f"half of a surrogate pair at {error.start}") from None
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise mismatch(kind, value, place)
    return bytes(value)


def _strict(heap: Heap, kind: str, content: bytes) -> int:
    pointers, words = _fields(heap, kind, content)
    info = heap.constructor(*_HOMES[kind])
    return heap.objects(info, [[each] for each in (*pointers, *words)], 1)[0]


def _lazy(heap: Heap, kind: str, content: bytes) -> int:
    """The pieces from the last to the first."""
    package, module, _ = _HOMES[kind]
    tail = heap.closure(package, module, "Empty") + 1
    info = heap.constructor(*_HOMES[kind])
    for start in reversed(_cuts(kind, content)):
        pointers, words = _fields(heap, kind, content[start[0] : start[1]])
        tail = heap.objects(info, [[each] for each in (*pointers, tail, *words)], 2)[0]
    return tail


def _cuts(kind: str, content: bytes) -> list[tuple[int, int]]:
    """(start, end) of each piece; no pair of surrogates is cut in two."""
    cuts = []
    start = 0
    while start < len(content):
        end = min(start + PIECE, len(content))
        if kind == LAZY_TEXT and end < len(content) and content[end - 1] & 0xFC == 0xD8:
            end -= 2
        cuts.append((start, end))
        start = end
    return cuts


def _fields(heap: Heap, kind: str, content: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The pointers and the words of a strict value."""
    if kind in ("Text", LAZY_TEXT):
        if _is_utf8(heap):
            content = content.decode("utf-16-le").encode()
            return (heap.byte_array(content),), (0, len(content))
        return (heap.byte_array(content),), (0, len(content) // 2)
    data = heap.byte_array(content, pinned=True)
    info = heap.constructor("base", "GHC.ForeignPtr", "PlainPtr")
    return (heap.objects(info, [[data]], 4)[0],), (heap.content_of(data), 0, len(content))


def read_strict(heap: Heap, kind: str, places: Sequence[int]) -> list[object]:
    """Texts as str, ByteStrings as bytes."""
    _, module, name = _HOMES[kind]
    check_constructors(heap, places, (f"{module}.{name}",), kind)
    return [_value(heap, kind, _piece(heap, kind, at, 0)) for at in places]


def read_lazy(heap: Heap, kind: str, pointers: Sequence[int]) -> tuple[list[object], list[int]]:
    """The values, and the pointers to pieces that are not evaluated yet; with any of those the values mean nothing."""
    _, module, name = _HOMES[kind]
    values, pending = [], []
    for first in pointers:
        pieces = []
        pointer = first
        while True:
            at = heap.settled(pointer)
            if not at:
                pending.append(pointer)
                break
            found = check_constructors(heap, (at,), (f"{module}.{name}", f"{module}.Empty"), kind)
            if f"{module}.Empty" in found.values():
                break
            pieces.append(_piece(heap, kind, at, 1))
            pointer = heap.field(at, 1)
        values.append(_value(heap, kind, b"".join(pieces)))
    return values, pending


def _piece(heap: Heap, kind: str, at: int, more: int) -> bytes:
    """The bytes of one strict value, whose words follow `more` further pointers."""
    if kind in ("Text", LAZY_TEXT):
        content, offset, units = (heap.field(at, each) for each in (0, 1 + more, 2 + more))
        unit = 1 if _is_utf8(heap) else 2
        return heap.bytes_at(content, unit * offset, unit * units)
    address, offset, size = (heap.field(at, each) for each in (1 + more, 2 + more, 3 + more))
    return string_at(address + offset, size) if size else b""


def _value(heap: Heap, kind: str, content: bytes) -> object:
    if kind not in ("Text", LAZY_TEXT):
        return content
    return content.decode("utf-8" if _is_utf8(heap) else "utf-16-le")


def _is_utf8(heap: Heap) -> bool:
    """Whether Texts of the process are of UTF-8."""
    return heap.machine.version("text") >= (2,)
