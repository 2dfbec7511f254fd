"""Numbers and characters: Python's to boxed Haskell values, many at a time, and back.

Every fixed-size number is a constructor with one unboxed word (in GHC 9.0 the small ones too, widened): Int is `I#
Int#`. An Integer is `IS Int#`, or `IP`/`IN` with the magnitude as a ByteArray# of 64-bit limbs, the lowest first; a
Natural is `NS Word#` or `NB`. The large forms hold only what does not fit the small one: ghc-bignum compares by
constructor.
"""

from __future__ import annotations

from array import array
from operator import index

from rtlinker.facts import Fact
from rtlinker.haskell.heap import check_constructors
from rtlinker.haskell.types import signature_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rtlinker.errors import SignatureError
    from rtlinker.haskell.heap import Heap


class Scalar(Fact):
    """A boxed type: where its constructor is, the letter of `array` for its value, its range."""

    package: str
    module: str
    constructor: str
    letter: str
    lowest: int = 0
    highest: int = 0

    @property
    def qualified(self) -> str:
        """The constructor's name as info tables have it."""
        return f"{self.module}.{self.constructor}"


def _integers() -> dict[str, Scalar]:
    found = {
        "Int": Scalar("ghc-prim", "GHC.Types", "I#", "q", -(1 << 63), (1 << 63) - 1),
        "Word": Scalar("ghc-prim", "GHC.Types", "W#", "Q", 0, (1 << 64) - 1),
    }
    for bits in (8, 16, 32, 64):
        found[f"Int{bits}"] = Scalar("base", "GHC.Int", f"I{bits}#", "q", -(1 << bits - 1), (1 << bits - 1) - 1)
        found[f"Word{bits}"] = Scalar("base", "GHC.Word", f"W{bits}#", "Q", 0, (1 << bits) - 1)
    return found


INTEGERS = _integers()
FLOATS = {
    "Double": Scalar("ghc-prim", "GHC.Types", "D#", "d"),
    "Float": Scalar("ghc-prim", "GHC.Types", "F#", "f"),
}
CHAR = Scalar("ghc-prim", "GHC.Types", "C#", "Q", 0, 0x10FFFF)

_SMALL, _POSITIVE, _NEGATIVE = (f"GHC.Num.Integer.{name}" for name in ("IS", "IP", "IN"))
_NATURAL, _LARGE_NATURAL = "GHC.Num.Natural.NS", "GHC.Num.Natural.NB"


def mismatch(kind: str, value: object, place: str, why: str = "") -> SignatureError:
    """A SignatureError that shows the Haskell type and what Python gave for it."""
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    rows = [("where", place), ("expected", kind), ("given", f"{type(value).__name__} {shown}"), ("reason", why)]
    error = signature_error("a value that does not fit its Haskell type", rows)
    error.prototype = kind
    return error


def whole_numbers(
    kind: str, values: Sequence[object], place: str, lowest: int | None, highest: int | None
) -> list[int]:
    """The values as plain integers in the range; a truth value is none."""
    if set(map(type, values)) != {int}:
        values = [_whole_number(kind, value, place) for value in values]
    found: list[int] = values  # type: ignore[assignment]
    if found and lowest is not None and min(found) < lowest:
        raise mismatch(kind, min(found), place, f"below {lowest:,}")
    if found and highest is not None and max(found) > highest:
        raise mismatch(kind, max(found), place, f"above {highest:,}")
    return found


def _whole_number(kind: str, value: object, place: str) -> int:
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        raise mismatch(kind, value, place)
    try:
        return index(value)  # type: ignore[arg-type]
    except TypeError:
        raise mismatch(kind, value, place) from None


def prepare_integers(kind: str, values: Sequence[object], place: str) -> Callable[[Heap], list[int]]:
    """What builds numbers of a fixed size, once the heap is held."""
    scalar = INTEGERS[kind]
    numbers = whole_numbers(kind, values, place, scalar.lowest, scalar.highest)
    words = array("Q", array(scalar.letter, numbers).tobytes())
    return lambda heap: boxes(heap, scalar, words)


