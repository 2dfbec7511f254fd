"""Unwind tables: what lets exceptions, backtraces and cancellation pass through images, and stops exceptions at calls.

The unwinder is libgcc_s, which a process may or may not have; what registers must be the one that libstdc++ uses.
Loading it costs more than a small load, and without it nothing unwinds: so tables and calls wait here until it is seen,
at a load or at a function's first call, or until an image comes that can need it. From then on each image's tables are
registered, and each call from Python goes through a guard.
"""

from __future__ import annotations

import ctypes
import os
from _thread import RLock
from _weakref import ref

from rtlinker.elf.frame_check import find_lie
from rtlinker.errors import BadObjectError
from rtlinker.host import dynamic
from rtlinker.link.image import Image
from rtlinker.link.layout import CODE, EH_FRAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.host.memory import Reservation
    from rtlinker.live.undo import UndoStack

    Jump = Callable[..., object]

SONAME = "libgcc_s.so.1"

LOCK = RLock()
"""Held while tables are registered: an unknown or doubled deregistration ends the process."""


def _renew_lock() -> None:
    if not LOCK._is_owned():  # type: ignore[attr-defined]
        LOCK._at_fork_reinit()  # type: ignore[attr-defined]


os.register_at_fork(after_in_child=_renew_lock)  # the thread that holds it may not exist in the child

_unwinder: list[ctypes.CDLL] = []
"""libgcc_s, once it was found."""

_asked = [0]
"""How many libraries had been loaded when there was no unwinder among them."""

_tables: dict[int, object] = {}
"""The addresses of the images' tables; the value is None while a table waits for an unwinder."""

_unguarded: dict[int, tuple[ref[Jump], int]] = {}
"""Jumps made before there was an unwinder, by their id, with their words of stack arguments."""

THROWING = ("_Unwind_", "__cxa_throw", "__cxa_rethrow")
"""How the names begin by which code starts or resumes an exception (Itanium C++ ABI, Exception Handling)."""

UNWINDING = frozenset((
    "backtrace", "backtrace_symbols_fd", "pthread_cancel", "pthread_create", "pthread_exit", "thrd_create", "thrd_exit",
    "dlopen", "dlmopen",
))  # fmt: skip
"""Functions of libc that load the unwinder themselves when they need it, or may bring code that throws."""


def register_frames(image: Image, memory: Reservation, undo: UndoStack) -> None:
    """Tell the unwinder about an image's tables, now if there is one, else when it comes.

    Raises BadObjectError, before anything is registered, for tables that the unwinder would be led astray by.
    """
    bounds = image.layout.bounds.get(EH_FRAME)
    if bounds is None:
        return
    _check(image, *bounds)
    start = image.address + bounds[0]
    undo.push(lambda: withdraw_table(start))
    add_table(start, image)


def add_table(start: int, image: Image | None = None) -> None:
    """Have a table at an absolute address registered, now or when there is an unwinder, which `image` may need."""
    with LOCK:
        unwinder = _unwinder[0] if _unwinder else find_unwinder(image is not None and _unwinds(image))
        if unwinder is None:
            _tables[start] = None
        else:
            _register(unwinder, start)
            _guard_all()


def _register(unwinder: ctypes.CDLL, start: int) -> None:
    """Register a table, and note it, in one step of the interpreter: no interrupt comes between the two."""
    _tables.update(zip((start,), map(unwinder["__register_frame"], (ctypes.c_void_p(start),))))


def withdraw_table(start: int) -> None:
    """Undo `add_table`, if it was done."""
    with LOCK:
        if _tables.get(start) is not None:
            _unwinder[0]["__deregister_frame"](ctypes.c_void_p(start))
        _tables.pop(start, None)


def find_unwinder(needed: bool = False) -> ctypes.CDLL | None:
    """The unwinder, if the process has it or it is `needed`. When it is first seen, what waited for it is told to it.

    None where a machine does not have it at all.
    """
    if _unwinder:
        return _unwinder[0]
    if not needed:
        added = dynamic.libraries_added()
        if added == _asked[0] or not dynamic.is_open(SONAME):
            _asked[0] = added
            return None
    with LOCK:
        try:
            library = ctypes.CDLL(SONAME, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            return None
        if not _unwinder:
            for start in [start for start, registered in _tables.items() if registered is None]:
                _register(library, start)
            _unwinder.append(library)
            _guard_all()
    return library


def guard(jump: Jump, words: int = 0) -> None:
    """Have exceptions that leave the function a ctypes function calls end at the call: see `live.guard`.

    The jump may keep up to `words` 8-byte words of arguments on the stack. While the process has no unwinder, nothing
    can throw; the jump then goes straight to its function, and is changed when the unwinder comes.
    """
    with LOCK:
        if _unwinder or find_unwinder() is not None:
            from rtlinker.live.guard import protect

            _guard_all()
            protect(jump, words)
        else:
            key = id(jump)
            _unguarded[key] = ref(jump, lambda _: _unguarded.pop(key, None)), words


def _guard_all() -> None:
    """Guard the jumps that wait for it; where one cannot be, it and those behind it wait for the next time."""
    from rtlinker.live.guard import protect

    for key, (known, words) in list(_unguarded.items()):
        jump = known()
        if jump is not None:
            protect(jump, words)
        _unguarded.pop(key, None)


def _unwinds(image: Image) -> bool:
    """Whether the image has handlers (.gcc_except_table), throws, or calls what may need the unwinder."""
    resolution = image.resolution
    for object in resolution.objects:
        if any(name.startswith(".gcc_except_table") for name in object.sections.names):
            return True
    for index in resolution.indexes:
        if not UNWINDING.isdisjoint(index.undefined) or any(name.startswith(THROWING) for name in index.undefined):
            return True
    return False


def _check(image: Image, start: int, end: int) -> None:
    """Raise BadObjectError for the first frame description that lies."""
    base, (low, high) = image.address, image.layout.bounds[f"({CODE})"]
    lie = find_lie(image.memory.view[start:end], base + start, (base + low, base + high))
    if lie is None:
        return
    at, found = lie[0] + start, lie[1]
    for object, places in zip(image.resolution.objects, image.layout.sections):
        for index in object.sections.allocated:
            first = places[index]
            if object.sections.names[index] == EH_FRAME and first <= at < first + object.sections.sizes[index]:
                where = f"{object.sections.title(index)}+{at - first:#x}"
                raise BadObjectError(object.name, "frame descriptions in .eh_frame lie", found, where)
    raise BadObjectError("the image", "frame descriptions in .eh_frame lie", found, f"image+{at:#x}")
