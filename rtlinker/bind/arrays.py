"""C arrays as Python sequences over the memory itself."""

from __future__ import annotations

import ctypes

from rtlinker.bind.codec import Codec
from rtlinker.bind.ctype import Array, CType, declare, plain, size_of
from rtlinker.bind.home import Call, Home, Mismatch, shown
from rtlinker.bind.passing import refuse
from rtlinker.bind.records import Assignment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class ArrayValue:
    """An array in memory, read and written in place: `a[0]`, `a[-1] = 5`, `a[1:3]`, `len(a)`, `a == [1, 2]`.

    Indices are checked against the declared count; an array declared without one takes any index from 0 up. Elements
    that are structs or arrays are views too. Reading a library's data after unload raises LinkError.
    """

    __slots__ = ("_home", "address", "type")

    def __init__(self, ctype: Array, address: int, home: Home) -> None:
        self.type = ctype
        self.address = address
        self._home = home

    def __len__(self) -> int:
        return self.type.count or 0

    def _place(self, index: int) -> int:
        count = self.type.count
        place = index + count if index < 0 and count is not None else index
        if place < 0 or (count is not None and place >= count):
            raise IndexError(f"index {index} is outside {declare(self.type)}")
        return self.address + place * stride(self.type.element)

    def __getitem__(self, index: int | slice) -> object:
        self._home.check()
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        return self.type.element.codec.load(self._place(index), self._home)

    def __setitem__(self, index: int | slice, value: object) -> None:
        self._home.check()
        if isinstance(index, slice):
            places = range(*index.indices(len(self)))
            parts = list(value) if hasattr(value, "__iter__") else []
            if len(parts) != len(places):
                raise ValueError(f"{len(places)} elements cannot take {len(parts)} values")
            for place, part in zip(places, parts):
                self[place] = part
            return
        address = self._place(index)
        with Assignment(self.type.element, "element", self._home, address) as call:
            self.type.element.codec.store(address, value, call)

    def __iter__(self) -> Iterator[object]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ArrayValue | list | tuple):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        parts = [repr(part) for part in self[:20]] if len(self) else []  # type: ignore[attr-defined]
        return f"[{', '.join(parts)}{', ...' if len(self) > 20 else ''}]"

    @property
    def buffer(self) -> ctypes.Array[ctypes.c_ubyte]:
        """The bytes in place, with the buffer protocol: `numpy.frombuffer(a.buffer, dtype="f8")`."""
        self._home.check()
        size = size_of(self.type) or 0
        return (ctypes.c_ubyte * size).from_address(self.address)


def stride(element: CType) -> int:
    """Bytes from one element to the next. Raises UnsupportedError where the size is not known."""
    size = size_of(element)
    if size is None:
        raise refuse(element, "its size is not known")
    return size


def is_text(element: CType) -> bool:
    """True for plain char: arrays of it are read as strings."""
    real = plain(element)
    return getattr(real, "encoding", "") == "char"


class ArrayCodec(Codec):
    """Arrays in memory: a sequence, or text for arrays of char; comes back as an ArrayValue, or as text."""

    def __init__(self, ctype: Array) -> None:
        super().__init__(ctype)
        self.array = ctype

    def load(self, address: int, home: Home) -> object:
        """A view, or of `char[n]` the text up to the first NUL (UTF-8; other bytes as surrogates, PEP 383)."""
        if is_text(self.array.element):
            limit = -1 if self.array.count is None else self.array.count
            return ctypes.string_at(address, limit).split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
        return ArrayValue(self.array, address, home)

    def store(self, address: int, value: object, call: Call) -> None:
        """Writes a sequence of at most `count` elements, or text, which is filled up with NUL."""
        step = stride(self.array.element)
        count = self.array.count
        if is_text(self.array.element) and isinstance(value, str | bytes | bytearray):
            data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
            if count is None or len(data) > count:
                raise Mismatch(f"{len(data)} bytes do not fit {declare(self.array)}")
            ctypes.memmove(address, data.ljust(count, b"\0"), count)
            return
        if isinstance(value, str | bytes) or not hasattr(value, "__len__") or not hasattr(value, "__iter__"):
            raise Mismatch(f"wants {declare(self.array)}, got {shown(value)}")
        parts = list(value)
        if count is None or len(parts) > count:
            raise Mismatch(f"{len(parts)} values do not fit {declare(self.array)}")
        codec = self.array.element.codec
        for place, part in enumerate(parts):
            codec.store(address + place * step, part, call)

    def encode(self, value: object, call: Call) -> object:
        """Raises Mismatch: C passes no array by value."""
        raise Mismatch("C passes no array by value")


def temporary(element: CType, values: list[object] | tuple[object, ...], call: Call) -> ctypes.Array[ctypes.c_char]:
    """The values side by side in memory of our own, and a zeroed element after them, as `argv` has. Raises Mismatch."""
    step = stride(element)
    memory = ctypes.create_string_buffer(step * (len(values) + 1))
    base = ctypes.addressof(memory)
    codec = element.codec
    for place, part in enumerate(values):
        try:
            codec.store(base + place * step, part, call)
        except Mismatch as error:
            raise Mismatch(f"element {place}: {error}") from None
    call.keep.append(memory)
    return memory
