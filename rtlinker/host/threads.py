"""Whether another thread of this process may be in a piece of code that is about to go, after some patience.

What can be seen of a thread is told by `host.stacks`; threads that run, or are about to leave, are looked at again.
"""

from __future__ import annotations

import os
import time
from _thread import get_native_id

from rtlinker.host.stacks import UNSEEN, look_at

TRIES = 10
PAUSE = 0.001
"""Seconds between two looks at threads that run or are about to leave."""


def threads_in(start: int, end: int, tries: int = TRIES) -> list[str]:
    """The threads, but for the calling one, that may be in code between two absolute addresses: `worker (1234)`.

    A thread that may be in it is looked at again, `tries` times in all, while others go on.
    """
    try:
        suspects = [int(thread) for thread in os.listdir("/proc/self/task")]  # noqa: PTH208
    except OSError:
        return [UNSEEN.name]
    suspects.remove(get_native_id())
    for last in range(tries, 0, -1):
        seen = [thread for thread in look_at(suspects, [(start, end)]) if thread.may_be_in]
        suspects = [thread.tid for thread in seen]
        if not seen:
            return []
        if last > 1:
            time.sleep(PAUSE)
    return [f"{thread.name} ({thread.tid})" for thread in seen]
