"""Unwind tables: what lets exceptions and backtraces pass through an image."""

from __future__ import annotations

import ctypes

from rtlinker.link.image import Image
from rtlinker.link.layout import EH_FRAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.host.memory import Reservation
    from rtlinker.live.undo import UndoStack


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
