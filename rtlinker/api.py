"""The public face: `load` and `Library` for people, `Linker` for custom runtimes."""

from __future__ import annotations

import os

from rtlinker.library import Library
from rtlinker.live.files import library_path
from rtlinker.live.linker import LinkerCore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rtlinker.elf.object import Object


class Linker(LinkerCore):
    """Links objects and archives into this process: the API for custom runtimes, after GHC's runtime linker.

    `load_object`, `load_archive`, `load_library` and `define` collect; `resolve` links all that was collected into
    one image; `lookup` gives addresses; `unload` takes an object out again. `process_first=True` lets what the
    process already has win over archives. Safe to use from several threads. Use it as a context manager, or `close()`
    it, to give everything back.
    """

    def _code_of(self, value: object, prototype: str | None, name: str) -> int | None:
        from rtlinker.bind.symbols import address_of_callable

        return address_of_callable(value, prototype, name, self.kept)

    def _code_by_declaration(self, value: object, name: str, objects: Sequence[Object]) -> int:
        from rtlinker.bind.symbols import address_by_declaration

        return address_by_declaration(value, name, objects, self.kept)


def load(
    *paths: str | os.PathLike[str] | bytes,
    libraries: Iterable[str] = (),
    symbols: Mapping[str, object] | None = None,
    directories: Sequence[str] = (),
    whole_archives: Iterable[str | os.PathLike[str]] = (),
    process_first: bool = False,
    start: bool = True,
) -> Library:
    """Objects and archives linked into this process, as a Library of callables and data.

    `paths` are objects (or their bytes), archives and linker scripts, in the order of the link. `libraries` are
    shared libraries or archives by name, as for ld's -l, looked for in `directories` first. `symbols` gives names an
    address, a Python callable, or a pair (callable, prototype). `whole_archives` are linked with all members.
    `process_first` lets what the process already has win over archives. With `start=False` constructors wait for
    `library.linker.start()`.

    Raises LinkError subclasses for what cannot be read or linked and OSError for files; the process is then as it was.
    TypeError when there is nothing to load, or a text where several are asked for.
    """
    _check(symbols, libraries=libraries, directories=directories, whole_archives=whole_archives)
    libraries, whole_archives = tuple(libraries), tuple(whole_archives)
    if not (paths or libraries or whole_archives):
        raise TypeError("nothing to load: give at least one object, archive or library")
    linker = Linker(process_first=process_first)
    try:
        for name, value in (symbols or {}).items():
            if isinstance(value, tuple):
                linker.define(name, *value)
            else:
                linker.define(name, value)
        for path in paths:
            if isinstance(path, (bytes, bytearray, memoryview)):
                linker.load_object(bytes(path))
            else:
                linker.load(path)
        for archive in whole_archives:
            linker.load(archive, whole=True)
        for library in libraries:
            linker.load(library_path(library, directories), shared=True)
        linker.resolve(start=start)
        shown = [path if isinstance(path, (str, os.PathLike)) else "<bytes>" for path in paths]
        return Library(linker, ", ".join(os.path.basename(path) for path in shown) or "nothing")  # noqa: PTH119
    except BaseException:
        linker.close()
        raise


def _check(symbols: object, **several: object) -> None:
    """Raise TypeError for a text or path in place of several, which would be taken apart, and for names without."""
    for name, value in several.items():
        if isinstance(value, (str, bytes, os.PathLike)):
            raise TypeError(f"{name} must be several names, not the text {value!r}: {name}=[{value!r}]")
    if symbols is not None and not hasattr(symbols, "items"):
        raise TypeError(f"symbols must be a mapping of names to addresses or callables, not {type(symbols).__name__}")
