"""Constructors and destructors of an image: which there are, in which order, and running them."""

from __future__ import annotations

import ctypes

from rtlinker.elf.constants import SHF_EXECINSTR
from rtlinker.errors import BadObjectError, UnsupportedError
from rtlinker.host import libc
from rtlinker.link.image import Image
from rtlinker.link.layout import ARRAYS, priority

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.live.undo import UndoStack


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
