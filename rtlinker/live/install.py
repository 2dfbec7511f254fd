"""Installers: acts on the process that make an image live, each of which leaves its inverse on the undo stack.

The order matters: mirrors are copied and pages protected first; unwind tables are registered before any code of the
image can throw; constructors run last. Unloading walks the same list backwards.
"""

from __future__ import annotations

import ctypes

from rtlinker.elf.constants import SHF_EXECINSTR
from rtlinker.errors import BadObjectError, LinkError, UnsupportedError
from rtlinker.host import libc
from rtlinker.link.image import Image
from rtlinker.link.layout import ARRAYS, EH_FRAME, priority
from rtlinker.live.scopes import ImageScope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rtlinker.host.memory import Reservation
    from rtlinker.live.undo import UndoStack


class LiveImage:
    """An image in this process, with the way to take it back; the owner of its functions and data.

    `closed` tells that its memory is gone or going, `kept` lives at least as long as it. `calls` has an entry for
    each call that runs in it. `dependents` are images that use its names.
    """

    __slots__ = (
        "calls",
        "closed",
        "dependents",
        "finish",
        "image",
        "kept",
        "scope",
        "started",
        "startup",
        "undo",
        "wanted",
    )

    def __init__(
        self, image: Image, undo: UndoStack, startup: tuple[list[int], list[int]], kept: dict[object, object]
    ) -> None:
        self.image = image
        self.undo = undo
        self.startup = startup
        self.kept = kept
        self.scope = ImageScope(image)
        self.wanted = {object.name for object in image.resolution.objects}
        self.dependents: set[LiveImage] = set()
        self.calls: list[object] = []
        self.finish: Callable[[], None] | None = None
        self.started = False
        self.closed = False

    def want(self, left: set[str]) -> None:
        """Take back the names of all objects but those in `left`."""
        resolution = self.image.resolution
        self.wanted = left
        self.scope.hidden |= {
            symbol for symbol, owner in resolution.owners.items() if resolution.objects[owner].name not in left
        }
        if not left:
            self.scope.hidden |= resolution.commons.keys()


def retire(images: Iterable[LiveImage]) -> None:
    """Close images to calls. Raises LinkError, and leaves all open, when a call runs in one of them.

    A call announces itself before it asks for `closed`, so that looking again after closing misses none.
    """
    images = list(images)
    _refuse_in_use(images)
    for live in images:
        live.closed = True
    try:
        _refuse_in_use(images)
    except LinkError:
        for live in images:
            live.closed = False
        raise


def _refuse_in_use(images: list[LiveImage]) -> None:
    running = sorted({getattr(call, "__name__", "") or "a function" for live in images for call in list(live.calls)})
    if running:
        raise LinkError(
            "library is in use", [("running", "\n".join(running))], "unload it when its calls have returned"
        )


def copy_mirrors(image: Image, memory: Reservation, undo: UndoStack) -> None:
    """Fill the mirrors from the data they stand for. Nothing to undo: the image's memory goes as a whole."""
    for key, known in image.addresses.outside.mirrors.items():
        ctypes.memmove(image.address + image.layout.mirrors[key], known.address, known.size)


def protect(image: Image, memory: Reservation, undo: UndoStack) -> None:
    """Give every segment its protection; from here on no page is writable and executable, and none ever was."""
    for segment in image.layout.segments:
        if segment.letters != "rw-":
            memory.protect(segment.offset, segment.size, segment.letters)


def register_frames(image: Image, memory: Reservation, undo: UndoStack) -> None:
    """Tell the unwinder of libgcc about an image whose code throws, catches or cleans up.

    Without it an exception thrown in the image ends the process. Images without such code are not registered, since
    every registered list makes each exception of the process slower; but once one is, exceptions may pass through any
    later one. Names come first from libgcc_s: what registers
    must be the unwinder that libstdc++ uses.
    """
    bounds = image.layout.bounds.get(EH_FRAME)
    if bounds is None or not (_registered or _unwinds(image)):
        return
    start = image.address + bounds[0]
    unwinder = ctypes.CDLL("libgcc_s.so.1", mode=ctypes.RTLD_GLOBAL)
    unwinder["__register_frame"](ctypes.c_void_p(start))
    undo.push(lambda: unwinder["__deregister_frame"](ctypes.c_void_p(start)))
    _registered.add("an image")


_registered: set[str] = set()
"""Not empty once an image was registered: from then on linked code of this process may throw."""

THROWING = ("_Unwind_", "__cxa_throw", "__cxa_rethrow")
"""How the names begin by which code starts or resumes an exception (Itanium C++ ABI, Exception Handling)."""


