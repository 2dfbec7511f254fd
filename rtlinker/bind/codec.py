"""How the values of one C type cross between Python and C.

A codec has a `native` ctypes type, by which calls carry the value; `encode` makes what ctypes takes from a Python
value, checking it, and `decode` the reverse; `load` and `store` do the same for a value in memory at an absolute
address. `encode` raises Mismatch, which the caller turns into a SignatureError that shows the prototype.

ctypes cuts integers to size in silence, so ranges are checked here.
"""

from __future__ import annotations

import ctypes
from _operator import index

from rtlinker.bind.ctype import Array, Base, CType, Enum, FunctionType, Pointer, Record, Refused, Void, declare, plain
from rtlinker.bind.home import Call, Mismatch, shown
from rtlinker.bind.passing import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.bind.home import Home

_SIGNED = {1: ctypes.c_int8, 2: ctypes.c_int16, 4: ctypes.c_int32, 8: ctypes.c_int64}
_UNSIGNED = {1: ctypes.c_uint8, 2: ctypes.c_uint16, 4: ctypes.c_uint32, 8: ctypes.c_uint64}
_FLOATS = {4: ctypes.c_float, 8: ctypes.c_double, 16: ctypes.c_longdouble}
_LARGEST_FLOAT = 3.4028235677973362e38  # halfway from FLT_MAX to the next step: what rounds to infinity


class Codec:
    """Base: a type without values (void, functions). `exact` is the Python type that only needs a range check."""

    native: type | None = None
    exact: type | None = None
    low: float = 0
    high: float = 0

    def __init__(self, ctype: CType) -> None:
        self.ctype = ctype

    def encode(self, value: object, call: Call) -> object:
        """What ctypes passes for `value`. Raises Mismatch."""
        raise Mismatch(f"{declare(self.ctype)} has no values")

    def decode(self, raw: object, home: Home) -> object:
        """The Python value of what ctypes returned."""
        return None

    def load(self, address: int, home: Home) -> object:
        """The value in memory at `address` (absolute)."""
        if self.native is None:
            raise Mismatch(f"the layout of {declare(self.ctype)} is not known")
        return self.decode(self.native.from_address(address).value, home)  # type: ignore[attr-defined]

    def store(self, address: int, value: object, call: Call) -> None:
        """Writes the value to memory at `address` (absolute). Raises Mismatch."""
        if self.native is None:
            raise Mismatch(f"the layout of {declare(self.ctype)} is not known")
        self.native.from_address(address).value = self.encode(value, call)  # type: ignore[attr-defined]


class IntegerCodec(Codec):
    """Integers of up to 64 bits: anything with `__index__`, within the type's range."""

    exact: type | None = int

    def __init__(self, ctype: CType, size: int, signed: bool) -> None:
        super().__init__(ctype)
        self.native: type = (_SIGNED if signed else _UNSIGNED)[size]
        self.low, self.high = (-1 << 8 * size - 1, (1 << 8 * size - 1) - 1) if signed else (0, (1 << 8 * size) - 1)

    def encode(self, value: object, call: Call) -> object:
        """The value as an int. Raises Mismatch for other types, and out of range."""
        number = integer(value, self.ctype)
        if not self.low <= number <= self.high:
            raise Mismatch(f"{number} does not fit {declare(self.ctype)} ({self.low} to {self.high})")
        return number

    def decode(self, raw: object, home: Home) -> object:
        """The int."""
        return raw


class BoolCodec(IntegerCodec):
    """`_Bool`: True, False, 1 and 0."""

    exact = bool

    def __init__(self, ctype: CType, size: int) -> None:
        super().__init__(ctype, size, False)
        self.high = 1
        if size == 1:
            self.native = ctypes.c_bool

    def decode(self, raw: object, home: Home) -> object:
        """True or False."""
        return bool(raw)


class CharCodec(IntegerCodec):
    """Plain `char`: a string or bytes of length one, or a number from -128 to 255; comes back as a string.

    A byte is the character of that number (Latin-1), so that each of the 256 comes back as it went.
    """

    exact = None

    def __init__(self, ctype: CType) -> None:
        super().__init__(ctype, 1, True)
        self.high = 255

    def encode(self, value: object, call: Call) -> object:
        """The byte as a signed number."""
        if isinstance(value, (str, bytes, bytearray)) and len(value) == 1:
            value = ord(value)
        elif isinstance(value, (str, bytes, bytearray)):
            raise Mismatch(f"wants a single character, got {shown(value)}")
        number = super().encode(value, call)
        return number - 256 if isinstance(number, int) and number > 127 else number

    def decode(self, raw: object, home: Home) -> object:
        """The character."""
        return chr(integer(raw, self.ctype) & 0xFF)


