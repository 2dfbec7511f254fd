"""Python values to Haskell closures, in two steps: everything is checked and copied first, then built.

The first step runs whatever Python code the values bring along (iterators, `__index__`), holds nothing of Haskell, and
raises SignatureError with both types before anything was evaluated. The second only allocates. Both work on many values
of one type at a time, column by column: a list of pairs is two columns, and no Python function runs once per element.
Lists and tuples are built whole: Haskell sees evaluated arguments.
"""

from __future__ import annotations

from rtlinker.haskell.handles import Handle, Just, Left, Right
from rtlinker.haskell.scalars import (
    FLOATS,
    INTEGERS,
    character_boxes,
    mismatch,
    prepare_floats,
    prepare_integers,
    prepare_large,
)
from rtlinker.haskell.texts import KINDS, prepare_texts
from rtlinker.haskell.types import Forall, Function, TypeCon, TypeVar, is_tuple, substitute, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from rtlinker.haskell.heap import Heap
    from rtlinker.haskell.types import Type

    Build: TypeAlias = Callable[[Heap], list[int]]

TUPLES = range(2, 8)
"""Sizes of tuples that are converted; larger ones stay handles."""


class Preparation:
    """One call's arguments: what type variables stand for is the same in all of them.

    `callback` makes what builds a Haskell function out of a Python one, and notes it in `called`.
    """

    def __init__(self, callback: Callable[[Type, Callable[..., object], Preparation], Build]) -> None:
        self.callback = callback
        self.bound: dict[str, Type] = {}
        self.called: list[int] = []

    def build(self, kind: Type, values: Sequence[object], place: str) -> Build:
        """What builds the values, once the heap is held. Raises SignatureError for one that does not fit."""
        if not values:
            return lambda heap: []
        if any(issubclass(each, Handle) for each in set(map(type, values))):
            return self._with_handles(kind, values, place)
        if type(kind) is TypeCon:
            found = self._constructed(kind, values, place)
            if found is not None:
                return found
        if _is_callable(kind) and all(callable(value) for value in values):
            parts = [self.callback(kind, value, self) for value in values]  # type: ignore[arg-type]
            return lambda heap: [part(heap)[0] for part in parts]
        why = "only a handle to such a value can be given" if type(kind) is not TypeVar else "its type is not known"
        raise mismatch(write(kind), values[0], place, "" if _is_callable(kind) else why)

    def _constructed(self, kind: TypeCon, values: Sequence[object], place: str) -> Build | None:
        """By the constructor's name; None for a type that Python has no values of."""
        name, arguments = kind.name, kind.arguments
        if name in KINDS:
            return prepare_texts(name, values, place)
        if name in INTEGERS:
            return prepare_integers(name, values, place)
        if name in FLOATS:
            return prepare_floats(name, values, place)
        if name in ("Integer", "Natural"):
            return prepare_large(name, values, place)
        if name == "[]" and arguments == (TypeCon("Char"),):
            return _strings(values, place)
        if name == "[]" and len(arguments) == 1:
            return self._lists(kind, values, place)
        if is_tuple(name) and len(arguments) in TUPLES:
            return self._tuples(kind, values, place)
        row = _OTHERS.get(name)
        return row(self, kind, values, place) if row else None

    def _with_handles(self, kind: Type, values: Sequence[object], place: str) -> Build:
        """Handles as they are, the others built."""
        held = {at: value for at, value in enumerate(values) if isinstance(value, Handle)}
        for value in held.values():
            if not value.stable or not unify(kind, value.type, self.bound):
                expected = substitute(kind, self.bound)
                reason = "" if value.stable else "the handle was closed"
                raise mismatch(write(expected), value, place, reason)
        others = self.build(kind, [value for value in values if not isinstance(value, Handle)], place)

        def build(heap: Heap) -> list[int]:
            rest = iter(others(heap))
            return [heap.kept(held[at].stable) if at in held else next(rest) for at in range(len(values))]

        return build

    def _lists(self, kind: TypeCon, values: Sequence[object], place: str) -> Build:
        """All elements of all lists at once, then the cells."""
        lists = [_listed(kind, value, place) for value in values]
        elements = self.build(kind.arguments[0], [each for one in lists for each in one], f"{place}, an element")
        lengths = [len(each) for each in lists]
        return lambda heap: _cells(heap, elements(heap), lengths)

    def _tuples(self, kind: TypeCon, values: Sequence[object], place: str) -> Build:
        """A column for each field."""
        size = len(kind.arguments)
        for value in values:
            if not isinstance(value, tuple) or len(value) != size:
                raise mismatch(write(kind), value, place)
        columns = [
            self.build(each, [value[at] for value in values], f"{place}, field {at + 1}")  # type: ignore[index]
            for at, each in enumerate(kind.arguments)
        ]

        def build(heap: Heap) -> list[int]:
            info = heap.constructor("ghc-prim", "GHC.Tuple", kind.name)
            return heap.objects(info, [column(heap) for column in columns], 1)

        return build

    def maybes(self, kind: TypeCon, values: Sequence[object], place: str) -> Build:
        """None is Nothing; anything else, and Just of anything, is Just."""
        inner = [value.value if type(value) is Just else value for value in values if value is not None]
        there = [value is not None for value in values]
        parts = self.build(kind.arguments[0], inner, place)

        def build(heap: Heap) -> list[int]:
            nothing = heap.closure("base", "GHC.Maybe", "Nothing") + 1
            boxed = heap.objects(heap.constructor("base", "GHC.Maybe", "Just"), [parts(heap)], 2)
            rest = iter(boxed)
            return [next(rest) if each else nothing for each in there]

        return build

    def eithers(self, kind: TypeCon, values: Sequence[object], place: str) -> Build:
        """Left and Right, by their classes."""
        for value in values:
            if not isinstance(value, (Left, Right)):
                raise mismatch(write(kind), value, place, "Left(...) or Right(...) is expected")
        is_left = [type(value) is Left for value in values]
        lefts = self.build(kind.arguments[0], [value.value for value in values if type(value) is Left], place)
        rights = self.build(kind.arguments[1], [value.value for value in values if type(value) is Right], place)

        def build(heap: Heap) -> list[int]:
            left = iter(heap.objects(heap.constructor("base", "Data.Either", "Left"), [lefts(heap)], 1))
            right = iter(heap.objects(heap.constructor("base", "Data.Either", "Right"), [rights(heap)], 2))
            return [next(left) if each else next(right) for each in is_left]

        return build

    def ratios(self, kind: TypeCon, values: Sequence[object], place: str) -> Build:
        """Fractions; their terms are coprime and the lower one positive, as Haskell's are."""
        for value in values:
            if isinstance(value, bool) or not hasattr(value, "numerator") or not hasattr(value, "denominator"):
                raise mismatch(write(kind), value, place)
        upper = self.build(kind.arguments[0], [value.numerator for value in values], place)  # type: ignore[attr-defined]
        lower = self.build(kind.arguments[0], [value.denominator for value in values], place)  # type: ignore[attr-defined]
        return lambda heap: heap.objects(heap.constructor("base", "GHC.Real", ":%"), [upper(heap), lower(heap)], 1)


