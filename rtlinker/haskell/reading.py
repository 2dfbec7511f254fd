"""Haskell closures to Python values: one walk over an evaluated value, column by column.

A walk evaluates nothing. What it finds unevaluated it notes in `pending`, together with whether it is a list's rest,
and goes on elsewhere; the values of such a walk mean nothing, and it is made again after those thunks were forced.
"""

from __future__ import annotations

from rtlinker.haskell.handles import Just, Left, Right
from rtlinker.haskell.heap import check_constructors
from rtlinker.haskell.prepare import TUPLES
from rtlinker.haskell.scalars import FLOATS, INTEGERS, read_characters, read_large, read_scalars
from rtlinker.haskell.texts import KINDS, is_lazy, read_lazy, read_strict
from rtlinker.haskell.types import TypeCon, is_tuple, signature_error, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from rtlinker.haskell.types import Type
    from rtlinker.haskell.values import Values

_READ = {"Bool", "()", "Char", "Maybe", "Either", "Ratio", "Integer", "Natural", "[]", *KINDS, *INTEGERS, *FLOATS}
"""Constructors with a Python value; everything else, and functions, becomes a handle."""


class Reading:
    """One walk. `pending` holds (pointer, whether it is a list) of what is not evaluated."""

    def __init__(self, values: Values, piece: int) -> None:
        self.values = values
        self.heap = values.heap
        self.piece = piece
        self.pending: list[tuple[int, bool]] = []

    def read(self, kind: Type, pointers: Sequence[int]) -> list[Any]:
        """The values that the pointers lead to; without meaning while something is pending."""
        if type(kind) is TypeCon:
            is_tupled = is_tuple(kind.name) and len(kind.arguments) in TUPLES
            if is_tupled or kind.name in _READ:
                return self._constructed(kind, pointers)
        if self.pending:
            return [None] * len(pointers)
        return [self.values.wrap(kind, pointer) for pointer in pointers]

    def _constructed(self, kind: TypeCon, pointers: Sequence[int]) -> list[Any]:
        if not pointers:
            return []
        if kind.name == "[]":
            return self._lists(kind, pointers)
        if is_lazy(kind.name):
            found, thunks = read_lazy(self.heap, kind.name, pointers)
            self.pending += [(thunk, False) for thunk in thunks]
            return found
        places = self._settle(pointers)
        if not places:
            return [None] * len(pointers)
        if kind.name in INTEGERS or kind.name in FLOATS:
            return read_scalars(self.heap, kind.name, places)
        if kind.name in ("Integer", "Natural"):
            return read_large(self.heap, kind.name, places)
        if kind.name in KINDS:
            return read_strict(self.heap, kind.name, places)
        if kind.name == "Char":
            return list(read_characters(self.heap, places))
        return self._fielded(kind, places)

    def _settle(self, pointers: Sequence[int]) -> list[int]:
        """The places of evaluated closures; none of them while one is not evaluated."""
        settled = self.heap.settled
        places = [pointer & -8 if pointer & 7 else settled(pointer) for pointer in pointers]
        if 0 in places:
            self.pending += [(pointer, False) for pointer, place in zip(pointers, places) if not place]
            return []
        return places

    def _fielded(self, kind: TypeCon, places: Sequence[int]) -> list[Any]:
        """Tuples, Maybe, Either, Ratio, Bool and the unit."""
        heap, name = self.heap, kind.name
        if name == "Bool":
            found = check_constructors(heap, places, ("GHC.Types.False", "GHC.Types.True"), name)
            return [found[info] == "GHC.Types.True" for info in heap.infos(places)]
        if name == "()":
            check_constructors(heap, places, ("GHC.Tuple.()",), name)
            return [None] * len(places)
        if name == "Maybe":
            return self._maybes(kind, places)
        if name == "Either":
            return self._eithers(kind, places)
        if name == "Ratio":
            return self._ratios(kind, places)
        check_constructors(heap, places, (f"GHC.Tuple.{name}",), write(kind))
        columns = [self.read(each, heap.fields(places, at)) for at, each in enumerate(kind.arguments)]
        return list(zip(*columns))

    def _maybes(self, kind: TypeCon, places: Sequence[int]) -> list[Any]:
        heap = self.heap
        found = check_constructors(heap, places, ("GHC.Maybe.Nothing", "GHC.Maybe.Just"), write(kind))
        there = [found[info] == "GHC.Maybe.Just" for info in heap.infos(places)]
        fields = heap.fields([place for place, each in zip(places, there) if each], 0)
        inner = iter(self.read(kind.arguments[0], fields))
        return [(_just(next(inner)) if each else None) for each in there]

    def _eithers(self, kind: TypeCon, places: Sequence[int]) -> list[Any]:
        heap = self.heap
        found = check_constructors(heap, places, ("Data.Either.Left", "Data.Either.Right"), write(kind))
        is_left = [found[info] == "Data.Either.Left" for info in heap.infos(places)]
        fields = heap.fields(places, 0)
        left = iter(self.read(kind.arguments[0], [at for at, each in zip(fields, is_left) if each]))
        right = iter(self.read(kind.arguments[1], [at for at, each in zip(fields, is_left) if not each]))
        return [Left(next(left)) if each else Right(next(right)) for each in is_left]

    def _ratios(self, kind: TypeCon, places: Sequence[int]) -> list[Any]:
        from fractions import Fraction

        check_constructors(self.heap, places, ("GHC.Real.:%",), write(kind))
        upper = self.read(kind.arguments[0], self.heap.fields(places, 0))
        lower = self.read(kind.arguments[0], self.heap.fields(places, 1))
        return [None] * len(places) if self.pending else [Fraction(*each) for each in zip(upper, lower)]

    def _lists(self, kind: TypeCon, pointers: Sequence[int]) -> list[Any]:
        """All elements of all lists at once, then cut by length."""
        heads: list[int] = []
        ends = []
        for pointer in pointers:
            thunk = self._walk(kind, pointer, heads)
            if thunk:
                self.pending.append((thunk, True))
            ends.append(len(heads))
        element = kind.arguments[0]
        if self.pending and len(ends) == 1:
            return [None]
        if element == TypeCon("Char"):
            places = self._settle(heads) if heads else []
            letters: Any = read_characters(self.heap, places) if places else ""
        else:
            letters = self.read(element, heads)
        return [letters[start:end] for start, end in zip([0, *ends], ends)]

    def _walk(self, kind: TypeCon, pointer: int, heads: list[int]) -> int:
        """Append the heads of a list's cells; the pointer to its rest where that is not evaluated, else 0."""
        heap = self.heap
        views = heap.views
        cell = heap.constructor("ghc-prim", "GHC.Types", ":")
        head, rest = heap.header, heap.header + 1
        longest = len(heads) + self.values.limit
        number, view = -1, heap.views[0]
        while True:
            at = pointer & -8 if pointer & 7 else heap.settled(pointer)
            if not at:
                return pointer
            if at >> 20 != number:
                number = at >> 20
                view = views[number]
            index = at >> 3 & 0x1FFFF
            if view[index] != cell:
                name = heap.table(view[index]).name
                if name == "GHC.Types.[]":
                    return 0
                rows = [("signature", write(kind)), ("found", name or "no list")]
                raise signature_error("the value is not of the signature's type", rows)
            if index < 0x20000 - rest:
                heads.append(view[index + head])
                pointer = view[index + rest]
            else:  # a cell in a library's data may lie across the border of a megabyte
                heads.append(heap.field(at, 0))
                pointer = heap.field(at, 1)
            if len(heads) > longest:
                raise self.values.too_long(kind)


def _just(value: Any) -> Any:
    """What stands in a Just; wrapped only where it would be taken for Nothing, or for a Just that was wrapped."""
    return Just(value) if value is None or type(value) is Just else value