class FloatCodec(Codec):
    """`float`, `double` and `long double` (which Python rounds to double): numbers, not strings."""

    exact = float
    low = -float("inf")
    high = float("inf")

    def __init__(self, ctype: Base) -> None:
        super().__init__(ctype)
        self.native = _FLOATS[ctype.size]
        if ctype.size == 4:
            self.low, self.high = -_LARGEST_FLOAT, _LARGEST_FLOAT

    def encode(self, value: object, call: Call) -> object:
        """The value as a float. Raises Mismatch for what is no real number, or too large for `float`."""
        if isinstance(value, ctypes._SimpleCData):
            value = value.value
        if not hasattr(type(value), "__float__") and not hasattr(type(value), "__index__"):
            raise Mismatch(f"wants a number, got {shown(value)}")
        try:
            number = float(value)  # type: ignore[arg-type]
        except (OverflowError, ValueError, TypeError):
            raise Mismatch(f"wants a number that fits {declare(self.ctype)}, got {shown(value)}") from None
        if self.native is ctypes.c_float and _LARGEST_FLOAT < abs(number) < float("inf"):
            raise Mismatch(f"{number!r} does not fit {declare(self.ctype)}")
        return number

    def decode(self, raw: object, home: Home) -> object:
        """The float."""
        return raw


class EnumValue(int):
    """An int that remembers which enumerator it is: `name` is None for a number that has none."""

    name: str | None

    def __new__(cls, value: int, name: str | None) -> EnumValue:
        """The number with its name."""
        self = super().__new__(cls, value)
        self.name = name
        return self

    def __repr__(self) -> str:
        return f"<{self.name}: {int(self)}>" if self.name else str(int(self))

    __str__ = int.__repr__


class EnumCodec(IntegerCodec):
    """Enumerations: a number, or the name of an enumerator; comes back as an EnumValue."""

    exact = None

    def __init__(self, ctype: Enum) -> None:
        super().__init__(ctype, ctype.size, ctype.signed or not ctype.values)
        if not ctype.values:  # named in a prototype only: its sign is not known
            self.high = (1 << 8 * ctype.size) - 1
        self.numbers = dict(ctype.values)
        self.names = {number: name for name, number in reversed(ctype.values)}

    def encode(self, value: object, call: Call) -> object:
        """The number of an enumerator given by name or number."""
        if isinstance(value, str):
            number = self.numbers.get(value.rpartition("::")[2])
            if number is None:
                choice = ", ".join(list(self.numbers)[:6]) or "no names are known"
                raise Mismatch(f"{value!r} is no enumerator of {declare(self.ctype)} ({choice})")
            return number
        return super().encode(value, call)

    def decode(self, raw: object, home: Home) -> object:
        """The number, with its name."""
        number = integer(raw, self.ctype)
        return EnumValue(number, self.names.get(number))


class RefusedCodec(Codec):
    """A type we do not carry: every use of a value is an UnsupportedError with the reason."""

    def encode(self, value: object, call: Call) -> object:
        """Raises UnsupportedError."""
        ctype = plain(self.ctype)
        raise refuse(self.ctype, ctype.reason if isinstance(ctype, Refused) else "its size is not one we know")

    def decode(self, raw: object, home: Home) -> object:
        """Raises UnsupportedError."""
        return self.encode(None, Call({}))

    def load(self, address: int, home: Home) -> object:
        """Raises UnsupportedError."""
        return self.encode(None, Call({}))

    def store(self, address: int, value: object, call: Call) -> None:
        """Raises UnsupportedError."""
        self.encode(value, call)


def integer(value: object, ctype: CType) -> int:
    """`value` as an int; Mismatch if it is of no integer type."""
    if isinstance(value, ctypes._SimpleCData):
        value = value.value
    try:
        return index(value)  # type: ignore[arg-type]
    except TypeError:
        raise Mismatch(f"wants {declare(ctype)}, got {shown(value)}") from None


def codec_of(ctype: CType) -> Codec:
    """A new codec for the type; `ctype.codec` keeps it."""
    real = plain(ctype)
    if real is not ctype:
        return real.codec
    if isinstance(real, Base):
        return _base_codec(real)
    if isinstance(real, Enum):
        return EnumCodec(real) if real.size in _SIGNED else RefusedCodec(real)
    if isinstance(real, (Void, FunctionType)):
        return Codec(real)
    from rtlinker.bind import arrays, callback, pointers, records

    if isinstance(real, Record):
        return records.RecordCodec(real)
    if isinstance(real, Array):
        return arrays.ArrayCodec(real)
    if isinstance(real, Pointer):
        if isinstance(plain(real.target), FunctionType):
            return callback.FunctionPointerCodec(real)
        return pointers.pointer_codec(real)
    return RefusedCodec(real)


def _base_codec(ctype: Base) -> Codec:
    size, encoding = ctype.size, ctype.encoding
    if encoding == "char" and size == 1:
        return CharCodec(ctype)
    if encoding == "bool" and size in _SIGNED:
        return BoolCodec(ctype, size)
    if encoding == "float" and size in _FLOATS:
        return FloatCodec(ctype)
    if encoding == "complex" and size in (8, 16):
        from rtlinker.bind.wide import ComplexCodec

        return ComplexCodec(ctype)
    if encoding in ("signed", "unsigned"):
        if size in _SIGNED:
            return IntegerCodec(ctype, size, encoding == "signed")
        if size == 16:
            from rtlinker.bind.wide import WideCodec

            return WideCodec(ctype)
    return RefusedCodec(ctype)
