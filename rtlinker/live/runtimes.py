"""Compilers' run-time libraries, opened when nothing else has a name that compilers write by themselves.

g++ links libstdc++ and libgcc_s without being told, so an object that needs them is complete in its author's eyes. A
plain Python has loaded neither. They are asked last, after the process and every archive, and only for names that the
link has found undefined: what somebody else defines is never taken from here.
"""

from __future__ import annotations

from rtlinker.errors import LinkError, UndefinedSymbolsError
from rtlinker.facts import replace
from rtlinker.host import dynamic
from rtlinker.host.demangle import readable
from rtlinker.host.search import names_in
from rtlinker.link.pipeline import link
from rtlinker.link.scope import Definition
from rtlinker.live.place import ProcessPlace
from rtlinker.live.scopes import ProcessScope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rtlinker.host.loaded import FoundSymbol, LoadedLibrary
    from rtlinker.link.image import Image, Place
    from rtlinker.link.scope import Inputs
    from rtlinker.live.undo import UndoStack

RUNTIMES = (
    ("libstdc++.so.6", "C++", ("_Z", "__cxa_", "__gxx_", "__cxxabiv1", "__dynamic_cast")),
    ("libgcc_s.so.1", "compiler", ("_Unwind_", "__")),
)
"""A library by soname, whose runtime it is, and how a name begins that makes it worth asking for all that are missing.

The beginnings are those of the Itanium C++ ABI and of libgcc.
"""


def is_usual(note: str) -> bool:
    """Whether a note only tells of a runtime that compilers link without being told, as all of these are."""
    return any(note.startswith(f"{soname}, the {whose} runtime, was opened") for soname, whose, _ in RUNTIMES)


class RuntimeScope(ProcessScope):
    """The process, and for some names that it does not have a run-time library."""

    def __init__(self, found: Mapping[str, Definition | None], opened: list[str]) -> None:
        self._found = found
        self._opened = opened

    def find(self, name: str, version: str | None = None) -> Definition | None:
        """What the runtime has under a name that is missing elsewhere, else the process's definition."""
        known = None if version else self._found.get(name)
        return known or super().find(name, version)

    def keep(self) -> None:
        """Let the runtimes stay until the process ends: later links find them in the process and do not hold them."""
        for soname in self._opened:
            dynamic.keep_library(soname)


def link_with_runtimes(
    inputs: Inputs, error: UndefinedSymbolsError, undo: UndoStack, place: Callable[[UndoStack], Place] = ProcessPlace
) -> Image:
    """The image of a link that has failed with `error`, tried once more with the runtimes that define what it missed.

    Notes of the image name them; they stay open for good. Raises `error` when no runtime helps, UndefinedSymbolsError
    with the rest when they help with some names only, else what linking raises; undoing then closes them.
    """
    try:
        return _link_again(inputs, error, undo, place)
    except LinkError as final:
        raise final from None  # it says all that the first one said


def _link_again(
    inputs: Inputs, error: UndefinedSymbolsError, undo: UndoStack, place: Callable[[UndoStack], Place]
) -> Image:
    _refuse_the_rest(error)
    notes: list[str] = []
    scope = _open_runtimes(error, undo, notes)
    if scope is None:
        raise error
    image = link(replace(inputs, process=scope), place(undo))
    scope.keep()
    return replace(image, notes=(*notes, *image.notes))


def _refuse_the_rest(error: UndefinedSymbolsError) -> None:
    """Raise for names that no runtime has before one is opened: libstdc++ stays in a process once it was in it."""
    left = error.symbols
    for soname, _, prefixes in RUNTIMES:
        names = [symbol.name for symbol in left]
        known = names_in(soname, names) if any(name.startswith(prefixes) for name in names) else set()
        if known is None:
            return
        left = tuple([symbol for symbol in left if symbol.name not in known])
    if left:
        raise UndefinedSymbolsError(left)


def _open_runtimes(error: UndefinedSymbolsError, undo: UndoStack, notes: list[str]) -> RuntimeScope | None:
    """The process together with the runtimes that define some of the names; None when none does."""
    found: dict[str, Definition | None] = {}
    opened = []
    for soname, whose, prefixes in RUNTIMES:
        names = [symbol.name for symbol in error.symbols if symbol.name not in found]
        defined = _open(soname, names, undo) if any(name.startswith(prefixes) for name in names) else {}
        if defined:
            found.update(defined)
            opened.append(soname)
            notes.append(f"{soname}, the {whose} runtime, was opened: it has {_listed(list(defined))}")
    return RuntimeScope(found, opened) if found else None


def _open(soname: str, names: Iterable[str], undo: UndoStack) -> dict[str, Definition | None]:
    """Open a runtime for those of the names that it defines; it is closed at once when there are none."""
    from itertools import product

    from rtlinker.host.loaded import find_in_library, loaded_libraries

    opened: list[int] = []
    undo.push(lambda: dynamic.close_libraries(opened))
    try:
        dynamic.open_library(soname, visible=False, opened=opened)
    except OSError:
        return {}
    libraries = [library for library in loaded_libraries() if library.name == soname]
    found: dict[str, Definition | None] = {}
    for name, library in product(names, libraries):
        symbol = find_in_library(library, name) or _of_any_version(library, name)
        if symbol is not None:
            kind = {"function": "function", "ifunc": "function", "data": "data"}.get(symbol.type)
            known = Definition(name, symbol.address, soname, kind, symbol.size)
            found[name] = None if symbol.type == "tls" else known  # that is no address: the process scope's business
    if not found:
        dynamic.close_libraries(opened)
    return found


def _of_any_version(library: LoadedLibrary, name: str) -> FoundSymbol | None:
    """A name that has no default version: libgcc_s keeps `__cpu_model@GCC_4.8.0` for programs linked long ago.

    Programs get it from libgcc.a nowadays, which is not installed everywhere.
    """
    from rtlinker.host.loaded import dynamic_symbols, find_in_library

    columns = dynamic_symbols(library)
    version = columns.versions[columns.names.index(name)] if name in columns.names else None
    return find_in_library(library, name, version) if version else None


def _listed(names: list[str]) -> str:
    """The shortest name for all of them: C++ names can fill a screen."""
    more = f" and {len(names) - 1} more of the missing names" if len(names) > 1 else ""
    return readable(min(names, key=len)) + more
