"""What Haskell values are in Python where Python has nothing of the kind: Just, Left, Right, and handles."""

from __future__ import annotations

from rtlinker.facts import Fact
from rtlinker.haskell.types import arguments_of, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rtlinker.haskell.types import Type
    from rtlinker.haskell.values import Values


class Just(Fact):
    """`Just value`, where the value alone would be taken for Nothing: of `Maybe (Maybe a)` and `Maybe ()`."""

    value: Any


class Left(Fact):
    """`Left value` of an Either."""

    value: Any


class Right(Fact):
    """`Right value` of an Either."""

    value: Any


class Handle:
    """A Haskell value that stays in Haskell; it can be passed back where its type fits.

    The value lives as long as the handle. `type` is its Haskell type.
    """

    __slots__ = ("__weakref__", "_values", "stable", "type")

    def __init__(self, values: Values, type: Type, stable: int) -> None:
        self._values = values
        self.type = type
        self.stable = stable

    def close(self) -> None:
        """Let the value go now; the handle is of no use afterwards. A second time does nothing."""
        stable, self.stable = self.stable, 0
        if stable:
            self._values.heap.drop(stable)

    def __del__(self) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Haskell value of type {write(self.type)}>"


class HaskellFunction(Handle):
    """A Haskell function or IO action that is called with Python values; see `Values.call`.

    Calling it evaluates the result, runs it when it is an IO action, and gives it as a Python value. Raises
    SignatureError, before anything runs, for arguments that do not fit.
    """

    __slots__ = ()

    def __call__(self, *arguments: object) -> Any:
        """What it gives for the arguments, as a Python value."""
        return self._values.call(self, self.type, arguments)

    @property
    def arity(self) -> int:
        """How many arguments it takes."""
        return len(arguments_of(self.type)[0])
