"""Pointers: what Python values may stand for one, and what one is when C returns it.

A value passed for a pointer lives until the call has returned; C that keeps the address longer needs memory that the
caller keeps (a Data, a StructValue, a ctypes buffer). Text and bytes passed where C may write are copied first, since
Python shares them; a list passed there is written back when C has returned.
"""

from __future__ import annotations

import ctypes

from rtlinker.bind.arrays import ArrayValue, is_text, stride, temporary
from rtlinker.bind.codec import Codec
from rtlinker.bind.ctype import Array, Base, CType, Pointer, Record, Void, declare, is_const, plain, size_of
from rtlinker.bind.foreign import alike, ctypes_address
from rtlinker.bind.home import Call, Home, Mismatch, shown
from rtlinker.bind.records import Assignment, RecordCodec, StructValue

_ALL = (1 << 64) - 1
_FORMATS = {"signed": "bhilqn", "unsigned": "BHILQN", "bool": "?", "float": "fdg", "char": "cbB", "complex": ""}


class PointerValue:
    """An address with the type behind it: `p.contents`, `p[2]`, `p.contents = 5`, `p.field` for structs, `p + 1`.

    It is false when NULL, equal to pointers and ints of the same address, and `int(p)` is the address (absolute). It
    keeps nothing alive that C may free; memory of an unloaded library raises LinkError.
    """

    __slots__ = ("_home", "_target", "address")
    address: int
    _home: Home
    _target: CType

    def __init__(self, target: CType, address: int, home: Home) -> None:
        object.__setattr__(self, "_target", target)
        object.__setattr__(self, "address", address)
        object.__setattr__(self, "_home", home)

    @property
    def contents(self) -> object:
        """What it points to; a struct or array as a view. Raises ValueError for NULL."""
        return self[0]

    @property
    def text(self) -> str:
        """The bytes up to the first NUL as text (UTF-8, other bytes as surrogates). Raises ValueError for NULL."""
        return ctypes.string_at(self._place(0)).decode("utf-8", "surrogateescape")

    def __getitem__(self, index: int) -> object:
        home = self._home.frozen() if is_const(self._target) else self._home
        return self._target.codec.load(self._place(index), home)

    def __setitem__(self, index: int, value: object) -> None:
        place = self._place(index)
        with Assignment(self._target, "contents", self._home, place) as call:
            self._target.codec.store(place, value, call)

    def _place(self, index: int) -> int:
        self._home.check()
        if not self.address:
            raise ValueError(f"{declare(Pointer(self._target))} is NULL")
        return self.address + (index and index * stride(self._target))

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") or not isinstance(plain(self._target), Record):
            raise AttributeError(f"{declare(Pointer(self._target))} has no attribute {name!r}")
        return getattr(self.contents, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "contents":
            self[0] = value
        elif isinstance(plain(self._target), Record):
            setattr(self.contents, name, value)
        else:
            raise AttributeError(f"{declare(Pointer(self._target))} has no attribute {name!r}")

    def __add__(self, count: int) -> PointerValue:
        return PointerValue(self._target, self.address + count * stride(self._target), self._home)

    def __sub__(self, count: int) -> PointerValue:
        return self + -count

    def __bool__(self) -> bool:
        return self.address != 0

    def __int__(self) -> int:
        return self.address

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PointerValue | int):
            return self.address == int(other)
        return not self.address if other is None else NotImplemented

    def __hash__(self) -> int:
        return hash(self.address)

    def __repr__(self) -> str:
        return f"<{declare(Pointer(self._target))} {self.address:#x}>" if self.address else "NULL"


def pointer_codec(ctype: Pointer) -> Codec:
    """The codec for a pointer to anything but a function."""
    target = plain(ctype.target)
    if isinstance(target, Void):
        return PointerCodec(ctype)
    if is_text(target):
        return StringCodec(ctype)
    return TypedPointerCodec(ctype)


