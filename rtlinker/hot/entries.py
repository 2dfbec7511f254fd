"""The entries of a domain: one address for each function, for as long as the domain lives.

See `x86_64.entries` for the code. A page of entries is written whole before it becomes executable, so a page never
changes under a thread that runs in it. An entry that is taken for a name serves that name for good; only the link
that took it can give it back, when it fails, since nobody else has seen it by then.
"""

from __future__ import annotations

import ctypes

from rtlinker.host import dynamic, memory
from rtlinker.units import PAGE, align_up
from rtlinker.x86_64.entries import ENTRY_SIZE, entry_code, trap_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rtlinker.host.memory import Reservation
    from rtlinker.live.undo import UndoStack

IN_PAGE = PAGE // ENTRY_SIZE
POINTER_SIZE = 8
Table = ctypes.Array[ctypes.c_uint64]


class Entries:
    """Entries by number, and what a call through each reaches now.

    A module that needs low memory reaches a second entry of the same number in the low 2 GiB. Tables that were
    replaced are kept by whoever replaced them, since a thread may be between reading the word and the jump. `word`
    holds the address of `table`; both are stored without a call between, where an interrupt could come.
    """

    def __init__(self) -> None:
        self.word = ctypes.c_uint64()
        self._pages: tuple[dict[int, Reservation], dict[int, Reservation]] = {}, {}
        self._taken = 0
        self.nowhere = 0
        self._outgrown: list[Table] = []
        self.table: Table = self._new_table(IN_PAGE)

    def _new_table(self, size: int) -> Table:
        table = (ctypes.c_uint64 * size)()
        self.word.value = ctypes.addressof(table)
        return table

    def take(self, undo: UndoStack) -> int:
        """A number that nobody has; undoing gives it back, and the page with it if that was made for it."""
        number = self._taken
        undo.push(lambda: self._give_back(number))
        self._taken += 1
        if not self.nowhere:
            page, (self.nowhere,) = trap_page(["a function was called before any version of it was there"])
            undo.push(page.release)
            undo.push(self._forget_nowhere)
        if number >= len(self.table):
            self._grow()
        self.address(number, False)
        self.table[number] = self.nowhere
        return number

    def _forget_nowhere(self) -> None:
        self.nowhere = 0

    def _grow(self) -> None:
        """A table of twice the room; the old one stays: calls may be reading it, and there is one for each doubling."""
        old = self.table
        table = (ctypes.c_uint64 * (2 * len(old)))(*old)
        self._outgrown.append(old)
        self.word.value, self.table = ctypes.addressof(table), table

    def _give_back(self, number: int) -> None:
        self._taken = number
        for pages in self._pages:
            page = pages.pop(number // IN_PAGE, None) if number % IN_PAGE == 0 else None
            if page is not None:
                page.release()

    def address(self, number: int, low: bool) -> int:
        """The absolute address of an entry, in the low 2 GiB if `low`. Raises MemoryError where there is no room."""
        pages = self._pages[low]
        index = number // IN_PAGE
        page = pages.get(index)
        if page is None:
            page = self._make_page(index, low)
            pages[index] = page
        return page.address + number % IN_PAGE * ENTRY_SIZE

    def _make_page(self, index: int, low: bool) -> Reservation:
        page = memory.reserve(PAGE, PAGE, low)
        word = ctypes.addressof(self.word)
        numbers = range(index * IN_PAGE, (index + 1) * IN_PAGE)
        page.view[:] = b"".join([entry_code(word, number * POINTER_SIZE) for number in numbers])
        page.protect(0, PAGE, "r-x")
        return page

    def target(self, number: int) -> int:
        """The absolute address that a call through the entry reaches now, read from where the processor reads it."""
        place = self.word.value + number * POINTER_SIZE
        target: int = ctypes.c_uint64.from_address(place).value
        return target

    def preset(self, number: int, target: int) -> None:
        """Let an entry lead somewhere before the switch: for names that are new, which only their own code can call."""
        self.table[number] = target

    def changed(self, targets: Mapping[int, int]) -> Table:
        """A copy of the table in which entries lead to new targets; `Domain.switch` lets it take effect."""
        table = (ctypes.c_uint64 * len(self.table))(*self.table)
        for number, target in targets.items():
            table[number] = target
        return table


def trap_page(messages: Sequence[str]) -> tuple[Reservation, list[int]]:
    """Pages with code that says one of the messages on standard error and aborts; its absolute addresses, in order."""
    texts = [f"rtlinker: {message}\n".encode() for message in messages]
    abort = dynamic.find_symbol("abort") or 0
    step = align_up(len(trap_code(0, 0, 0)), 16)
    at = step * len(texts)
    page = memory.reserve(align_up(at + sum(map(len, texts)), PAGE), PAGE, low=False)
    for number, text in enumerate(texts):
        code = trap_code(page.address + at, len(text), abort)
        page.view[number * step : number * step + len(code)] = code
        page.view[at : at + len(text)] = text
        at += len(text)
    page.protect(0, page.size, "r-x")
    return page, [page.address + number * step for number in range(len(texts))]
