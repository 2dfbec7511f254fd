"""Where the other threads of this process are: whether one may be in a piece of code that is about to go.

A thread that waits in a system call tells its stack pointer and instruction pointer (/proc/PID/task/TID/syscall,
proc(5)). What it will return to lies above its stack pointer, so every word there that points into the code counts,
a word that was left over too. A thread that runs tells nothing, and may be anywhere.
"""

from __future__ import annotations

import os
import time
from _thread import get_native_id

from rtlinker.host.mappings import read_mappings
from rtlinker.units import MIB

TRIES = 10
PAUSE = 0.001
"""Seconds between two looks at threads that run or are about to leave."""

MOST = 16 * MIB
"""Bytes of a thread's stack that are read."""

SYS_EXIT = 60


def threads_in(start: int, end: int, tries: int = TRIES) -> list[str]:
    """The threads, but for the calling one, that may be in code between two absolute addresses: `worker (1234)`.

    A thread that may be in it is looked at again, `tries` times in all, while others go on.
    """
    own = str(get_native_id())
    suspects = [thread for thread in os.listdir("/proc/self/task") if thread != own]  # noqa: PTH208
    for last in range(tries, 0, -1):
        suspects = [thread for thread in suspects if _may_be_in(thread, start, end)]
        if not suspects:
            return []
        if last > 1:
            time.sleep(PAUSE)
    return [f"{_text(thread, 'comm') or 'a thread'} ({thread})" for thread in suspects]


def _text(thread: str, file: str) -> str | None:
    """What /proc says of a thread; None when it has ended."""
    try:
        opened = os.open(f"/proc/self/task/{thread}/{file}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(opened, 4096).decode("utf-8", "replace").strip()
        finally:
            os.close(opened)
    except (FileNotFoundError, ProcessLookupError):
        return None


def _may_be_in(thread: str, start: int, end: int) -> bool:
    try:
        text = _text(thread, "syscall")
    except OSError:  # not to be known here: a kernel without the file, or no permission
        return True
    if not text:
        return False
    call, *_, stack, at = text.split() if text != "running" else ("running", "0", "0")
    if call == "running" or start <= int(at, 16) < end:
        return True
    return call != str(SYS_EXIT) and _points_into(int(stack, 16), start, end)


def _points_into(stack: int, start: int, end: int) -> bool:
    """Whether a word of the stack from this address on may point between the two others.

    At most MOST bytes are read, above which everything is taken to be possible.
    """
    top = next((mapping.end for mapping in read_mappings() if mapping.start <= stack < mapping.end), 0)
    if not top:
        return False
    first = stack & ~7
    memory = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        # not by the pointer: the thread may end, and its stack go, while we read
        for at in range(first, min(top, first + MOST), MIB):
            words = os.pread(memory, min(top - at, MIB), at)
            if any(start <= word < end for word in memoryview(words[: len(words) & ~7]).cast("Q")):
                return True
    except OSError:
        return False
    finally:
        os.close(memory)
    return top - first > MOST
