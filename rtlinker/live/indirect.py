"""Indirect functions (STT_GNU_IFUNC): code of the image that says, at run time, where a function is.

Their resolvers run when all of the image is relocated and its code executable, before any constructor, as with ld.so.
Every reference to such a function leads to one stub, whose pointer is filled here; it is read-only afterwards.
"""

from __future__ import annotations

import ctypes

from rtlinker.link.image import Image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.host.memory import Reservation
    from rtlinker.live.native import Native

RESOLVER = ctypes.CFUNCTYPE(ctypes.c_uint64)
"""Takes nothing and returns an address (psABI, R_X86_64_IRELATIVE)."""


def has_ifuncs(image: Image) -> bool:
    """Whether there is anything to ask."""
    return bool(image.layout.ifuncs or image.demand.indirect)


def resolve_ifuncs(image: Image, memory: Reservation, native: Native) -> None:
    """Ask each indirect function where it is. Nothing to undo: the image's memory goes as a whole.

    Raises what `native` raises for a resolver that fails.
    """
    with native:
        _resolve(image, memory, native)


def _resolve(image: Image, memory: Reservation, native: Native) -> None:
    chosen: dict[int, int] = {}
    for (object, symbol), (_, pointer) in image.layout.ifuncs.items():
        if pointer not in chosen:
            chosen[pointer] = native.call("resolver", RESOLVER(image.addresses.of_code(object, symbol) or 0))
            _store(memory, pointer, chosen[pointer])
    for object, section, offset in image.demand.indirect:
        at = image.layout.sections[object][section] + offset
        resolver = int.from_bytes(memory.view[at : at + 8], "little")
        _store(memory, at, native.call("resolver", RESOLVER(resolver)))


def _store(memory: Reservation, at: int, value: int) -> None:
    memory.view[at : at + 8] = value.to_bytes(8, "little")
