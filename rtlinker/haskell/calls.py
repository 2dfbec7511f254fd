"""The runtime's functions for C (RtsAPI.h of GHC 9.0, HsFFI.h), typed for ctypes; each is bound when first used.

A *capability* is the right to touch Haskell's heap, from rts_lock until rts_unlock. A *closure* is a Haskell object: an
address that the garbage collector may change, so it is good only until the next evaluation. A *stable pointer* is a
number for a closure that stays good until it is freed.
"""

from __future__ import annotations

import ctypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rtlinker.haskell.host import Host
    from rtlinker.haskell.shape import Shape

ADDRESS = ctypes.c_void_p
CAPABILITY = CLOSURE = STABLE = ADDRESS

C_TYPES: dict[str, type[ctypes._SimpleCData[Any]]] = {
    "Char": ctypes.c_uint32,
    "Int": ctypes.c_int64,
    "Int8": ctypes.c_int8,
    "Int16": ctypes.c_int16,
    "Int32": ctypes.c_int32,
    "Int64": ctypes.c_int64,
    "Word": ctypes.c_uint64,
    "Word8": ctypes.c_uint8,
    "Word16": ctypes.c_uint16,
    "Word32": ctypes.c_uint32,
    "Word64": ctypes.c_uint64,
    "Float": ctypes.c_float,
    "Double": ctypes.c_double,
    "Ptr": ADDRESS,
    "FunPtr": ADDRESS,
    "StablePtr": ADDRESS,
    "Bool": ctypes.c_int64,
}
"""Haskell types that rts_mk* and rts_get* know, with their C types (HsFFI.h)."""


class Config(ctypes.Structure):
    """RtsConfig (RtsAPI.h): HsBool is a word; the nine words behind are the event log and the hooks."""

    _fields_ = (
        ("options_enabled", ctypes.c_int),
        ("suggestions", ctypes.c_int64),
        ("options", ctypes.c_char_p),
        ("is_program", ctypes.c_int64),
        ("keep_cafs", ctypes.c_int64),
        ("hooks", ADDRESS * 9),
    )


ALL_OPTIONS = 4
"""RtsOptsAll: also those that could write files, since it is we who give them."""

_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "hs_init_ghc": (None, (ADDRESS, ADDRESS, Config)),
    "rts_lock": (CAPABILITY, ()),
    "rts_unlock": (None, (CAPABILITY,)),
    "rts_apply": (CLOSURE, (CAPABILITY, CLOSURE, CLOSURE)),
    "rts_evalIO": (None, (ADDRESS, CLOSURE, ADDRESS)),
    "rts_getSchedStatus": (ctypes.c_int, (CAPABILITY,)),
    "getStablePtr": (STABLE, (CLOSURE,)),
    "deRefStablePtr": (CLOSURE, (STABLE,)),
    "hs_free_stable_ptr": (None, (STABLE,)),
    "performMajorGC": (None, ()),
    "getFirstMBlock": (ADDRESS, (ADDRESS,)),
    "getNextMBlock": (ADDRESS, (ADDRESS, ADDRESS)),
    **{f"rts_mk{name}": (CLOSURE, (CAPABILITY, kind)) for name, kind in C_TYPES.items()},
    **{f"rts_get{name}": (kind, (CLOSURE,)) for name, kind in C_TYPES.items()},
}


class Calls:
    """The functions of one host as attributes: `calls.rts_lock()`. Raises UndefinedSymbolsError for one it has not."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def __getattr__(self, name: str) -> Any:
        if name not in _SIGNATURES:
            raise AttributeError(name)
        result, arguments = _SIGNATURES[name]
        function = ctypes.CFUNCTYPE(result, *arguments)(self._host.address(name))  # type: ignore[arg-type]
        setattr(self, name, function)
        return function


def tag(closure: int) -> int:
    """The number of an evaluated closure's constructor, from 1: of a type with at most six constructors.

    A pointer to an evaluated closure has it in its low bits; where it has not, the info table in front of the code
    tells (its last word: the constructor's number from 0).
    """
    if closure & 7:
        return closure & 7
    code = ctypes.c_uint64.from_address(closure).value
    return ctypes.c_uint32.from_address(code - 4).value + 1


def field(closure: int, number: int, shape: Shape) -> int:
    """One of the pointers that a constructor holds, from 0."""
    return ctypes.c_uint64.from_address((closure & ~7) + 8 * (shape.header + number)).value
