"""Shared libraries that are written into memory and opened by the dynamic linker (memfd_create(2), dlopen(3)).

ld.so knows a library by the path it was opened with, and takes an equal path for the same library, although a closed
descriptor's number comes back. So every path is spelled differently, by dots and slashes that mean nothing.
"""

from __future__ import annotations

import ctypes
import os
from itertools import count

from rtlinker.host import dynamic
from rtlinker.host.one_step import act

serial = count()
"""Numbers that no written library has had."""


def open_written_library(content: bytes, number: int, opened: list[int], visible: bool = False) -> tuple[int, str]:
    """The handle of a library with these bytes, and the path by which ld.so knows it. `number` is one of `serial`.

    The handle is the last of `opened` as soon as there is one. `visible`: its symbols, and those of the libraries that
    it needs, join the global scope; else its own references are looked for in those libraries before the global scope.
    `dynamic.close_library` undoes it. Raises OSError with the dynamic linker's own words.
    """
    files: list[int] = []
    closing = map(os.close, files)
    try:
        file = act(files, os.memfd_create, "rtlinker", os.MFD_CLOEXEC)
        if os.write(file, content) != len(content):
            raise OSError(f"no memory for a library of {len(content):,} bytes")
        path = f"/proc/{os.getpid()}/fd/{_spelling(number)}{file}"
        return dynamic.open_library(path, visible, own_first=not visible, opened=opened), path
    finally:
        _ = [*closing]


def _spelling(number: int) -> str:
    """A different run of `./` and `.//` for every number."""
    return "".join(["./" if digit == "0" else ".//" for digit in f"{number:b}"])


def thread_local_address(module: int, offset: int) -> int:
    """The absolute address of the calling thread's own copy of a variable, valid as long as thread and module live."""
    get = ctypes.CDLL(None)["__tls_get_addr"]
    get.restype = ctypes.c_void_p
    found: int = get(ctypes.byref((ctypes.c_uint64 * 2)(module, offset)))
    return found
