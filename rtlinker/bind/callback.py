"""Function pointers: Python callables that C may call, and functions that C hands out.

A callable becomes machine code (a ctypes thunk) that stays until the library goes: C may keep the pointer. Passing the
same callable for the same type again gives the same thunk. An exception cannot unwind through C: it is kept, C gets a
zero, and the call of ours that led there raises it when C has returned. In a thread that C made there is no such call,
and `sys.unraisablehook` gets it.
"""

from __future__ import annotations

import ctypes
import sys

from rtlinker.bind.codec import Codec
from rtlinker.bind.ctype import FunctionType, Pointer, Record, declare, plain
from rtlinker.bind.foreign import ForeignFunction
from rtlinker.bind.home import Call, Home, Mismatch
from rtlinker.bind.passing import refuse
from rtlinker.bind.plan import native_of
from rtlinker.bind.pointers import PointerCodec, StringCodec
from rtlinker.errors import SignatureError
from rtlinker.live.failure import keep_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import _FuncPointer as Thunk

    from rtlinker.bind.ctype import CType


class FunctionPointerCodec(PointerCodec):
    """Pointers to functions: a callable, a Function, a ctypes function, an address or None; come back as a Function."""

    def __init__(self, ctype: Pointer) -> None:
        super().__init__(ctype)
        target = plain(ctype.target)
        self.function = target if isinstance(target, FunctionType) else FunctionType(ctype.target, ())

    def accepts(self, found: CType) -> bool:
        """A function of as many parameters."""
        if not isinstance(found, FunctionType):
            return False
        loose = not (found.prototyped and self.function.prototyped)
        return loose or len(found.parameters) == len(self.function.parameters)

    def address_of(self, value: object, call: Call) -> int | None:
        """The entry point: the thunk's for a Python callable."""
        if isinstance(value, str | bytes):
            return None
        if callable(value) and not isinstance(value, ForeignFunction) and not hasattr(value, "ctype"):
            return ctypes.cast(thunk(self.function, value, call.keeper), ctypes.c_void_p).value
        return super().address_of(value, call)

    def buffer(self, value: object, call: Call) -> int | None:
        """No buffer is a function."""
        return None

    def decode(self, raw: object, home: Home) -> object:
        """A Function, or None for NULL."""
        from rtlinker.bind.call import Function

        return Function(raw, self.function, "", home.owner) if isinstance(raw, int) and raw else None


def thunk(ctype: FunctionType, function: Callable[..., object], keeper: dict[object, object]) -> Thunk:
    """Machine code that calls `function` as a C function of this type; `keeper` keeps it, once per callable and type.

    The callable gets the Python values of its arguments, and what it returns is converted back and checked. Raises
    UnsupportedError for types that ctypes cannot take in a callback.
    """
    key: object = (ctype, function)
    try:
        found = keeper.get(key)
    except TypeError:  # not hashable: the entry keeps it alive, so that its id stays its own
        key = (ctype, id(function))
        found = keeper.get(key)
    if isinstance(found, tuple):
        kept: Thunk = found[0]
        return kept
    made = _make(ctype, function, keeper, key)
    keeper[key] = (made, function)
    return made


def _make(ctype: FunctionType, function: Callable[..., object], keeper: dict[object, object], key: object) -> Thunk:
    if ctype.variadic:
        raise refuse(ctype, "a Python callable cannot see the arguments behind '...'")
    codecs = [parameter.type.codec for parameter in ctype.parameters]
    result = ctype.result.codec
    if isinstance(plain(ctype.result), Record) or (
        result.native and not issubclass(result.native, ctypes._SimpleCData)
    ):
        raise refuse(ctype.result, "ctypes callbacks return numbers and pointers only")
    home = Home()
    receivers = [codec.receive if isinstance(codec, StringCodec) else codec.decode for codec in codecs]

    def enter(*raw: object) -> object:
        try:
            values = [receive(part, home) for receive, part in zip(receivers, raw)]
            answer = function(*values)
            return None if result.native is None else _answer(result, answer, ctype, keeper, key)
        except BaseException as error:
            if sys._getframe().f_back is None:  # a thread that C made: ctypes passes it to sys.unraisablehook
                raise
            keep_failure(error)
            return None if result.native is None else 0

    kind = ctypes.CFUNCTYPE(result.native, *[native_of(codec) for codec in codecs])
    return kind(enter)


def _answer(codec: Codec, value: object, ctype: FunctionType, keeper: dict[object, object], key: object) -> object:
    call = Call(keeper)
    try:
        raw = codec.encode(value, call)
    except Mismatch as error:
        raise SignatureError("result of a callback does not fit", declare(ctype), str(error)) from None
    if call.keep:
        keeper["result", key] = call.keep
    return raw