def prepare_floats(kind: str, values: Sequence[object], place: str) -> Callable[[Heap], list[int]]:
    """What builds Doubles or Floats; whole numbers are taken as well, as everywhere in Python."""
    scalar = FLOATS[kind]
    for value in values:
        is_number = hasattr(type(value), "__float__") or hasattr(type(value), "__index__")
        if isinstance(value, bool) or not is_number:
            raise mismatch(kind, value, place)
    try:
        numbers = array(scalar.letter, map(float, values))  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        raise mismatch(kind, values[0], place) from None
    # a Float has the lower half of its word
    words = array("Q", array("I", numbers.tobytes()) if kind == "Float" else numbers.tobytes())
    return lambda heap: boxes(heap, scalar, words)


def boxes(heap: Heap, scalar: Scalar, words: Sequence[int]) -> list[int]:
    """A boxed closure for each word."""
    return (
        heap.objects(heap.constructor(scalar.package, scalar.module, scalar.constructor), [words], 1) if words else []
    )


def read_scalars(heap: Heap, kind: str, places: Sequence[int]) -> list[object]:
    """The numbers in boxes."""
    scalar = INTEGERS.get(kind) or FLOATS[kind]
    check_constructors(heap, places, (scalar.qualified,), kind)
    words = array("Q", heap.fields(places, 0))
    if kind == "Float":
        return list(array("f", array("I", words.tobytes())[::2].tobytes()))
    return list(array(scalar.letter, words.tobytes()))


def read_characters(heap: Heap, places: Sequence[int]) -> str:
    """The characters in boxes, as one text."""
    check_constructors(heap, places, (CHAR.qualified,), "Char")
    return "".join(map(chr, heap.fields(places, 0)))


def character_boxes(heap: Heap, text: Iterable[str]) -> dict[str, int]:
    """A box for each character that occurs."""
    letters = sorted(set(text))
    return dict(zip(letters, boxes(heap, CHAR, [ord(each) for each in letters])))


def prepare_large(kind: str, values: Sequence[object], place: str) -> Callable[[Heap], list[int]]:
    """What builds Integers or Naturals of any size."""
    numbers = whole_numbers(kind, values, place, None if kind == "Integer" else 0, None)

    def build(heap: Heap) -> list[int]:
        if kind == "Integer":
            scalar = Scalar("ghc-bignum", "GHC.Num.Integer", "IS", "q", -(1 << 63), (1 << 63) - 1)
        else:
            scalar = Scalar("ghc-bignum", "GHC.Num.Natural", "NS", "Q", 0, (1 << 64) - 1)
        small = [each for each in numbers if scalar.lowest <= each <= scalar.highest]
        boxed = boxes(heap, scalar, array("Q", array(scalar.letter, small).tobytes()))
        if len(small) == len(numbers):
            return boxed
        rest = iter(boxed)
        return [next(rest) if scalar.lowest <= each <= scalar.highest else _large(heap, kind, each) for each in numbers]

    return build


def _large(heap: Heap, kind: str, number: int) -> int:
    """One number that needs limbs."""
    limbs = (number.bit_length() + 63) // 64  # of the magnitude, whichever the sign
    content = heap.byte_array(abs(number).to_bytes(8 * limbs, "little"))
    if kind == "Natural":
        return heap.objects(heap.constructor("ghc-bignum", "GHC.Num.Natural", "NB"), [[content]], 2)[0]
    name, tag = ("IP", 2) if number > 0 else ("IN", 3)
    return heap.objects(heap.constructor("ghc-bignum", "GHC.Num.Integer", name), [[content]], tag)[0]


def read_large(heap: Heap, kind: str, places: Sequence[int]) -> list[int]:
    """Integers or Naturals of any size."""
    names = (_SMALL, _POSITIVE, _NEGATIVE) if kind == "Integer" else (_NATURAL, _LARGE_NATURAL)
    found = check_constructors(heap, places, names, kind)
    words = heap.fields(places, 0)
    numbers = []
    for info, word in zip(heap.infos(places), words):
        name = found[info]
        if name in (_SMALL, _NATURAL):
            number = word - (1 << 64) if name == _SMALL and word >> 63 else word
        else:
            magnitude = int.from_bytes(heap.bytes_at(word, 0, heap.size_of(word)), "little")
            number = -magnitude if name == _NEGATIVE else magnitude
        numbers.append(number)
    return numbers