def _booleans(_: Preparation, kind: TypeCon, values: Sequence[object], place: str) -> Build:
    for value in values:
        if not isinstance(value, bool):
            raise mismatch(kind.name, value, place)

    def build(heap: Heap) -> list[int]:
        false, true = (heap.closure("ghc-prim", "GHC.Types", name) for name in ("False", "True"))
        return [true + 2 if value else false + 1 for value in values]

    return build


def _units(_: Preparation, kind: TypeCon, values: Sequence[object], place: str) -> Build:
    for value in values:
        if value is not None and value != ():
            raise mismatch(kind.name, value, place)
    return lambda heap: [heap.closure("ghc-prim", "GHC.Tuple", "()") + 1] * len(values)


def _characters(_: Preparation, kind: TypeCon, values: Sequence[object], place: str) -> Build:
    for value in values:
        if not isinstance(value, str) or len(value) != 1:
            raise mismatch(kind.name, value, place)
    letters = [str(value) for value in values]

    def build(heap: Heap) -> list[int]:
        box = character_boxes(heap, letters)
        return [box[each] for each in letters]

    return build


_OTHERS: dict[str, Callable[[Preparation, TypeCon, Sequence[object], str], Build]] = {
    "Bool": _booleans,
    "()": _units,
    "Char": _characters,
    "Maybe": Preparation.maybes,
    "Either": Preparation.eithers,
    "Ratio": Preparation.ratios,
}


def _strings(values: Sequence[object], place: str) -> Build:
    """Strings, with one box for each character that occurs, however often it does."""
    for value in values:
        if not isinstance(value, str):
            raise mismatch("[Char]", value, place)
    texts = [str(value) for value in values]

    def build(heap: Heap) -> list[int]:
        box = character_boxes(heap, "".join(texts))
        return [heap.cons([box[each] for each in text]) for text in texts]

    return build


def _listed(kind: TypeCon, value: object, place: str) -> list[object]:
    """A Python sequence as a list; text, bytes, sets and mappings are none."""
    if isinstance(value, (str, bytes, bytearray, dict, set, frozenset)):
        raise mismatch(write(kind), value, place)
    if not hasattr(value, "__iter__") or not hasattr(value, "__len__"):
        raise mismatch(write(kind), value, place)
    return list(value)


def _cells(heap: Heap, elements: list[int], lengths: list[int]) -> list[int]:
    """A list for each length, of the elements in their order."""
    found = []
    start = 0
    for length in lengths:
        found.append(heap.cons(elements[start : start + length]))
        start += length
    return found


def _is_callable(kind: Type) -> bool:
    return type(kind) is Function or (type(kind) is TypeCon and kind.name == "IO" and len(kind.arguments) == 1)


def unify(expected: Type, given: Type, bound: dict[str, Type]) -> bool:
    """Whether a value of the given type may stand where the expected one does; notes what variables stand for."""
    if type(expected) is TypeVar and not expected.arguments:
        known = bound.setdefault(expected.name, given)
        return known == given
    if type(expected) is not type(given):
        return False
    if type(expected) is Function and type(given) is Function:
        return unify(expected.argument, given.argument, bound) and unify(expected.result, given.result, bound)
    if isinstance(expected, (TypeCon, TypeVar)) and isinstance(given, (TypeCon, TypeVar)):
        if expected.name != given.name or len(expected.arguments) != len(given.arguments):
            return False
        return all(unify(left, right, bound) for left, right in zip(expected.arguments, given.arguments))
    if type(expected) is Forall and type(given) is Forall:
        return expected == given
    return expected == given
