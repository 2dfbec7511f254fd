"""Installers: acts on the process that make an image live, each of which leaves its inverse on the undo stack.

The order matters: mirrors are copied and pages protected first; unwind tables are registered before any code of the
image runs; resolvers of indirect functions are the first to run, constructors the last. Unloading walks the same list
backwards.
"""

from __future__ import annotations

import ctypes

from rtlinker.errors import LinkError
from rtlinker.link.image import Image
from rtlinker.live.frames import register_frames
from rtlinker.live.indirect import has_ifuncs, resolve_ifuncs
from rtlinker.live.listed import list_image
from rtlinker.live.scopes import ImageScope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rtlinker.elf.object import Object
    from rtlinker.host.memory import Reservation
    from rtlinker.link.resolution import Common, InObject
    from rtlinker.live.native import Native
    from rtlinker.live.run import Destructors
    from rtlinker.live.startup import Startup
    from rtlinker.live.undo import UndoStack


class LiveImage:
    """An image in this process, with the way to take it back; the owner of its functions and data.

    `closed` tells that its memory is gone or going, `ready` that it is not and its constructors have run: its names can
    be looked up without a lock. `kept` lives at least as long as it. `calls` has an entry for each call that runs in
    it. `dependents` are images that use its names, `uses` those whose names it uses. `waited` are the objects that were
    loaded for it. `pinned` says why it is kept although it was unloaded; `holds` are asked for such reasons, beside
    those that all images have.
    """

    __slots__ = (
        "calls",
        "closed",
        "dependents",
        "finish",
        "holds",
        "image",
        "kept",
        "pinned",
        "ran",
        "scope",
        "started",
        "startup",
        "undo",
        "uses",
        "waited",
        "wanted",
    )

    def __init__(self, image: Image, undo: UndoStack, startup: Startup, kept: dict[object, object]) -> None:
        self.image = image
        self.undo = undo
        self.startup = startup
        self.kept = kept
        self.scope = ImageScope(image)
        self.wanted = {object.name for object in image.resolution.objects}
        self.dependents: set[LiveImage] = set()
        self.uses: list[LiveImage] = []
        self.waited: list[Object] = []
        self.pinned: list[str] = []
        self.holds: list[Callable[[LiveImage], list[str]]] = []
        self.calls: list[object] = []
        self.finish: Destructors | None = None
        self.started = False
        self.ran = False
        self.closed = False

    @property
    def ready(self) -> bool:
        """Whether its constructors have run and its memory is there."""
        return self.ran and not self.closed

    def address_of(self, found: InObject | Common) -> int | None:
        """The absolute address of a definition: of a thread-local variable, that of the calling thread's copy."""
        place = self.image.thread_place_of(found)
        if place is None:
            return self.image.addresses.of_binding(found)
        from rtlinker.host.written_library import thread_local_address

        return thread_local_address(*place)

    def want(self, left: set[str]) -> None:
        """Take back the names of all objects but those in `left`."""
        resolution = self.image.resolution
        self.wanted = left
        self.scope.take_back(left)
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


def protect_code(image: Image, memory: Reservation, undo: UndoStack) -> None:
    """Make code executable; from here on no page is writable and executable, and none ever was."""
    for segment in image.layout.segments:
        if segment.letters == "r-x":
            memory.protect(segment.offset, segment.size, segment.letters)


def protect_constants(image: Image, memory: Reservation, undo: UndoStack) -> None:
    """Make read-only what is constant, slots and pointers of stubs included."""
    for segment in image.layout.segments:
        if segment.letters == "r--":
            memory.protect(segment.offset, segment.size, segment.letters)


def install(image: Image, memory: Reservation, undo: UndoStack) -> None:
    """Everything but running code of the image: see `prepare`, and `live.run` for constructors."""
    copy_mirrors(image, memory, undo)
    protect_code(image, memory, undo)
    register_frames(image, memory, undo)
    list_image(image, memory, undo)
    if not has_ifuncs(image):
        protect_constants(image, memory, undo)


def prepare(image: Image, memory: Reservation, undo: UndoStack, native: Native) -> None:
    """Ask indirect functions where they are, before any constructor runs; then their answers are read-only."""
    resolve_ifuncs(image, memory, native)
    protect_constants(image, memory, undo)
