"""Destructors that threads run when they end: see `x86_64.thread_exit` for the code that counts them.

The routines and their words stay for the life of the process, since any thread may end after the last image is gone.
"""

from __future__ import annotations

import ctypes
from bisect import bisect_right

from rtlinker.host import dynamic, libc, memory
from rtlinker.host.one_step import act, once
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
    from collections.abc import Iterable

    from rtlinker.host.one_step import Push
    from rtlinker.live.native import Native

Span = tuple[int, int]
"""The absolute addresses at which an image starts and ends."""


_AT_FORK = ctypes.CFUNCTYPE(ctypes.c_int, *(ctypes.c_void_p,) * 4)
"""What pthread_atfork(3) stands for in libc: handlers for before, parent and child, and the library they are of."""

_DESTROY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Routines:
    """The code in this process; `words` is the absolute address of what it reaches."""

    def __init__(self, push: Push) -> None:
        self.place = memory.Reservation(2 * PAGE, PAGE)
        push(self.place.release)
        self.place.take(low=False)
        code, (_, run_exits, forget_others) = thread_exit_code(PAGE)
        self.place.view[: len(code)] = code
        self.words = self.place.address + PAGE
        for word, name in (("MALLOC", "malloc"), ("SETSPECIFIC", "pthread_setspecific")):
            _word(self.words + WORDS[word]).value = dynamic.find_symbol(name) or 0
        self.place.protect(0, PAGE, "r-x")
        self.at_end = self.place.address + run_exits
        self.in_child = self.place.address + forget_others
        made: list[int] = []
        push(lambda: made == [0] and libc.pthread_key_delete(_word(self.words + WORDS["KEY"]).value))
        if act(made, libc.pthread_key_create, self.words + WORDS["KEY"], self.at_end):
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
_forks: list[int] = []
"""What registering the handler for forked children gave, once it was done."""


def register_exit_address() -> int:
    """The absolute address of what images call to register such a destructor; made on first use, for good.

    It stands for __cxa_thread_atexit (C++) and __cxa_thread_atexit_impl (Rust), which take the same arguments.
    """
    routines = once(_made, _Routines)
    # C code may fork, too, so that Python's own hook is not enough; registered for no library, it is never undone
    if not _forks:
        register = _AT_FORK(dynamic.find_symbol("__register_atfork") or 0)
        if act(_forks, register, None, None, routines.in_child, None):
            _forks.clear()
            raise MemoryError("no memory for what a forked child does")
    return routines.place.address


def run_exits_address() -> int:
    """The absolute address of what runs all that the calling thread has registered, as at its end."""
    return once(_made, _Routines).at_end


def run_thread_exits(span: Span, native: Native) -> list[BaseException]:
    """Run the destructors of an image's objects that the calling thread would run when it ends, last first.

    What comes back is what they raised, first first: one that fails does not keep the others.
    """
    start, end = span
    here: int = libc.pthread_self() if _made else 0
    failures: list[BaseException] = []
    while True:
        mine = [
            (words[SEQUENCE // 8], at)
            for at, words in _records(WAITING)
            if words[THREAD // 8] == here and any(start <= words[field // 8] < end for field in _PLACES)
        ]
        if not mine:
            return failures
        _, at = max(mine)
        _word(at + STATE).value = BUSY
        try:
            native.call("thread_local destructor", _DESTROY(_word(at + DESTRUCTOR).value), _word(at + OBJECT).value)
        except BaseException as error:
            failures.append(error)
        _word(at + THREAD).value = 0
        _word(at + STATE).value = FREE
        _word(_made[0].words + WORDS["FREED"]).value = 1


def waiting_threads(spans: Iterable[Span]) -> dict[Span, int]:
    """How many threads have destructors of an image's objects still to run, or run one now, where there are any."""
    ordered = sorted(spans)
    starts = [start for start, _ in ordered]
    threads: dict[Span, set[int]] = {}
    for _, words in _records(WAITING, BUSY) if ordered else ():
        for field in _PLACES:
            before = bisect_right(starts, words[field // 8])
            if before and words[field // 8] < ordered[before - 1][1]:
                threads.setdefault(ordered[before - 1], set()).add(words[THREAD // 8])
    return {span: len(found) for span, found in threads.items()}


def waiting_destructors(span: Span) -> list[tuple[int, int, int]]:
    """Of those in an image that threads are to run yet: sequence number, function, object, oldest first."""
    start, end = span
    found = [
        (words[SEQUENCE // 8], words[DESTRUCTOR // 8], words[OBJECT // 8])
        for _, words in _records(WAITING)
        if start <= words[DESTRUCTOR // 8] < end
    ]
    return sorted(found)


def rebind_destructor(old: int, new: int) -> int:
    """Have threads call another function instead of the one at an absolute address; how often that is."""
    changed = 0
    for at, words in _records(WAITING):
        if words[DESTRUCTOR // 8] == old:
            _word(at + DESTRUCTOR).value = new
            changed += 1
    return changed


_PLACES = (DESTRUCTOR, HANDLE)
"""Of what in a record the image is looked for that has made it: the destructor itself may be a library's."""


def _records(*states: int) -> list[tuple[int, tuple[int, ...]]]:
    """The records in one of these states."""
    return [record for routines in _made for record in routines.records() if record[1][STATE] in states]
