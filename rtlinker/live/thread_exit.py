"""Destructors that threads run when they end: see `x86_64.thread_exit` for the code that counts them.

The routines and their words stay for the life of the process, since any thread may end after the last image is gone.
"""

from __future__ import annotations

import ctypes

from rtlinker.host import dynamic, libc, memory
from rtlinker.units import PAGE
from rtlinker.x86_64.thread_exit import (
    BUSY,
    DESTRUCTOR,
    FREE,
    HANDLE,
    NEXT,
    OBJECT,
    RECORD_SIZE,
    SEQUENCE,
    STATE,
    THREAD,
    WAITING,
    WORDS,
    thread_exit_code,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.live.native import Native

Span = tuple[int, int]
"""The absolute addresses at which an image starts and ends."""


_DESTROY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Routines:
    """The code in this process; `words` is the absolute address of what it reaches."""

    def __init__(self) -> None:
        self.place = memory.reserve(2 * PAGE, PAGE, low=False)
        code, run_exits = thread_exit_code(PAGE)
        self.place.view[: len(code)] = code
        self.words = self.place.address + PAGE
        for word, name in (("MALLOC", "malloc"), ("SETSPECIFIC", "pthread_setspecific")):
            _word(self.words + WORDS[word]).value = dynamic.find_symbol(name) or 0
        self.place.protect(0, PAGE, "r-x")
        if libc.pthread_key_create(self.words + WORDS["KEY"], self.place.address + run_exits):
            raise MemoryError("no key for what threads do when they end")

    def records(self) -> list[tuple[int, tuple[int, ...]]]:
        """The address of every record, with its words."""
        found, at = [], _word(self.words + WORDS["HEAD"]).value
        while at:
            words = tuple((ctypes.c_uint64 * (RECORD_SIZE // 8)).from_address(at))
            found.append((at, words))
            at = words[NEXT // 8]
        return found


def _word(address: int) -> ctypes.c_uint64:
    return ctypes.c_uint64.from_address(address)


_made: list[_Routines] = []


def register_exit_address() -> int:
    """The absolute address of what images call to register such a destructor; made on first use, for good.

    It stands for __cxa_thread_atexit (C++) and __cxa_thread_atexit_impl (Rust), which take the same arguments.
    """
    if not _made:
        _made.append(_Routines())
    return _made[0].place.address


def run_thread_exits(span: Span, native: Native) -> list[BaseException]:
    """Run the destructors of an image's objects that the calling thread would run when it ends, last first.

    What comes back is what they raised, first first: one that fails does not keep the others.
    """
    here: int = libc.pthread_self() if _made else 0
    failures: list[BaseException] = []
    while True:
        mine = [(words[SEQUENCE // 8], at) for at, words in _waiting(span, (WAITING,)) if words[THREAD // 8] == here]
        if not mine:
            return failures
        _, at = max(mine)
        _word(at + STATE).value = BUSY
        try:
            native.call("thread_local destructor", _DESTROY(_word(at + DESTRUCTOR).value), _word(at + OBJECT).value)
        except BaseException as error:
            failures.append(error)
        _word(at + STATE).value = FREE


def waiting_threads(span: Span) -> int:
    """How many threads have destructors of an image's objects still to run, or run one now."""
    return len({words[THREAD // 8] for _, words in _waiting(span, (WAITING, BUSY))})


def _waiting(span: Span, states: tuple[int, ...]) -> list[tuple[int, tuple[int, ...]]]:
    """The records in one of these states that the image has made: the destructor itself may be a library's."""
    start, end = span
    return [
        (at, words)
        for routines in _made
        for at, words in routines.records()
        if words[STATE] in states and any(start <= words[field // 8] < end for field in (DESTRUCTOR, HANDLE))
    ]
