"""Numbers that travel in two registers: `__int128` and complex numbers."""

from __future__ import annotations

import ctypes
from struct import Struct

from rtlinker.bind.codec import Codec, IntegerCodec, integer
from rtlinker.bind.ctype import Base, declare
from rtlinker.bind.home import Mismatch, shown
from rtlinker.bind.passing import carrier_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.bind.home import Call, Home


class WideCodec(IntegerCodec):
    """`__int128`, which travels as two registers."""

    exact = None

    def __init__(self, ctype: Base) -> None:
        super().__init__(ctype, 8, ctype.encoding == "signed")
        self.native = carrier_of(ctype)
        self.low, self.high = (-1 << 127, (1 << 127) - 1) if ctype.encoding == "signed" else (0, (1 << 128) - 1)

    def encode(self, value: object, call: Call) -> object:
        """The number as a carrier."""
        number = integer(super().encode(value, call), self.ctype)
        return carrier_of(self.ctype).from_buffer_copy(number.to_bytes(16, "little", signed=self.low < 0))

    def decode(self, raw: object, home: Home) -> object:
        """The number in a carrier."""
        return int.from_bytes(bytes(raw), "little", signed=self.low < 0)  # type: ignore[call-overload]

    def load(self, address: int, home: Home) -> object:
        """The number at `address`."""
        return int.from_bytes(ctypes.string_at(address, 16), "little", signed=self.low < 0)

    def store(self, address: int, value: object, call: Call) -> None:
        """Writes all 16 bytes."""
        ctypes.memmove(address, bytes(self.encode(value, call)), 16)  # type: ignore[call-overload]


class ComplexCodec(Codec):
    """`float _Complex` and `double _Complex`: a Python complex number."""

    def __init__(self, ctype: Base) -> None:
        super().__init__(ctype)
        self.native = carrier_of(ctype)
        self.parts = Struct("<2f" if ctype.size == 8 else "<2d")
        self.size = ctype.size

    def encode(self, value: object, call: Call) -> object:
        """The number as a carrier. Raises Mismatch for what is no number."""
        if isinstance(value, str) or not (hasattr(value, "__complex__") or hasattr(value, "__float__")):
            raise Mismatch(f"wants a complex number, got {shown(value)}")
        number = complex(value)  # type: ignore[call-overload]
        try:
            return carrier_of(self.ctype).from_buffer_copy(self.parts.pack(number.real, number.imag))
        except OverflowError:
            raise Mismatch(f"{number!r} does not fit {declare(self.ctype)}") from None

    def decode(self, raw: object, home: Home) -> object:
        """The complex number in a carrier."""
        return complex(*self.parts.unpack(bytes(raw)))  # type: ignore[call-overload]

    def load(self, address: int, home: Home) -> object:
        """The complex number at `address`."""
        return complex(*self.parts.unpack(ctypes.string_at(address, self.size)))

    def store(self, address: int, value: object, call: Call) -> None:
        """Writes both parts."""
        ctypes.memmove(address, bytes(self.encode(value, call)), self.size)  # type: ignore[call-overload]
