"""Memory that is not ours: which types may stand for each other behind a pointer, and where ctypes objects lie."""

from __future__ import annotations

import ctypes

from rtlinker.bind.ctype import Array, Base, CType, Enum, Record, Void, plain, size_of
from rtlinker.bind.records import same_record

_BY_REFERENCE = type(ctypes.byref(ctypes.c_int()))
ForeignFunction: type = ctypes.CFUNCTYPE(None).__mro__[1]
"""The base of all ctypes functions, of libraries and of CFUNCTYPE."""


def alike(one: CType, two: CType) -> bool:
    """Whether memory of one plain type may be passed for the other; integers differ in size only."""
    if isinstance(one, Base) and isinstance(two, Base):
        return one.size == two.size and (one.encoding == "float") == (two.encoding == "float")
    if isinstance(one, Record) and isinstance(two, Record):
        return same_record(one, two) or (one.name == two.name and None in (one.size, two.size))
    if isinstance(one, Enum) or isinstance(two, Enum):
        return size_of(one) == size_of(two)
    if isinstance(one, Array) and isinstance(two, Array):
        return alike(plain(one.element), plain(two.element))
    return Void in (type(one), type(two)) or type(one) is type(two)


def ctypes_address(value: object) -> int | None:
    """The address that a ctypes object stands for in a call, or None for other objects."""
    if isinstance(value, ctypes._SimpleCData):
        kind = type(value)._type_  # type: ignore[attr-defined]
        return (value.value if kind == "P" else _cast(value)) or 0 if kind in "PzZ" else ctypes.addressof(value)
    if isinstance(value, ctypes.Structure | ctypes.Union):
        return ctypes.addressof(value)
    if isinstance(value, (ctypes._Pointer, ctypes.Array, ForeignFunction, _BY_REFERENCE)):
        return _cast(value) or 0
    return None


def _cast(value: object) -> int | None:
    return ctypes.cast(value, ctypes.c_void_p).value  # type: ignore[arg-type]
