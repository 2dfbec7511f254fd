"""Installers: acts on the process that make an image live, each of which leaves its inverse on the undo stack.

The order matters: mirrors are copied and pages protected first; unwind tables are registered before any code of the
image can throw; constructors run last. Unloading walks the same list backwards.
"""

from __future__ import annotations

import ctypes

from rtlinker.errors import BadObjectError
from rtlinker.host import libc
from rtlinker.link.image import Image
from rtlinker.link.layout import ARRAYS, EH_FRAME, priority

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.host.memory import Reservation
    from rtlinker.live.undo import UndoStack


def copy_mirrors(image: Image, undo: UndoStack) -> None:
    """Fill the mirrors from the data they stand for. Nothing to undo: the image's memory goes as a whole."""
    for key, known in image.addresses.outside.mirrors.items():
        ctypes.memmove(image.address + image.layout.mirrors[key], known.address, known.size)


def protect(image: Image, memory: Reservation, undo: UndoStack) -> None:
    """Give every segment its protection; from here on no page is writable and executable, and none ever was."""
    for segment in image.layout.segments:
        if segment.letters != "rw-":
            memory.protect(segment.offset, segment.size, segment.letters)


def register_frames(image: Image, undo: UndoStack) -> None:
    """Tell the unwinder of libgcc about an image whose code throws, catches or cleans up.

    Without it an exception thrown in the image ends the process. Images without such code are not registered, since
    every registered list makes each exception of the process slower. Names come first from libgcc_s: what registers
    must be the unwinder that libstdc++ uses.
    """
    bounds = image.layout.bounds.get(EH_FRAME)
    if bounds is None or not _unwinds(image):
        return
    start = image.address + bounds[0]
    unwinder = ctypes.CDLL("libgcc_s.so.1", mode=ctypes.RTLD_GLOBAL)
    unwinder["__register_frame"](ctypes.c_void_p(start))
    undo.push(lambda: unwinder["__deregister_frame"](ctypes.c_void_p(start)))


def _unwinds(image: Image) -> bool:
    """Whether the image has handlers (.gcc_except_table) or calls the unwinder itself."""
    resolution = image.resolution
    if any(name.startswith((".gcc_except_table",)) for object in resolution.objects for name in object.sections.names):
        return True
    return any(name.startswith("_Unwind_") for index in resolution.indexes for name in index.undefined)


def run_constructors(image: Image, undo: UndoStack) -> Callable[[], None]:
    """Run .preinit_array, .ctors and .init_array in their order; leave the destructors to the undo stack.

    What comes back runs the destructors, once, however often it is called. Functions get argc, argv and envp as the
    dynamic linker passes them (gABI, Initialization and Termination).
    """
    before, after = startup(image)
    if not before and not after and not needs_finalize(image):
        return _nothing
    finish = _once(after, image.address + image.layout.dso_handle)
    undo.push(finish)
    arguments = _arguments()
    for address in before:
        _STARTER(address)(*arguments)
    return finish


def _nothing() -> None:
    """The destructors of an image that has none."""


def _once(functions: list[int], handle: int) -> Callable[[], None]:
    """What was registered with atexit or __cxa_atexit, last first; then .fini_array and .dtors (__cxa_finalize)."""
    left = [functions]

    def finish() -> None:
        if left:
            destructors = left.pop()
            libc.__cxa_finalize(handle)
            for address in destructors:
                _FINISHER(address)()
            libc.fflush(None)

    return finish


def needs_finalize(image: Image) -> bool:
    """Whether code of the image can have registered something under its __dso_handle."""
    return any("__dso_handle" in index.undefined for index in image.resolution.indexes)


_STARTER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_FINISHER = ctypes.CFUNCTYPE(None)


def startup(image: Image) -> tuple[list[int], list[int]]:
    """The absolute addresses of the image's constructors and destructors, each in the order in which they run.

    Raises BadObjectError for an array that is not made of addresses.
    """
    arrays: dict[str, list[tuple[tuple[int, ...], int, int]]] = {}
    for number, object in enumerate(image.resolution.objects):
        sections = object.sections
        for index in sections.allocated:
            name, offset, size = sections.names[index], image.layout.sections[number][index], sections.sizes[index]
            kind = ARRAYS.get(sections.types[index]) or _old_style(name)
            if kind is None or offset < 0 or not size:
                continue
            if size % 8:
                raise BadObjectError(object.name, "array of functions of odd size", f"{size:#x} bytes", name)
            order = _order(kind, name), number, index
            arrays.setdefault(kind, []).append((order, offset, size))
    entries = {kind: _entries(image, sorted(pieces)) for kind, pieces in arrays.items()}
    ctors, dtors = entries.get(".ctors", []), entries.get(".dtors", [])
    before = [*entries.get(".preinit_array", []), *reversed(ctors), *entries.get(".init_array", [])]
    return before, [*reversed(entries.get(".fini_array", [])), *dtors]


def _old_style(name: str) -> str | None:
    base = name[:6]
    return base if base in {".ctors", ".dtors"} and (len(name) == 6 or name[6] == ".") else None


def _order(kind: str, name: str) -> int:
    """Where a section stands among its like; plain .ctors come first, so that they run last when read backwards."""
    at = priority(name)
    return -1 if kind in {".ctors", ".dtors"} and at >> 32 else at


def _entries(image: Image, pieces: list[tuple[tuple[int, ...], int, int]]) -> list[int]:
    view = image.memory.view
    words = [word for _, offset, size in pieces for word in view[offset : offset + size].cast("Q")]
    return [word for word in words if word not in {0, 0xFFFFFFFFFFFFFFFF}]


def _arguments() -> tuple[int, object, object]:
    """argc, argv and envp of a program without arguments: the process's own belong to Python."""
    import sys

    names = [name.encode("utf-8", "surrogateescape") for name in (sys.argv or [""])]
    argv = (ctypes.c_char_p * (len(names) + 1))(*names, None)
    _kept.append(argv)
    environ = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "environ")
    return len(names), ctypes.addressof(argv), environ


_kept: list[object] = []
"""argv blocks that constructors may keep pointers to; one per link that has constructors."""


def install(image: Image, memory: Reservation, undo: UndoStack) -> None:
    """Everything but running code of the image: see `run_constructors` for that."""
    for act in _QUIET:
        act(image, undo)
    protect(image, memory, undo)
    register_frames(image, undo)


_QUIET: tuple[Callable[[Image, UndoStack], None], ...] = (copy_mirrors,)
