"""Destructors that threads run when they end: see `x86_64.thread_exit` for the code that counts them.

The routines and their words stay for the life of the process, since any thread may end after the last image is gone.
"""

from __future__ import annotations

import ctypes

from rtlinker.host import dynamic, libc, memory
from rtlinker.units import PAGE
from rtlinker.x86_64.thread_exit import (
    CODE,
    HEAD,
    MALLOC,
    NEXT,
    RECORD_SIZE,
    REGISTER,
    THREAD,
    WAITING,
    thread_exit_code,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.link.image import Image


class _Routines:
    """The code in this process. `words` is the absolute address of what it reaches."""

    def __init__(self) -> None:
        self.place = memory.reserve(2 * PAGE, PAGE, low=False)
        code, self._run = thread_exit_code(PAGE)
        self.place.view[: len(code)] = code
        self.words = self.place.address + PAGE
        for word, name in ((MALLOC, "malloc"), (REGISTER, "__cxa_thread_atexit_impl")):
            _word(self.words + word).value = dynamic.find_symbol(name) or 0
        self.place.protect(0, PAGE, "r-x")
        self.run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.place.address + self._run)

    def records(self) -> list[tuple[int, ...]]:
        """(address of the record, its words ...) of every record, newest first."""
        found, at = [], _word(self.words + HEAD).value
        while at:
            words = tuple((ctypes.c_uint64 * (RECORD_SIZE // 8)).from_address(at))
            found.append((at, *words))
            at = words[NEXT // 8]
        return found

    def forget_finished(self) -> None:
        """Free the records whose destructor has returned, but for the newest, where threads add theirs."""
        before = _word(self.words + HEAD).value
        while before:
            at = _word(before + NEXT).value
            if at and not _word(at + WAITING).value:
                _word(before + NEXT).value = _word(at + NEXT).value
                libc.free(at)
            else:
                before = at


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


def run_thread_exits(image: Image) -> None:
    """Run the destructors of the image's objects that the calling thread would run when it ends, last first."""
    here = ctypes.CDLL(None).pthread_self
    here.restype = ctypes.c_uint64
    for record in _waiting(image):
        if record[1 + THREAD // 8] == here():
            _made[0].run(record[0])
    for routines in _made:
        routines.forget_finished()


def waiting_threads(image: Image) -> int:
    """How many threads have destructors of the image's objects still to run."""
    return len({record[1 + THREAD // 8] for record in _waiting(image)})


def _waiting(image: Image) -> list[tuple[int, ...]]:
    start, end = image.address, image.address + image.layout.size
    return [
        record
        for routines in _made
        for record in routines.records()
        if record[1 + WAITING // 8] and start <= record[1 + CODE // 8] < end
    ]
