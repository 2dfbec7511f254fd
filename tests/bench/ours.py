"""rtlinker's side of the work, through its public face."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import rtlinker

PAGE = os.sysconf("SC_PAGE_SIZE")


def load_and_call(path: Path, name: str, argument: int) -> None:
    """From the path to a result, and everything given back."""
    with rtlinker.load(path) as library:
        library.function(name, "int(int)")(argument)


def link_and_call(path: Path, name: str, argument: int, engine: str) -> None:
    """The same through `Linker` with a chosen engine and a plain ctypes call."""
    with rtlinker.Linker(engine=engine) as linker:
        linker.load_object(path)
        linker.resolve()
        address = linker.lookup(name)
        assert address is not None
        ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(address)(argument)


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
