"""What a call does, worked out once per function: the codec of each parameter, and the ctypes function that jumps."""

from __future__ import annotations

import ctypes

from rtlinker.bind.codec import Codec, RefusedCodec
from rtlinker.bind.ctype import (
    DOUBLE,
    STRING,
    VOID,
    CType,
    FunctionType,
    Pointer,
    Record,
    Void,
    declare,
    plain,
    size_of,
)
from rtlinker.bind.home import Call, Home, Mismatch, keeper_of, shown
from rtlinker.bind.passing import INTEGER, SSE, X87, carrier_of, eightbytes, is_register_pair, refuse, stack_words
from rtlinker.errors import SignatureError
from rtlinker.live.failure import failures, raise_failure
from rtlinker.live.frames import guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.bind.home import Owner

Jump = ctypes.CFUNCTYPE(None)
_ANY_POINTER = Pointer(VOID)


def native_of(codec: Codec) -> type:
    """The ctypes type of an argument or result. Raises UnsupportedError for types that cannot be passed."""
    if codec.native is None:
        if isinstance(codec, RefusedCodec):
            codec.encode(None, Call({}))
        return carrier_of(codec.ctype)
    return codec.native


class Plan:
    """The general way to call one function: `plan(arguments)`, a tuple."""

    __slots__ = (
        "address",
        "codecs",
        "hidden",
        "home",
        "jump",
        "longer",
        "name",
        "natives",
        "result",
        "splits",
        "type",
        "variadic",
    )

    def __init__(self, address: int, ctype: FunctionType, name: str, owner: Owner | None) -> None:
        self.address = address
        self.type = ctype
        self.name = name
        self.home = Home(owner)
        self.variadic = ctype.variadic or not (ctype.prototyped or ctype.parameters)
        self.codecs = [_passed(parameter.type, ctype.prototyped).codec for parameter in ctype.parameters]
        self.result = ctype.result.codec
        self.splits = _splits(ctype)
        if isinstance(plain(ctype.result), Record) and eightbytes(ctype.result)[0] == X87:
            raise refuse(ctype.result, "libffi does not take a struct from an x87 register")
        self.natives = [
            kind
            for place, codec in enumerate(self.codecs)
            for kind in ([ctypes.c_uint64, ctypes.c_double] if place in self.splits else [native_of(codec)])
        ]
        self.hidden = (size_of(ctype.result) or 0) > 16
        self.jump = self._jump(stack_words(self.natives, self.hidden))
        self.longer: dict[int, ctypes._FuncPointer] = {}

    def _jump(self, words: int) -> ctypes._FuncPointer:
        """The ctypes function that jumps, with at most `words` words of arguments on the stack."""
        jump = Jump(self.address)
        jump.restype = None if isinstance(plain(self.type.result), Void) else native_of(self.result)
        jump.argtypes = self.natives
        guard(jump, words)
        return jump

    def _longer(self, more: list[object]) -> ctypes._FuncPointer:
        """The jump for a call with `more` behind '...': one for every 8 words of the stack."""
        kinds: list[type] = [type(value) for value in more]
        words = (stack_words(self.natives + kinds, self.hidden) + 7) // 8 * 8
        if not words:
            return self.jump
        if words not in self.longer:
            self.longer[words] = self._jump(words)
        return self.longer[words]

    def __call__(self, arguments: tuple[object, ...]) -> object:
        """Convert the arguments, call, convert the result."""
        expected = len(self.codecs)
        if len(arguments) != expected and not (self.variadic and len(arguments) > expected):
            raise self.wrong_count(len(arguments))
        call = Call(keeper_of(self.home.owner))
        raw = []
        for codec, value in zip(self.codecs, arguments):
            try:
                raw.append(codec.encode(value, call))
            except Mismatch as error:
                raise self.misfit(len(raw), str(error)) from None
        for value in arguments[expected:]:
            try:
                raw.append(_promote(value, call))
            except Mismatch as error:
                raise self.misfit(len(raw), str(error)) from None
        for place in sorted(self.splits, reverse=True):
            raw[place : place + 1] = [raw[place].w0, raw[place].w1]  # type: ignore[attr-defined]
        jump = self.jump if len(arguments) == expected else self._longer(raw[len(self.natives) :])
        answer = jump(*raw)
        for finish in call.after:
            finish()
        if failures:
            raise_failure(self.name)
        return self.result.decode(answer, self.home)

    def wrong_count(self, given: int) -> SignatureError:
        """The error for a wrong number of arguments."""
        count = len(self.codecs)
        least = "at least " if self.variadic else ""
        verb = "was" if given == 1 else "were"
        headline = f"{self.name or 'function'} takes {least}{count} argument{'s' * (count != 1)}, {given} {verb} given"
        return SignatureError(headline[-72:], declare(self.type, self.name))

    def misfit(self, place: int, reason: str) -> SignatureError:
        """The error for an argument that does not fit its parameter."""
        label = f"argument {place + 1}"
        if place < len(self.codecs) and self.type.parameters[place].name:
            label += f" ({self.type.parameters[place].name})"
        headline = f"{label}: {reason}"
        if len(headline) <= 72:
            return SignatureError(headline, declare(self.type, self.name))
        return SignatureError(f"{label} does not fit"[-72:], declare(self.type, self.name), reason)


