"""Which words of some copied memory point into given spans: the one search that stacks and roots share.

All pointers into a stretch of 64 KiB share their bytes 2 to 5 (of 0 to 7; addresses end below 2**47), so the search is
for those bytes, by `bytearray.find`, at 2 GB/s; only what it finds is looked at word by word. Spans that touch many
such stretches are looked for by fewer bytes, which find more that is not meant.
"""

from __future__ import annotations

from bisect import bisect_right

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rtlinker.host.own_memory import Room

Span = tuple[int, int]
"""Two absolute addresses: where something starts, and where it ends."""

WORD = 8
MOST_PATTERNS = 6
"""More than so many stretches are looked for by fewer bytes: each is a search of its own."""


class Spans:
    """Pieces of memory, in any order; what overlaps or touches counts as one."""

    __slots__ = ("_ends", "_patterns", "_starts")

    def __init__(self, spans: Iterable[Span]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(span for span in spans if span[0] < span[1]):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)
        self._patterns = tuple([(level, _pattern(key, level)) for level, key in self._keys()])

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __iter__(self) -> Iterator[Span]:
        return zip(self._starts, self._ends)

    def holds(self, address: int) -> bool:
        """Whether an absolute address lies in one of them."""
        before = bisect_right(self._starts, address)
        return before > 0 and address < self._ends[before - 1]

    def without(self, start: int, end: int) -> Iterator[Span]:
        """What of a piece of memory lies in none of them, lowest first."""
        at = bisect_right(self._ends, start)
        while start < end:
            if at == len(self._starts) or self._starts[at] >= end:
                yield start, end
                return
            if start < self._starts[at]:
                yield start, self._starts[at]
            start = self._ends[at]
            at += 1

    def find(self, room: Room, size: int, step: int = WORD) -> list[tuple[int, int]]:
        """Offset and value of each of the words in the first `size` bytes of a room that points into one of them.

        They are in no order. `step` is 8 for words where words belong, 1 for words at any byte.
        """
        found: list[tuple[int, int]] = []
        data, words = room.bytes, room.words
        for level, pattern in self._patterns:
            at = data.find(pattern, level, size)
            while at >= 0:
                offset = at - level
                if not offset % step and offset + WORD <= size:
                    # not by a slice: that would leave the pointer in a place of the heap, to be found there later
                    value = words[offset // WORD] if not offset % WORD else _word_at(words, offset)
                    if self.holds(value):
                        found.append((offset, value))
                at = data.find(pattern, at + 1, size)
        return found

    def _keys(self) -> Iterator[tuple[int, int]]:
        """What to look for: from which byte of a pointer on, and the value of the bytes from there."""
        keys = {key for start, end in self for key in range(start >> 16, (end - 1 >> 16) + 1)}
        for level in (2, 3):
            if len(keys) <= MOST_PATTERNS or 0 in {key >> 8 for key in keys}:
                return iter([(level, key) for key in keys])
            keys = {key >> 8 for key in keys}
        return iter([(4, key) for key in keys])


def _pattern(key: int, level: int) -> bytes:
    """The bytes of a pointer that a key stands for, without zeros at the end, which memory is full of."""
    return key.to_bytes(WORD - level, "little").rstrip(b"\0") or b"\0"


def _word_at(words: memoryview, offset: int) -> int:
    """A word that lies across two."""
    first, shift = offset // WORD, offset % WORD * 8
    both = words[first] | words[first + 1] << 64
    return both >> shift & ((1 << 64) - 1)
