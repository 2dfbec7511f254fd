"""Which words of some copied memory point into given spans: the one search that stacks and roots share.

All pointers into a stretch of 64 KiB share their bytes 2 to 5 (of 0 to 7; addresses end below 2**47). Where words
belong at multiples of 8, every eighth byte is picked out and looked up in a table of those that are meant, byte 2 and
byte 3 apart, at 3 GB/s however many stretches there are; only words of which both fit are looked at one by one. Words
at any byte are searched for by the shared bytes, at 2 GB/s for each stretch; spans that touch many stretches are then
looked for by fewer bytes, which find more that is not meant.
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

    __slots__ = ("_ends", "_patterns", "_starts", "_tables")

    def __init__(self, spans: Iterable[Span]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(span for span in spans if span[0] < span[1]):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)
        self._patterns: tuple[tuple[int, bytes], ...] | None = None
        self._tables: tuple[tuple[int, bytes], ...] | None = None

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
        return list(self._aligned(room, size)) if step == WORD else self._anywhere(room, size)

    def _aligned(self, room: Room, size: int) -> Iterator[tuple[int, int]]:
        """Words where words belong, by planes: one byte of each word, lowest word first."""
        if self._tables is None:
            self._tables = tuple(self._wanted_bytes())
        size -= size % WORD
        fitting = -1
        for level, table in self._tables:
            fitting &= int.from_bytes(room.bytes[level:size:WORD].translate(table), "little")
        if fitting <= 0:
            return
        marks = fitting.to_bytes(size // WORD, "little")
        at = marks.find(1)
        while at >= 0:
            value = room.words[at]
            if self.holds(value):
                yield at * WORD, value
            at = marks.find(1, at + 1)

    def _wanted_bytes(self) -> Iterator[tuple[int, bytes]]:
        """Which bytes of a word to look at, each with a table that has a 1 for the values that are meant."""
        keys = self._stretches()
        for level in (2, 3, 4, 5):
            wanted = {key >> 8 * (level - 2) & 0xFF for key in keys}
            yield level, bytes([number in wanted for number in range(256)])
            if level >= 3 and 0 not in wanted:
                return  # two bytes tell enough, unless all words of zero would fit

    def _stretches(self) -> set[int]:
        """Bytes 2 and up of the addresses in the spans."""
        return {key for start, end in self for key in range(start >> 16, (end - 1 >> 16) + 1)}

    def _anywhere(self, room: Room, size: int) -> list[tuple[int, int]]:
        """Words at any byte, by the bytes that pointers share."""
        if self._patterns is None:
            self._patterns = tuple([(level, _pattern(key, level)) for level, key in self._keys()])
        found: list[tuple[int, int]] = []
        data, words = room.bytes, room.words
        for level, pattern in self._patterns:
            at = data.find(pattern, level, size)
            while at >= 0:
                offset = at - level
                if offset + WORD <= size:
                    # not by a slice: that would leave the pointer in a place of the heap, to be found there later
                    value = words[offset // WORD] if not offset % WORD else _word_at(words, offset)
                    if self.holds(value):
                        found.append((offset, value))
                at = data.find(pattern, at + 1, size)
        return found

    def _keys(self) -> Iterator[tuple[int, int]]:
        """What to look for: from which byte of a pointer on, and the value of the bytes from there."""
        keys = self._stretches()
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