def _passed(ctype: CType, prototyped: bool) -> CType:
    """The type an argument travels as: without a prototype, float goes as double (C17 6.5.2.2p6)."""
    real = plain(ctype)
    return DOUBLE if not prototyped and getattr(real, "encoding", "") == "float" and size_of(real) == 4 else ctype


def _promote(value: object, call: Call) -> object:
    """An argument behind '...' or of a function without prototype: 64-bit integer, double, or address.

    An int goes as 64 bits, of which C reads the low ones where it expects less. Raises Mismatch.
    """
    if isinstance(value, float | ctypes.c_float):
        return ctypes.c_double(value if isinstance(value, float) else value.value)
    if isinstance(value, ctypes._SimpleCData):
        return value
    if isinstance(value, int):
        if -1 << 63 <= value < 1 << 63:
            return ctypes.c_int64(value)
        if 0 <= value < 1 << 64:
            return ctypes.c_uint64(value)
        raise Mismatch(f"{value} does not fit 64 bits")
    if hasattr(type(value), "__index__"):
        return _promote(value.__index__(), call)  # type: ignore[attr-defined]
    if hasattr(type(value), "__float__"):
        return _promote(float(value), call)  # type: ignore[arg-type]
    try:
        codec = (STRING if isinstance(value, str | bytes) else _ANY_POINTER).codec
        return ctypes.c_void_p(codec.encode(value, call))  # type: ignore[arg-type]
    except Mismatch:
        raise Mismatch(f"wants a number, text or memory, got {shown(value)}") from None


def _splits(ctype: FunctionType) -> frozenset[int]:
    """Which records must be passed as two scalars: what registers hold is the same, and libffi gets it right.

    libffi copies all 16 bytes of a record to its first register's place; when that is the last integer register, the
    first SSE argument, which lies behind, is overwritten. The registers are counted as the psABI assigns them (section
    3.2.3). Raises UnsupportedError for an __int128 that goes to the stack, 16-byte aligned, which our carrier is not.
    """
    result = plain(ctype.result)
    integers = 1 if (size_of(result) or 0) > 16 else 0  # the hidden pointer to the result
    vectors = 0
    found = []
    for place, parameter in enumerate(ctype.parameters):
        real = plain(parameter.type)
        native = native_of(real.codec)
        if not issubclass(native, ctypes.Structure):
            if issubclass(native, (ctypes.c_float, ctypes.c_double)):
                vectors += 1
            else:
                integers += native is not ctypes.c_longdouble
            continue
        shape, words = eightbytes(real)
        if words > 2 or shape == X87:
            continue
        if integers + shape.count(INTEGER) > 6 or vectors + shape.count(SSE) > 8:
            if is_register_pair(real):
                raise refuse(parameter.type, "the registers are taken, and it needs an aligned place on the stack")
            continue
        if shape == INTEGER + SSE and integers == 5 and vectors:
            found.append(place)
        integers += shape.count(INTEGER)
        vectors += shape.count(SSE)
    return frozenset(found)
