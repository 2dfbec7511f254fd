"""What the process has been given for later, and still holds: who points into a piece of memory that is about to go.

Each question reads what libc itself keeps. Other threads may change that meanwhile, so it is read by
`own_memory`: an address that has just gone is no data, and not a crash.
"""

from __future__ import annotations

import ctypes
from itertools import count

from rtlinker.host import dynamic, libc
from rtlinker.host.own_memory import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_SIZE = 224
"""Bytes of glibc's FILE with its table of functions."""

COOKIE = 232
"""Offset of the four functions that fopencookie(3) puts behind it, which are mangled (PTR_MANGLE)."""

GUARD, ROTATED = 0x30, 17
"""Where the word is that mangles them, from the thread pointer (tcbhead_t), and by how many bits they are rotated."""

FILE_CHAIN = 0x68
"""Offset of the next FILE, in bytes: `_chain`, whose place is part of glibc's ABI."""

MOST = 100_000
"""No chain is longer: one that another thread has cut and tied meanwhile would not end."""

WORD = 8

DESCRIBED = ("__pthread_keys", "sizeof_pthread_key_struct", "pthread_key_struct_seq", "pthread_key_struct_destr")
"""What glibc says of its table of keys, each under a name that begins with `_thread_db_`."""


def keys_destroyed_in(start: int, end: int) -> list[int] | None:
    """The keys (pthread_key_create(3), tss_create(3)) whose destructor lies between two absolute addresses.

    Read by the tables that glibc keeps for debuggers (libthread_db); None where there are none.
    """
    names = "__pthread_keys", *(f"_thread_db_{name}" for name in DESCRIBED)
    keys, all_keys, size, used, destructor = [dynamic.find_symbol(name) or 0 for name in names]
    if not all((keys, all_keys, size, used, destructor)):
        return None
    stride = ctypes.c_uint32.from_address(size).value
    number = _described(all_keys)[1]
    memory = ctypes.string_at(keys, stride * number)
    at_used, at_destructor = _described(used)[2], _described(destructor)[2]
    return [
        key
        for key in range(number)
        if _word(memory, key * stride + at_used) & 1 and start <= _word(memory, key * stride + at_destructor) < end
    ]


def _described(address: int) -> tuple[int, ...]:
    """Bits of an element, how many there are, and the offset of the first, in bytes."""
    return tuple((ctypes.c_uint32 * 3).from_address(address))


def files_pointing_into(start: int, end: int) -> list[str]:
    """C's open streams with a buffer, or functions of fopencookie(3), between two absolute addresses."""
    known = {_pointer(name): name for name in ("stdin", "stdout", "stderr")}
    found, file = [], _pointer("_IO_list_all")
    streams = list(known) if not file else []
    for _ in range(MOST):
        if not file:
            break
        streams.append(file)
        file = _word(read(file + FILE_CHAIN, WORD))
    for stream in streams:
        cookie = stream not in known and any(start <= function < end for function in _functions(stream))
        if cookie or points_into(stream, FILE_SIZE, start, end):
            found.append(known.get(stream, "an open FILE"))
    return found


def _functions(stream: int) -> Iterator[int]:
    """The functions of a stream that fopencookie made; of another stream, numbers that mean nothing."""
    guard = ctypes.c_uint64.from_address(libc.pthread_self() + GUARD).value
    words = read(stream + COOKIE, 4 * WORD)
    for word in memoryview(words[: len(words) & -WORD]).cast("Q"):
        yield (word >> ROTATED | (word << 64 - ROTATED) & ((1 << 64) - 1)) ^ guard


def _pointer(name: str) -> int:
    """The value of a pointer variable of the process; 0 when there is none."""
    address = dynamic.find_symbol(name)
    return ctypes.c_uint64.from_address(address).value if address else 0


def variables_in(start: int, end: int) -> list[str]:
    """Names of the environment variables that lie between two absolute addresses (putenv(3))."""
    found = []
    for entry in _environment():
        if start <= entry < end:
            text = read(entry, min(end - entry, 256)).partition(b"=")[0]
            found.append(text.decode("utf-8", "replace"))
    return found


def _environment() -> Iterator[int]:
    array = _pointer("environ")
    for at in count():
        entry = _word(read(array + at * WORD, WORD)) if array else 0
        if not entry:
            return
        yield entry


TIMER_SIZE = 40
"""Bytes at the start of glibc's record of a timer, among which the function is."""


def timers_calling(start: int, end: int) -> int | None:
    """How many timers will call a function between two absolute addresses in a thread (SIGEV_THREAD).

    /proc/self/timers tells where glibc keeps its record of each; None where the kernel has no such file.
    """
    try:
        with open("/proc/self/timers", "rb", buffering=0) as file:  # noqa: PTH123
            lines = file.read().splitlines()
    except OSError:
        return None
    records = [int(line.rpartition(b"/")[2], 16) for line in lines if line.startswith(b"signal: 32/")]
    return sum(points_into(record, TIMER_SIZE, start, end) for record in records)


def points_into(address: int, size: int, start: int, end: int) -> bool:
    """Whether a word of the memory at an absolute address, of `size` bytes, points between the two others."""
    words = read(address, size)
    return any(start <= word < end for word in memoryview(words[: len(words) & -WORD]).cast("Q"))


def _word(memory: bytes, at: int = 0) -> int:
    return int.from_bytes(memory[at : at + WORD], "little")
