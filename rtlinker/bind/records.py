"""Structs, unions and classes as Python objects whose attributes are the fields, read and written in place."""

from __future__ import annotations

import ctypes

from rtlinker.bind.codec import Codec
from rtlinker.bind.ctype import CType, Member, Record, declare, is_const, plain
from rtlinker.bind.home import Call, Home, Mismatch, keeper_of, shown
from rtlinker.bind.passing import carrier_of, refuse
from rtlinker.errors import SignatureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class StructValue:
    """A struct or union in memory: `value.x`, `value.x = 1`, `value["x"]`, `tuple(value)`, `dict(value.items())`.

    It is a view: of the library's data, of memory C pointed to, or of a copy of its own (a result by value, or one
    made by `new_struct`). Assigning converts and checks as a call does, and raises SignatureError. Reading a library's
    data after unload raises LinkError.
    """

    __slots__ = ("_address", "_home", "_type")
    _address: int
    _home: Home
    _type: Record

    def __init__(self, ctype: Record, address: int, home: Home) -> None:
        object.__setattr__(self, "_type", ctype)
        object.__setattr__(self, "_address", address)
        object.__setattr__(self, "_home", home)

    def __getitem__(self, name: str) -> object:
        member = self._type.by_name.get(name)
        if member is None:
            raise AttributeError(f"{declare(self._type)} has no field {name!r}; it has {', '.join(self._type.by_name)}")
        self._home.check()
        return load_member(member, self._address, self._home)

    def __setitem__(self, name: str, value: object) -> None:
        member = self._type.by_name.get(name)
        if member is None:
            raise AttributeError(f"{declare(self._type)} has no field {name!r}; it has {', '.join(self._type.by_name)}")
        self._home.check()
        with Assignment(member.type, name, self._home, self._address + member.offset) as call:
            store_member(member, self._address, value, call)

    def __getattr__(self, name: str) -> object:
        return self[name]

    def __setattr__(self, name: str, value: object) -> None:
        self[name] = value

    def items(self) -> Iterator[tuple[str, object]]:
        """The (name, value) of every field, in the order of the declaration."""
        return ((name, self[name]) for name in self._type.by_name)

    def __iter__(self) -> Iterator[object]:
        return (self[name] for name in self._type.by_name)

    def __dir__(self) -> list[str]:
        return [*self._type.by_name, "items"]

    def __bytes__(self) -> bytes:
        self._home.check()
        return ctypes.string_at(self._address, self._type.size or 0)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StructValue):
            return NotImplemented
        return same_record(self._type, other._type) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.items())
        return f"{self._type.name or self._type.kind}({fields})"


class Assignment:
    """One assignment to C memory: turns a Mismatch into a SignatureError, and keeps what the memory now points to."""

    __slots__ = ("address", "call", "home", "name", "type")

    def __init__(self, ctype: CType, name: str, home: Home, address: int) -> None:
        if not home.writable or is_const(ctype):
            raise SignatureError(f"cannot set {name}: it is const"[:72], declare(ctype, name))
        self.type = ctype
        self.name = name
        self.address = address
        self.home = home
        self.call = Call(keeper_of(home.owner))

    def __enter__(self) -> Call:
        return self.call

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Mismatch):
            raise SignatureError(f"cannot set {self.name}"[:72], declare(self.type, self.name), str(error)) from None
        if self.call.keep:
            kept: dict[int, object] | dict[object, object] = self.call.keeper
            if self.home.owner is None and self.home.memory is not None:
                kept = self.home.kept
            kept[self.address] = self.call.keep


def new_struct(ctype: CType, *values: object, **fields: object) -> StructValue:
    """A struct of our own, zeroed, then filled by position and by name. Raises SignatureError for what does not fit."""
    record = plain(ctype)
    if not isinstance(record, Record) or record.size is None:
        raise SignatureError("not a struct whose layout is known", declare(ctype))
    made = allocate(record)
    names = list(record.by_name)
    if len(values) > len(names):
        raise SignatureError(f"{len(values)} values for {len(names)} fields", declare(ctype), ", ".join(names))
    for name, value in [*zip(names, values), *fields.items()]:
        if name not in record.by_name:
            raise SignatureError(f"no field {name!r}"[:72], declare(ctype), f"the fields are {', '.join(names)}")
        made[name] = value
    return made


def allocate(record: Record) -> StructValue:
    """A zeroed struct in memory of its own, which lives as long as the value."""
    memory = ctypes.create_string_buffer(max(record.size or 0, 1))
    return StructValue(record, ctypes.addressof(memory), Home(memory=memory))


