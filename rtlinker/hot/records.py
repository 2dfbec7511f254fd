"""The records that code of hot modules makes when it registers functions and starts threads: see `x86_64.registry`.

The routines, their words and the records stay for the life of the process: libc may call them behind the end of Python.
"""

from __future__ import annotations

import ctypes

from rtlinker.facts import Fact
from rtlinker.host import dynamic, libc, memory
from rtlinker.units import PAGE
from rtlinker.x86_64 import registry as code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtlinker.live.native import Native

_RUN_EXIT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)

_AT_FORK = ctypes.CFUNCTYPE(ctypes.c_int, *(ctypes.c_void_p,) * 4)
"""What pthread_atfork(3) stands for in glibc: handlers for before, parent and child, and the library they are of."""

LIBSTDCXX = "libstdc++.so.6"


class Record(Fact):
    """A record as it was at one moment: its absolute address, and its words in the order of `x86_64.registry`."""

    address: int
    words: tuple[int, ...]

    @property
    def state(self) -> int:
        """What has become of it: WAITING, SPENT, RUNNING ..."""
        return self.words[code.STATE]

    @property
    def kind(self) -> int:
        """What made it."""
        return self.words[code.KIND]

    @property
    def sequence(self) -> int:
        """Later ones have higher numbers."""
        return self.words[code.SEQUENCE]

    @property
    def since(self) -> float:
        """When it was made, in seconds of time.monotonic()."""
        return self.words[code.SECONDS] + self.words[code.NANOSECONDS] / 1e9


class _Routines:
    """The code in this process; `words` is the absolute address of what it reaches."""

    def __init__(self) -> None:
        self.place = memory.reserve(2 * PAGE, PAGE, low=False)
        self.words = self.place.address + PAGE
        self.at = {name: self.place.address + offset for name, offset in code.routine_offsets().items()}
        text = code.registry_code(PAGE)
        self.place.view[: len(text)] = text
        for word, name in _FUNCTIONS.items():
            word_at(self.words + code.WORDS[word]).value = dynamic.find_symbol(name) or 0
        word_at(self.words + code.WORDS["COUNT"]).value = 1  # 0 inverted would be where walking begins
        self.place.protect(0, PAGE, "r-x")
        for kind, (name, _) in code.DESCRIPTORS.items():
            self.describe(kind, dynamic.find_symbol(name) or 0)
        if libc.pthread_key_create(self.words + code.WORDS["KEY"], self.at["end_thread"]):
            raise MemoryError("no key for what threads do when they end")
        # C code may fork, too; registered for no library, it is never undone
        at_fork = dynamic.find_symbol("__register_atfork") or dynamic.find_symbol("pthread_atfork") or 0
        if _AT_FORK(at_fork)(self.at["before_fork"], self.at["after_fork"], self.at["in_child"], None):
            raise MemoryError("no memory for what happens at a fork")

    def describe(self, kind: int, function: int) -> None:
        """Set which function of a library is called in the end for a kind of record."""
        at = self.words + code.WORDS["DESCRIPTORS"] + 16 * kind
        word_at(at + 8).value = self.at[code.DESCRIPTORS[kind][1]]
        word_at(at).value = function

    def is_known(self, kind: int) -> bool:
        """Whether there is such a function."""
        return kind not in code.DESCRIPTORS or bool(word_at(self.words + code.WORDS["DESCRIPTORS"] + 16 * kind).value)

    def find_cxx(self, needed: bool) -> None:
        """Look for what std::thread calls, in the libstdc++ that the process has, or that is opened if it is needed.

        It is not closed again: what was found must stay.
        """
        handle = None if self.is_known(code.CXX_THREAD) else dynamic.loaded_library(LIBSTDCXX, [])
        if handle is None and needed and not self.is_known(code.CXX_THREAD):
            try:
                handle = dynamic.open_library(LIBSTDCXX)
            except OSError:  # a machine without it; whoever links will say what is missing
                return
        if handle is not None:
            self.describe(code.CXX_THREAD, dynamic.find_symbol(code.CXX_START, handle=handle) or 0)


_FUNCTIONS = {
    "MALLOC": "malloc",
    "CLOCK_GETTIME": "clock_gettime",
    "SETSPECIFIC": "pthread_setspecific",
    "GETSPECIFIC": "pthread_getspecific",
}

_made: list[_Routines] = []


def routines() -> _Routines:
    """The code, made on first use, for good."""
    if not _made:
        _made.append(_Routines())
    return _made[0]


def records(owner: int | None = None) -> Iterator[Record]:
    """Every record that is in use, or those of one module, by the absolute address of its words; in no order."""
    at = word_at(_made[0].words + code.WORDS["HEAD"]).value if _made else 0
    while at:
        words = _words(at)
        if words[code.STATE] not in {code.FREE, code.BUSY} and owner in {None, words[code.OWNER]}:
            yield Record(at, words)
        at = words[code.NEXT]


def record_spans() -> list[tuple[int, int]]:
    """Where all records lie, absolute: what they hold is told by themselves, or is left over."""
    found = []
    at = word_at(_made[0].words + code.WORDS["HEAD"]).value if _made else 0
    while at:
        found.append((at, at + 8 * (code.DECLARED + 1)))
        at = word_at(at + 8 * code.NEXT).value
    return found


def registered() -> int:
    """A number that changes whenever a record is made."""
    return word_at(routines().words + code.WORDS["COUNT"]).value


def _words(at: int) -> tuple[int, ...]:
    """The words of a record at an address, all of one use of it: other threads may free it and fill it in anew."""
    sequence = word_at(at + 8 * code.SEQUENCE)
    while True:
        before = sequence.value
        words = tuple(memoryview(ctypes.string_at(at, 8 * (code.DECLARED + 1))).cast("Q"))
        if words[code.STATE] in {code.FREE, code.BUSY} or before == words[code.SEQUENCE] == sequence.value:
            return words


def change(record: Record, word: int, value: int) -> bool:
    """Change a word of a record that is as it was; false if it has been called or used again meanwhile."""
    state, sequence = word_at(record.address), word_at(record.address + 8 * code.SEQUENCE)
    if state.value != record.state or sequence.value != record.sequence:
        return False
    word_at(record.address + 8 * word).value = value
    return True


def run(record: Record, native: Native) -> None:
    """Call the function of a record of something that ends the process, if that has not been done, with status 0."""
    name = code.DESCRIPTORS[record.kind][1]
    arguments = (0, record.address) if record.kind == code.ON_EXIT else (record.address, 0)
    native.call("exit handler", _RUN_EXIT(routines().at[name]), *arguments)


def forget(record: Record) -> None:
    """Let a record that will not be called be used again, after libc has forgotten it; of on_exit it never does."""
    if record.kind == code.ON_EXIT:
        word_at(record.address + 8 * code.OWNER).value = 0
        return
    libc.__cxa_finalize(record.address)  # which calls the routine, which sees that there is nothing to do
    word_at(record.address).value = code.FREE
    word_at(routines().words + code.WORDS["FREED"]).value = 1


def word_at(address: int) -> ctypes.c_uint64:
    """The word at an absolute address, to be read and written as one."""
    return ctypes.c_uint64.from_address(address)
