"""C++ names as people write them, by libstdc++'s own demangler (Itanium C++ ABI, section 5.1; abi::__cxa_demangle)."""

from __future__ import annotations

import ctypes

from rtlinker.host import dynamic, libc

LIBRARY = "libstdc++.so.6"

_functions: list[ctypes._NamedFuncPointer] = []
"""__cxa_demangle and free, once they were needed."""


def demangle(name: str) -> str | None:
    """`area(double)` for `_Z4aread`; None for a name that is not mangled, or where there is no libstdc++."""
    if not name.startswith("_Z") or not _bind():
        return None
    demangler, free = _functions
    text: int | None = demangler(name.encode("utf-8", "surrogateescape"), None, None, None)
    if not text:
        return None
    try:
        return ctypes.string_at(text).decode("utf-8", "replace")
    finally:
        free(text)


def readable(name: str) -> str:
    """The same where libstdc++ is loaded already, else the name as it is: the process does not change."""
    if not name.startswith("_Z") or not (_functions or dynamic.is_open(LIBRARY)):
        return name
    return demangle(name) or name


def _bind() -> bool:
    """Find the two functions; False where there is no libstdc++, which stays loaded once it was needed."""
    if not _functions:
        try:
            library = ctypes.CDLL(LIBRARY)
        except OSError:
            return False
        demangler = library["__cxa_demangle"]
        demangler.restype, demangler.argtypes = ctypes.c_void_p, [ctypes.c_char_p, *[ctypes.c_void_p] * 3]
        # the global scope's: a preloaded malloc's partner, which libstdc++'s own handle would not give
        _functions.extend((demangler, libc.free))
    return True
