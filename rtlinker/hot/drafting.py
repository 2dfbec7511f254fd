"""Files to a draft: objects that were read, and nothing that anybody could see yet."""

from __future__ import annotations

import os

from rtlinker.errors import BadObjectError
from rtlinker.hot.linking import VersionLinker
from rtlinker.hot.version import Version
from rtlinker.live import files
from rtlinker.live.files import library_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.hot.module import Module
    from rtlinker.live.undo import UndoStack


def draft(module: Module, paths: Sequence[object], undo: UndoStack) -> Version:
    """The next version of a module, its files read whole, so that writing them later changes nothing.

    Raises BadObjectError for what is not an object or archive, or not complete yet, OSError for files.
    """
    linker = VersionLinker(module)
    undo.push(linker.discard)
    settings = module.settings
    for name, value in settings.symbols.items():
        if isinstance(value, tuple):
            linker.define(name, *value)
        else:
            linker.define(name, value)
    whole = all(_is_archive(path) for path in paths)  # nothing would ask for a member
    contents = [_load(linker, path, whole) for path in paths]
    contents += [_load(linker, archive, whole=True) for archive in settings.whole_archives]
    for library in settings.libraries:
        linker.load(library_path(library, settings.directories), shared=True)
    shown = next((os.fspath(path) for path in paths if isinstance(path, (str, os.PathLike))), "<bytes>")
    return Version(module.name, module.next_number, linker, _digest(contents), str(shown))


def _is_archive(path: object) -> bool:
    if not isinstance(path, (str, os.PathLike)):
        return False
    return files.sort_of(files.read_file(os.fspath(path), files.START)) == "archive"


def _load(linker: VersionLinker, path: object, whole: bool = False) -> bytes:
    """Let the linker have a file, or bytes; what identifies its content."""
    if isinstance(path, (bytes, bytearray, memoryview)):
        linker.load_object(bytes(path))
        return bytes(path)
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"a file is given by its path, or its bytes, not {path!r}")
    shown = os.fspath(path)
    data = files.read_file(str(shown))
    _refuse_lto(data, str(shown))
    if files.sort_of(data) == "object":  # not read again: it may be another by then
        linker.load_object(data, str(shown))
    else:
        linker.load(shown, whole=whole)
    return data


def _refuse_lto(data: bytes, name: str) -> None:
    """Objects of link-time optimisation hold no code that could be replaced."""
    if data.startswith(b"\x7fELF") and b".gnu.lto_" in data and b".text" not in data:
        raise BadObjectError(
            name, "object holds only what link-time optimisation reads", ".gnu.lto_", "compile without -flto"
        )


def _digest(contents: list[bytes]) -> bytes:
    from hashlib import blake2b

    digest = blake2b()
    for content in contents:
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.digest()
