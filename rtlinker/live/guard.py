"""Guards in this process: a thunk for every ctypes function that calls native code (see `x86_64.guard`).

Blocks of memory are made as they are needed and never given back, since a call may run in them at any time; thunks
are used again when their ctypes function has gone. One block holds 65,000 thunks, and takes pages as they fill.
"""

from __future__ import annotations

import ctypes

from rtlinker.host import memory
from rtlinker.host.one_step import act, add
from rtlinker.live import frames
from rtlinker.units import PAGE
from rtlinker.x86_64.guard import (
    BLOCK_SIZE,
    CODE,
    FIRST_THUNK,
    ROUTINES,
    SPAN,
    TABLES,
    THUNK_SIZE,
    WORDS,
    stack_room,
    thunk_code,
    unwind_tables,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.host.one_step import Push
    from rtlinker.live.frames import Jump

_free: list[int] = []
"""The addresses of thunks that nobody uses."""

_blocks: list[Block] = []
"""Every block, the one that grows last."""


class Thunk(int):
    """The address of a thunk in use; it is free again when this object goes."""

    __slots__ = ()

    def __del__(self, release: Callable[[int], None] = _free.append) -> None:
        release(int(self))  # a default value, since a module's names are gone before its last objects


def protect(jump: Jump, words: int) -> None:
    """Lead a ctypes function through a guard; it may keep up to `words` words of arguments on the stack.

    The ctypes function keeps its thunk. What it points to is a word of memory that ctypes reads at every call.
    Nothing happens to one that has its guard.
    """
    pointer = ctypes.c_uint64.from_address(ctypes.addressof(jump))  # type: ignore[arg-type]
    known: Thunk | None = getattr(jump, "thunk", None)
    if known is not None and known == pointer.value:
        return
    thunk = _take()
    data = (ctypes.c_uint64 * 2).from_address(thunk + SPAN)
    data[0], data[1] = pointer.value, stack_room(words)
    jump.thunk = thunk  # type: ignore[attr-defined]
    pointer.value = int(thunk)


def _take() -> Thunk:
    while True:
        try:
            return next(map(Thunk, map(_free.pop, (-1,))))
        except IndexError:
            with frames.LOCK:
                if not _free:
                    _grow()


def _grow() -> None:
    """Make the next page of thunks free to use, in a new block when the last one is full."""
    if not _blocks or _blocks[-1].end == CODE + SPAN:
        add(_blocks, Block)
    _free.extend(_blocks[-1].next_page())


class Block:
    """One block of memory; `end` is the offset behind the pages of thunks that are made."""

    __slots__ = ("callback", "end", "reservation")

    def __init__(self, push: Push) -> None:
        from rtlinker.live.thrown import landed

        unwinder = frames.find_unwinder(needed=True)
        assert unwinder is not None, "guards are made when there is an unwinder"
        self.callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(landed)
        self.reservation = memory.Reservation(BLOCK_SIZE, PAGE)
        push(self.reservation.release)
        self.reservation.take(low=False)
        view, words = self.reservation.view, (unwinder["_Unwind_SetGR"], unwinder["_Unwind_SetIP"], self.callback)
        for number, function in enumerate(words):
            address = ctypes.cast(function, ctypes.c_void_p).value or 0
            view[WORDS + 8 * number : WORDS + 8 * number + 8] = address.to_bytes(8, "little")
        tables = unwind_tables()
        view[TABLES : TABLES + len(tables)] = tables
        view[CODE : CODE + len(ROUTINES)] = ROUTINES
        self.reservation.protect(0, CODE, "r--")
        self.end = CODE
        start = ctypes.c_void_p(self.reservation.address + TABLES)
        registered: list[int] = []
        push(lambda: registered and unwinder["__deregister_frame"](start))
        act(registered, unwinder["__register_frame"], start)

    def next_page(self) -> list[int]:
        """The addresses of one more page of thunks, the first to be used last."""
        start, base, view = max(self.end, FIRST_THUNK), self.reservation.address, self.reservation.view
        places = range(start, self.end + PAGE, THUNK_SIZE)
        self.reservation.protect(self.end, PAGE, "rw-")  # an interrupt may have left it half made
        view[start : self.end + PAGE] = b"".join([thunk_code(place) for place in places])
        self.reservation.protect(self.end, PAGE, "r-x")
        self.end += PAGE
        return [base + place for place in reversed(places)]