def _unwinds(image: Image) -> bool:
    """Whether the image has handlers (.gcc_except_table), throws, or calls the unwinder itself."""
    resolution = image.resolution
    if any(name.startswith((".gcc_except_table",)) for object in resolution.objects for name in object.sections.names):
        return True
    return any(name.startswith(THROWING) for index in resolution.indexes for name in index.undefined)


def run_constructors(image: Image, undo: UndoStack, arrays: tuple[list[int], list[int]]) -> Callable[[], None]:
    """Run the constructors that `startup` found; leave the destructors to the undo stack.

    What comes back runs the destructors, once, however often it is called. Functions get argc, argv and envp as the
    dynamic linker passes them (gABI, Initialization and Termination).
    """
    before, after = arrays
    if not before and not after and not needs_finalize(image):
        return _nothing
    finish = _once(after, image.address + image.layout.dso_handle)
    arguments = _arguments()
    undo.push(lambda: arguments)  # constructors may keep argv; undone last, it lives until destructors have run
    undo.push(finish)
    for address in before:
        _STARTER(address)(*arguments)
    return finish


def _nothing() -> None:
    """The destructors of an image that has none."""


def _once(functions: list[int], handle: int) -> Callable[[], None]:
    """What was registered with atexit or __cxa_atexit, last first; then the arrays' destructors (__cxa_finalize)."""
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

    The order is that of ld's script for x86-64: .preinit_array; then .init_array.N and .ctors.(65535-N) together by N,
    then .init_array and .ctors in the order of the link, a section of .ctors backwards. Destructors are the same with
    .fini_array and .dtors, and all run backwards. Raises BadObjectError for an array that is not made of addresses,
    UnsupportedError for code in .init or .fini, which only works as a piece of crti.o's function.
    """
    pieces: list[tuple[int, int, str, int, int, str]] = []
    for number, object in enumerate(image.resolution.objects):
        sections = object.sections
        for index in sections.allocated:
            name, size = sections.names[index], sections.sizes[index]
            if not size or image.layout.sections[number][index] < 0:
                continue
            if name in {".init", ".fini"} and sections.flags[index] & SHF_EXECINSTR:
                raise _initial_code(object.name, name)
            kind = ARRAYS.get(sections.types[index]) or _old_style(name)
            if kind is None:
                continue
            if size % 8:
                raise BadObjectError(object.name, "array of functions of odd size", f"{size:#x} bytes", name)
            at = _priority(kind, name)
            pieces.append((_STAGES[kind], at, name if at < 1 << 32 else "", number, index, kind))
    runs: tuple[list[int], list[int]] = [], []
    for stage, _, _, number, index, kind in sorted(pieces):
        offset, size = image.layout.sections[number][index], image.resolution.objects[number].sections.sizes[index]
        runs[stage == _LAST].extend(_entries(image, offset, size)[:: -1 if kind in _OLD else 1])
    return runs[0], runs[1][::-1]


_LAST = 2
_STAGES = {".preinit_array": 0, ".init_array": 1, ".ctors": 1, ".fini_array": _LAST, ".dtors": _LAST}
_OLD = frozenset({".ctors", ".dtors"})


def _old_style(name: str) -> str | None:
    base = name[:6]
    return base if base in _OLD and (len(name) == 6 or name[6] == ".") else None


def _priority(kind: str, name: str) -> int:
    at = priority(name)
    return 65535 - at if kind in _OLD and at < 1 << 32 else at


def _entries(image: Image, offset: int, size: int) -> list[int]:
    words = image.memory.view[offset : offset + size].cast("Q")
    return [word for word in words if word not in {0, 0xFFFFFFFFFFFFFFFF}]


def _initial_code(file: str, section: str) -> UnsupportedError:
    return UnsupportedError(
        "init sections",
        "code in .init and .fini cannot be run from here",
        [("file", file), ("section", section)],
        "make it a function with __attribute__((constructor)) or ((destructor))",
    )


def _arguments() -> tuple[int, object, object]:
    """argc, argv (a copy of sys.argv, alive as long as this object) and the process's envp."""
    import sys

    names = [name.encode("utf-8", "surrogateescape") for name in (sys.argv or [""])]
    argv = (ctypes.c_char_p * (len(names) + 1))(*names, None)
    environ = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "environ")
    return len(names), argv, environ


def install(image: Image, memory: Reservation, undo: UndoStack) -> None:
    """Everything but running code of the image: see `run_constructors` for that."""
    for act in _INSTALLERS:
        act(image, memory, undo)


_INSTALLERS: tuple[Callable[[Image, Reservation, UndoStack], None], ...] = (copy_mirrors, protect, register_frames)
