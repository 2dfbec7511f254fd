"""Python callables as definitions of symbols: code that the link can bind a name to."""

from __future__ import annotations

import ctypes

from rtlinker.bind.foreign import ForeignFunction
from rtlinker.errors import SignatureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.bind.ctype import FunctionType
    from rtlinker.elf.object import Object


def address_of_callable(value: object, prototype: str | None, name: str, kept: dict[object, object]) -> int | None:
    """The absolute address of code that calls `value`; None when nothing tells its C type.

    The code lives as long as `kept`, also when the name gets another meaning: images may be bound to it. A
    ctypes function and a rtlinker Function stand for what they point to.
    """
    if isinstance(value, ForeignFunction):
        address = ctypes.cast(value, ctypes.c_void_p).value  # type: ignore[arg-type]
        kept["symbol", name, address] = value
        return address
    address = getattr(value, "address", None)
    if isinstance(address, int) and prototype is None:
        kept["symbol", name, address] = value
        return address
    if prototype is None:
        return None
    from rtlinker.bind.prototype import parse_prototype

    return _thunk(parse_prototype(prototype), value, kept)


def address_by_declaration(value: object, name: str, objects: Sequence[Object], kept: dict[object, object]) -> int:
    """The same, with the type that the debug information of one of the objects declares for `name`.

    Raises SignatureError where there is none.
    """
    from rtlinker.dwarf.reader import read_declarations

    for object in objects:
        if name.encode() in object.symbols.strings:
            found = read_declarations(object.data, object.name).function(name)
            if found is not None:
                return _thunk(found, value, kept)
    raise SignatureError(
        f"no prototype for the callable given as {name[:30]!r}",
        name,
        "give one: symbols={name: (callable, 'int(int)')}, or define(name, callable, 'int(int)')",
    )


def _thunk(ctype: FunctionType, value: object, kept: dict[object, object]) -> int:
    from rtlinker.bind.callback import thunk

    made = thunk(ctype, value, kept)  # type: ignore[arg-type]
    address = ctypes.cast(made, ctypes.c_void_p).value
    assert address is not None
    return address
