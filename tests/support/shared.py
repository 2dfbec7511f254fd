"""Compiles small C files into shared libraries for tests."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

PROCESS = ctypes.CDLL(None)
PROCESS.dlclose.argtypes = [ctypes.c_void_p]
PROCESS.dlsym.argtypes, PROCESS.dlsym.restype = [ctypes.c_void_p, ctypes.c_char_p], ctypes.c_void_p


def compile_shared(path: Path, source: str, *flags: str) -> Path:
    """`path`, where a shared library of this C source is now."""
    command = ["gcc", "-shared", "-fPIC", "-g0", "-xc", "-", "-o", str(path), *flags]
    subprocess.run(command, input=source, text=True, check=True)
    return path


def open_shared(path: Path, mode: int = os.RTLD_LOCAL) -> ctypes.CDLL:
    """The library opened; it stays so until `close_shared`."""
    return ctypes.CDLL(str(path), mode=mode)


def close_shared(library: ctypes.CDLL) -> None:
    """The library's reference given back to ld.so; its functions must not be called any more."""
    PROCESS.dlclose(library._handle)


def address_of(library: ctypes.CDLL, name: str) -> int | None:
    """What dlsym says."""
    return PROCESS.dlsym(library._handle, name.encode())
