"""The few C functions of this process that the linker calls itself, typed once.

Everything here is bound when it is first used: a small load needs six of them.
"""

from __future__ import annotations

import ctypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import _NamedFuncPointer

_process = ctypes.CDLL(None, use_errno=True)
_held = ctypes.PyDLL(None, use_errno=True)

_SHORT = frozenset(("mmap", "munmap", "mprotect", "madvise", "pthread_self", "sigaction"))
"""Called without giving up Python's lock: they wait for nothing, and getting it back from busy threads takes long."""

_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "mmap": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)),
    "munmap": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_size_t)),
    "mprotect": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)),
    "madvise": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)),
    "dlopen": (ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)),
    "dlclose": (ctypes.c_int, (ctypes.c_void_p,)),
    "dlerror": (ctypes.c_char_p, ()),
    "dlsym": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_char_p)),
    "dlvsym": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)),
    "pthread_self": (ctypes.c_size_t, ()),
    "pthread_key_create": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_void_p)),
    "pthread_key_delete": (ctypes.c_int, (ctypes.c_uint,)),
    "dladdr": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_void_p)),
    "dl_iterate_phdr": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_void_p)),
    "free": (None, (ctypes.c_void_p,)),
    "malloc_usable_size": (ctypes.c_size_t, (ctypes.c_void_p,)),
    "fflush": (ctypes.c_int, (ctypes.c_void_p,)),
    "exit": (None, (ctypes.c_int,)),
    "sigaction": (ctypes.c_int, (ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
    "write": (ctypes.c_ssize_t, (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)),
    "syscall": (ctypes.c_long, (ctypes.c_long,) * 5),
    "__cxa_finalize": (None, (ctypes.c_void_p,)),
}

if not TYPE_CHECKING:

    def __getattr__(name):
        """Bind a function of the table on first use; from then on it is an attribute of the module."""
        if name not in _SIGNATURES:
            raise AttributeError(name)
        function = (_held if name in _SHORT else _process)[name]
        function.restype, function.argtypes = _SIGNATURES[name]
        globals()[name] = function
        return function

else:

    def __getattr__(name: str) -> _NamedFuncPointer:
        """Every function of the table."""
        raise AttributeError(name)


def fail(what: str) -> OSError:
    """An OSError for the errno of the call that just failed."""
    import os

    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
