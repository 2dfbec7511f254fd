"""`Function` and `Data`: what a Python programmer holds of a loaded library."""

from __future__ import annotations

from rtlinker.bind.ctype import (
    DOUBLE,
    LONG,
    STRING,
    UNSIGNED_LONG,
    Array,
    CType,
    FunctionType,
    Parameter,
    declare,
    is_const,
    plain,
    size_of,
)
from rtlinker.bind.fast import fastest
from rtlinker.bind.home import Home, Mismatch
from rtlinker.bind.plan import Plan
from rtlinker.errors import LinkError, SignatureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rtlinker.bind.arrays import ArrayValue
    from rtlinker.bind.home import Owner


def _plain_name(symbol: str) -> str:
    from rtlinker.live.mangled import plain_name

    return plain_name(symbol)


class Function:
    """A C function: `add(2, 3)`, also by the parameters' names; its docstring is its C declaration.

    `address` is absolute, `prototype` the C text, `ctype` the type as a fact. Wrong arguments raise SignatureError (a
    TypeError), values that cannot be passed right UnsupportedError, a call after unload LinkError. An exception of a
    Python callback is raised when C has returned. Calls release the GIL.
    """

    def __init__(self, address: int, type: FunctionType, name: str = "", owner: Owner | None = None) -> None:
        self.address = address
        self.ctype = type
        self.owner = owner
        self.__name__ = self.__qualname__ = name
        self.__doc__ = declare(type, name if name[:2] != "_Z" else _plain_name(name))
        # asked of the type: a library looks unknown attributes up among the symbols of its objects
        self._running: list[object] = getattr(owner, "calls", []) if hasattr(owner.__class__, "calls") else []
        self._call: Callable[[tuple[object, ...]], object] | None = None

    def __call__(self, *arguments: object, **named: object) -> object:
        """Call the function."""
        running = self._running
        running.append(self)  # before `closed` is asked: who unloads sets it, and then looks here
        try:
            if self.owner is not None and self.owner.closed:
                raise self._unloaded()
            if named:
                arguments = self._positional(arguments, named)
            return (self._call or self._prepare())(arguments)
        finally:
            running.remove(self)

    def _unloaded(self) -> LinkError:
        hint = "load it again, and look the name up in the new library"
        return LinkError("library was unloaded", [("function", self.prototype)], hint)

    @property
    def prototype(self) -> str:
        """The C declaration, `int add(int a, int b)`."""
        return declare(self.ctype, self.__name__)

    def _prepare(self) -> Callable[[tuple[object, ...]], object]:
        self._call = fastest(Plan(self.address, self.ctype, self.__name__, self.owner))
        return self._call

    def _positional(self, arguments: tuple[object, ...], named: dict[str, object]) -> tuple[object, ...]:
        found = list(arguments)
        for parameter in self.ctype.parameters[len(arguments) :]:
            if parameter.name not in named:
                break
            found.append(named.pop(parameter.name))
        if named:
            names = {parameter.name for parameter in self.ctype.parameters}
            name = next(iter(named))
            reason = "does not fit its place" if name in names else "is no parameter"
            raise SignatureError(f"argument {name!r} {reason}"[-72:], self.prototype)
        return tuple(found)

    def __repr__(self) -> str:
        return f"<function {self.__doc__} at {self.address:#x}>"


class Data:
    """A C variable: `data.value` reads and writes it in place; its docstring is its C declaration.

    Structs and arrays are views: `data.value.x = 1`, `data[3] = 7`. `address` is absolute, `size` in bytes (None where
    unknown), `type` the C text, `ctype` the type as a fact. Values that do not fit raise SignatureError, as do writes
    to const data; reading after unload raises LinkError. A thread-local variable is the calling thread's own.
    """

    def __init__(
        self, address: int | Callable[[], int], type: CType, name: str = "", owner: Owner | None = None
    ) -> None:
        self._place = address
        self.ctype = type
        self.owner = owner
        self.__name__ = name
        self.type = declare(type)
        self.__doc__ = declare(type, name if name[:2] != "_Z" else _plain_name(name))
        self._home = Home(owner, writable=not is_const(type))

    @property
    def address(self) -> int:
        """The absolute address, now and in this thread."""
        return self._place() if callable(self._place) else self._place

    @property
    def size(self) -> int | None:
        """Bytes."""
        return size_of(self.ctype)

    @property
    def value(self) -> object:
        """The value now, as a call would return it; structs and arrays as views."""
        self._home.check()
        try:
            return self.ctype.codec.load(self.address, self._home)
        except Mismatch as error:
            raise SignatureError("value cannot be read", self.__doc__ or "", str(error)) from None

    @value.setter
    def value(self, value: object) -> None:
        from rtlinker.bind.records import Assignment

        self._home.check()
        with Assignment(self.ctype, self.__name__, self._home, self.address) as call:
            self.ctype.codec.store(self.address, value, call)

    def _elements(self) -> ArrayValue:
        from rtlinker.bind.arrays import ArrayValue

        real = plain(self.ctype)
        if not isinstance(real, Array):
            raise SignatureError("not an array", self.__doc__ or "")
        return ArrayValue(real, self.address, self._home)

    def __getitem__(self, index: int | slice) -> object:
        return self._elements()[index]

    def __setitem__(self, index: int | slice, value: object) -> None:
        self._elements()[index] = value

    def __len__(self) -> int:
        return len(self._elements())

    def __iter__(self) -> Iterator[object]:
        return iter(self._elements())

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<{self.__doc__} at {self.address:#x}>"


def untyped(arguments: Sequence[object]) -> FunctionType:
    """The type assumed of a function that nothing describes, called so: 64-bit integers, doubles, C strings; `long`."""
    types: list[CType] = []
    for value in arguments:
        if isinstance(value, float):
            types.append(DOUBLE)
        elif isinstance(value, int):
            types.append(LONG if value < 1 << 63 else UNSIGNED_LONG)
        else:
            types.append(STRING)
    return FunctionType(LONG, tuple(Parameter(None, ctype) for ctype in types))
