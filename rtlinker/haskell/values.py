"""Calls with Python values: arguments built, the function applied, its result forced as far as Python needs it, read.

**Laziness.** Arguments are evaluated values. A result is forced to the depth of its type: all of a list, both parts
of a pair, nothing of what stays a handle. Forcing goes round by round: one walk over the value collects every thunk
that is in the way, one evaluation forces them all (a list's cells and elements together, by `foldl'` of base), and
the walk begins again, because the collector may have moved everything. The rounds are as many as the type is deep,
not as the value is long, and no round needs stack in proportion to a list's length. A list of numbers or characters
is quicker still: base writes it into plain memory (`haskell.flat`). Infinite lists: a result of more than `limit`
elements is refused with a LinkError; `iterate` gives the elements of any list one after the other, and forces no more
than it gives.

**Lifetimes.** An address is used only between two evaluations (see `haskell.heap`). The result is kept by a stable
pointer while it is read; handles keep one each.
"""

from __future__ import annotations

from rtlinker.errors import LinkError
from rtlinker.haskell.callbacks import Callbacks
from rtlinker.haskell.flat import forcing, is_flat, read_flat, taking
from rtlinker.haskell.handles import Handle, HaskellFunction
from rtlinker.haskell.heap import Heap
from rtlinker.haskell.prepare import Preparation
from rtlinker.haskell.reading import Reading
from rtlinker.haskell.texts import packages_of
from rtlinker.haskell.types import Forall, TypeCon, arguments_of, signature_error, substitute, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from rtlinker.haskell.host import Machine
    from rtlinker.haskell.types import Type

FIRST_PIECE = 1 << 17
"""How many cells of a list are forced in the first evaluation; eight times as many in each further one."""


class Values:
    """Python values to Haskell's and back, over one runtime.

    `limit` is the greatest length of a list, in elements, that is read as a whole.
    """

    def __init__(self, machine: Machine, limit: int = 4_000_000) -> None:
        self.heap = Heap(machine)
        self.limit = limit
        self.callbacks = Callbacks(self)
        self.written: list[object] = []
        """Memory that a thread of Haskell may still write to, although nobody waits for it."""

    def handle(self, closure: int, kind: Type) -> Handle:
        """A handle to a static closure of that type: a function to be called, an action to be run, a value.

        The type must have its synonyms expanded (`haskell.seeing.represented`).
        """
        for package in packages_of(kind):
            self.heap.machine.require(package)
        with self.heap:
            return self.wrap(kind, closure)

    def wrap(self, kind: Type, pointer: int) -> Handle:
        """A handle to a closure of the held heap."""
        made = HaskellFunction if is_action(kind) or arguments_of(_inside(kind))[0] else Handle
        return made(self, kind, self.heap.keep(pointer))

    def call(self, function: Handle, kind: Type, arguments: Sequence[object]) -> Any:
        """What a function gives for the arguments, run when it is an IO action, as a Python value.

        Raises SignatureError, before anything runs, when number or types do not fit; what the machine raises for a
        Haskell exception; and the exception of a Python callback that Haskell did not catch.
        """
        kind = _inside(kind)
        taken, result = arguments_of(kind)
        if len(arguments) != len(taken):
            given = f"{len(arguments)} argument{'s' * (len(arguments) != 1)}"
            raise signature_error("a wrong number of arguments", [("type", write(kind)), ("given", given)])
        preparation = Preparation(self.callbacks.build)
        parts = [
            preparation.build(each, [value], f"argument {at}")
            for at, (each, value) in enumerate(zip(taken, arguments), 1)
        ]
        result = substitute(result, preparation.bound)
        with self.heap as heap:
            self.callbacks.prepare(heap, preparation)
            built = [part(heap)[0] for part in parts]
            action = is_action(result)
            applied = heap.apply(heap.kept(function.stable), *built)
            self.callbacks.built(heap, preparation)
            pointer = self.run(applied, action)
            if action:
                assert isinstance(result, TypeCon)
                result = result.arguments[0]
            return self.fetch(pointer, result)

    def value(self, handle: Handle) -> Any:
        """The value of a handle, forced and read as its type says."""
        with self.heap as heap:
            return self.fetch(heap.kept(handle.stable), handle.type)

    def run(self, closure: int, io: bool) -> int:
        """The closure evaluated, with Python's callbacks served meanwhile; every other address is wrong afterwards."""
        if self.callbacks.alive:
            return self.callbacks.run(closure, io)
        return self.heap.evaluate(closure, io)

    def fetch(self, pointer: int, kind: Type) -> Any:
        """The value at a pointer of the held heap, forced and read."""
        heap = self.heap
        root = heap.keep(pointer)
        piece = FIRST_PIECE
        try:
            if is_flat(kind):
                return read_flat(self, kind, root)
            while True:
                reading = Reading(self, piece)
                found = reading.read(kind, [heap.kept(root)])
                if not reading.pending:
                    return found[0]
                self._force(reading.pending, piece)
                piece = min(8 * piece, self.limit + 1)
        finally:
            heap.drop(root)

    def _force(self, pending: Sequence[tuple[int, bool]], piece: int) -> None:
        """Evaluate thunks, all in one go; of those that are lists, the first cells and their elements."""
        heap = self.heap
        force, take = forcing(heap), taking(heap, piece)
        things = [heap.apply(force, heap.apply(take, at)) if is_list else at for at, is_list in pending]
        self.run(heap.apply(force, heap.cons(things)), io=False)

    def too_long(self, kind: Type) -> LinkError:
        """The error for a list that is longer than `limit`."""
        rows = [("type", write(kind)), ("limit", f"{self.limit:,} elements")]
        return LinkError(
            "a list that is infinite, or too long to read", rows, "take n of it, or iterate over its handle"
        )

    def iterate(self, handle: Handle) -> Iterator[Any]:
        """The elements of a list, each forced when it is asked for: infinite lists are welcome. The handle stays."""
        kind = _inside(handle.type)
        if not (type(kind) is TypeCon and kind.name == "[]" and len(kind.arguments) == 1):
            raise signature_error("not a list", [("type", write(kind))])
        with self.heap as heap:
            rest = Handle(self, kind, heap.keep(heap.kept(handle.stable)))
        return self._elements(rest, kind)

    def _elements(self, rest: Handle, kind: TypeCon) -> Iterator[Any]:
        while True:
            with self.heap as heap:
                at = heap.settled(self.run(heap.kept(rest.stable), io=False))
                if heap.table(heap.word(at)).name != "GHC.Types.:":
                    return
                following = Handle(self, kind, heap.keep(heap.field(at, 1)))
                rest.close()
                rest = following
                element = self.fetch(heap.field(at, 0), kind.arguments[0])
            yield element


def is_action(kind: Type) -> bool:
    """Whether a type is `IO a`."""
    return type(kind) is TypeCon and kind.name == "IO" and len(kind.arguments) == 1


def _inside(kind: Type) -> Type:
    """A type without its foralls."""
    while isinstance(kind, Forall):
        kind = kind.body
    return kind