def same_record(one: Record, two: Record) -> bool:
    """True when both name one struct: two readings of one header are two facts with one name and size."""
    return one is two or (one.kind == two.kind and one.name == two.name and one.size == two.size and bool(one.name))


def load_member(member: Member, base: int, home: Home) -> object:
    """The value of a field of the record at `base` (absolute)."""
    if member.bit_size is None:
        return member.type.codec.load(base + member.offset, home)
    start = member.bit_offset or 0
    first, last = start // 8, (start + member.bit_size + 7) // 8
    bits = int.from_bytes(ctypes.string_at(base + first, last - first), "little") >> (start - 8 * first)
    number = bits & ((1 << member.bit_size) - 1)
    codec = member.type.codec
    if codec.low < 0 and number >> (member.bit_size - 1):
        number -= 1 << member.bit_size
    return codec.decode(number, home)


def store_member(member: Member, base: int, value: object, call: Call) -> None:
    """Writes a field of the record at `base` (absolute); a bit-field leaves its neighbours as they are."""
    if member.bit_size is None:
        member.type.codec.store(base + member.offset, value, call)
        return
    number = member.type.codec.encode(value, call)
    width = member.bit_size
    lowest = -(1 << width - 1) if member.type.codec.low < 0 else 0
    if not isinstance(number, int) or not lowest <= number < lowest + (1 << width):
        raise Mismatch(f"{number} does not fit {width} bits ({lowest} to {lowest + (1 << width) - 1})")
    start = member.bit_offset or 0
    first, last = start // 8, (start + width + 7) // 8
    shift = start - 8 * first
    old = int.from_bytes(ctypes.string_at(base + first, last - first), "little")
    mask = ((1 << width) - 1) << shift
    new = (old & ~mask) | (number << shift & mask)
    ctypes.memmove(base + first, new.to_bytes(last - first, "little"), last - first)


class RecordCodec(Codec):
    """Records: a StructValue, a dict of fields, or a tuple or list of values; comes back as a StructValue."""

    def __init__(self, ctype: Record) -> None:
        super().__init__(ctype)
        self.record = ctype

    def carrier(self) -> type[ctypes.Structure]:
        """The structure that carries it by value. Raises UnsupportedError."""
        return carrier_of(self.record)

    def encode(self, value: object, call: Call) -> object:
        """A carrier with the bytes of the value."""
        carrier = self.carrier()
        value = self.adopt(value, call)
        call.keep.append(value)
        return carrier.from_buffer_copy(bytes(value).ljust(ctypes.sizeof(carrier), b"\0"))

    def adopt(self, value: object, call: Call) -> StructValue:
        """The value as a StructValue: itself, or a new one made of its parts. Raises Mismatch."""
        if isinstance(value, StructValue):
            if not same_record(value._type, self.record):
                raise Mismatch(f"wants {declare(self.record)}, got {declare(value._type)}")
            return value
        made = allocate(self.record)
        if isinstance(value, ctypes.Structure | ctypes.Union) and ctypes.sizeof(value) == self.record.size:
            ctypes.memmove(made._address, bytes(value), self.record.size)
        else:
            self.fill(made._address, value, call)
        return made

    def fill(self, address: int, value: object, call: Call) -> None:
        """Writes the fields that a dict or a sequence gives. Raises Mismatch."""
        names = self.record.by_name
        if isinstance(value, dict):
            pairs = list(value.items())
        elif isinstance(value, tuple | list) and len(value) <= len(names):
            pairs = list(zip(names, value))
        else:
            raise Mismatch(f"wants {declare(self.record)}, got {shown(value)}")
        for name, part in pairs:
            if name not in names:
                raise Mismatch(f"{declare(self.record)} has no field {name!r}; it has {', '.join(names)}")
            store_member(names[name], address, part, call)

    def decode(self, raw: object, home: Home) -> object:
        """A StructValue with a copy of the carrier's bytes."""
        made = allocate(self.record)
        ctypes.memmove(made._address, bytes(raw), self.record.size or 0)  # type: ignore[call-overload]
        return made

    def load(self, address: int, home: Home) -> object:
        """A view of the record at `address`."""
        if self.record.size is None:
            raise refuse(self.record, "only its name is known")
        return StructValue(self.record, address, home)

    def store(self, address: int, value: object, call: Call) -> None:
        """Copies a struct there, or writes the fields that a dict or a sequence gives."""
        if isinstance(value, StructValue):
            call.keep.append(value)  # what its pointers point to is now pointed to from here, too
            ctypes.memmove(address, bytes(self.adopt(value, call)), self.record.size or 0)
        else:
            self.fill(address, value, call)