class PointerCodec(Codec):
    """`void *`: an address, None, bytes, a buffer, or anything that has memory; comes back as an int, or None."""

    native = ctypes.c_void_p

    def __init__(self, ctype: Pointer) -> None:
        super().__init__(ctype)
        self.target = ctype.target
        self.const = is_const(ctype.target)

    def encode(self, value: object, call: Call) -> object:
        """The address (absolute), or None. Raises Mismatch."""
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            if -1 << 63 <= value <= _ALL:
                return value & _ALL
            raise Mismatch(f"{value} is no address")
        call.keep.append(value)
        address = self.address_of(value, call)
        if address is None:
            raise Mismatch(f"wants {declare(self.ctype)}, got {shown(value)}")
        return address

    def decode(self, raw: object, home: Home) -> object:
        """The address, or None for NULL."""
        return raw

    def address_of(self, value: object, call: Call) -> int | None:
        """Where the memory behind a value is, or None if it has none."""
        if isinstance(value, str | bytes):
            return self.text(value, call)
        if isinstance(value, PointerValue):
            self.require(value._target)
            return value.address
        if isinstance(value, StructValue):
            value._home.check()
            self.require(value._type)
            return value._address
        if isinstance(value, ArrayValue):
            value._home.check()
            self.require(value.type.element)
            return value.address
        foreign = ctypes_address(value)
        if foreign is not None:
            return foreign
        place = getattr(value, "address", None)
        if isinstance(place, int):
            return self.handle(value, place)
        return self.buffer(value, call)

    def handle(self, value: object, place: int) -> int:
        """The address of a Data or Function of ours."""
        ctype = getattr(value, "ctype", None)
        if isinstance(ctype, CType):
            real = plain(ctype)
            self.require(real.element if isinstance(real, Array) and not self.accepts(real) else real)
        return place

    def require(self, found: CType) -> None:
        """Raises Mismatch unless memory of type `found` may be passed."""
        if not self.accepts(found):
            raise Mismatch(f"wants {declare(self.ctype)}, got {declare(Pointer(found))}")

    def accepts(self, found: CType) -> bool:
        """Whether memory of type `found` may be passed."""
        return True

    def text(self, value: str | bytes, call: Call) -> int | None:
        """The address of NUL-terminated bytes: their own, or of a copy where C may write."""
        data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        if self.const:
            held = ctypes.c_char_p(data)
            call.keep.append(held)
            return ctypes.cast(held, ctypes.c_void_p).value
        copy = ctypes.create_string_buffer(data)
        call.keep.append(copy)
        return ctypes.addressof(copy)

    def buffer(self, value: object, call: Call) -> int | None:
        """The address of a contiguous buffer; a read-only one is copied."""
        try:
            view = memoryview(value)  # type: ignore[arg-type]
        except TypeError:
            return None
        self.require_format(view)
        if not view.c_contiguous:
            raise Mismatch(f"wants contiguous memory, got {shown(value)}")
        kind = ctypes.c_char * view.nbytes
        memory = kind.from_buffer_copy(view) if view.readonly else kind.from_buffer(view)
        call.keep.append(memory)
        return ctypes.addressof(memory)

    def require_format(self, view: memoryview) -> None:
        """Raises Mismatch for a buffer whose elements are of another type; raw bytes fit all."""
        target = plain(self.target)
        code = view.format.lstrip("@=<")
        if code in ("B", "b", "c") or not isinstance(target, Base):
            return
        if view.itemsize != target.size or code not in _FORMATS[target.encoding]:
            raise Mismatch(f"wants {declare(self.ctype)}, got a buffer of format {view.format!r}")


class StringCodec(PointerCodec):
    """`char *`: text (sent as UTF-8) or bytes, and all that `void *` takes; comes back as text, or None for NULL.

    Bytes that are no UTF-8 come back as surrogates (PEP 383) and go out as they were.
    """

    def receive(self, raw: object, home: Home) -> object:
        """What a callback gets: text for `const char *`; for `char *` a pointer, since C lends it a buffer to fill."""
        if is_const(self.target) or not isinstance(raw, int) or not raw:
            return self.decode(raw, home)
        return PointerValue(self.target, raw, home)

    def accepts(self, found: CType) -> bool:
        """Bytes of any sign."""
        return size_of(found) in (1, None)

    def decode(self, raw: object, home: Home) -> object:
        """The text up to the first NUL."""
        if not isinstance(raw, int) or not raw:
            return None
        return ctypes.string_at(raw).decode("utf-8", "surrogateescape")


class TypedPointerCodec(PointerCodec):
    """Pointers to numbers, structs, arrays and pointers; come back as a PointerValue.

    Lists and tuples become a temporary array; for a struct, a dict or a tuple becomes one. What C wrote there is copied
    back into a list or dict.
    """

    def accepts(self, found: CType) -> bool:
        """The same type; integers of the same size whatever their sign."""
        return alike(plain(self.target), plain(found))

    def decode(self, raw: object, home: Home) -> object:
        """The pointer, false for NULL."""
        return PointerValue(self.target, raw if isinstance(raw, int) else 0, home)

    def text(self, value: str | bytes, call: Call) -> int | None:
        """Bytes fit pointers to bytes only."""
        target = plain(self.target)
        if isinstance(target, Base) and target.size == 1:
            return super().text(value, call)
        return None

    def address_of(self, value: object, call: Call) -> int | None:
        """The address of the memory behind a value, or of a temporary with its parts."""
        if isinstance(plain(self.target), Record) and isinstance(value, dict | tuple):
            return self.one_record(value, call)
        if isinstance(value, list | tuple):
            return self.several(value, call)
        return super().address_of(value, call)

    def one_record(self, value: object, call: Call) -> int:
        """The address of a temporary struct with the parts of a dict or tuple."""
        codec = self.target.codec
        if not isinstance(codec, RecordCodec) or codec.record.size is None:
            raise Mismatch(f"the layout of {declare(self.target)} is not known")
        made = codec.adopt(value, call)
        call.keep.append(made)
        if isinstance(value, dict) and not self.const:
            call.after.append(lambda: value.update({name: made[name] for name in value}))
        return made._address

    def several(self, values: list[object] | tuple[object, ...], call: Call) -> int:
        """The address of a temporary array of the values."""
        memory = temporary(self.target, values, call)
        before = memory.raw
        if isinstance(values, list) and not self.const:

            def copy_back() -> None:
                if memory.raw != before:
                    home = Home(memory=memory)
                    base, step, codec = ctypes.addressof(memory), stride(self.target), self.target.codec
                    values[:] = [codec.load(base + place * step, home) for place in range(len(values))]

            call.after.append(copy_back)
        return ctypes.addressof(memory)
