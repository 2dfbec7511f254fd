"""What a linker collects before it links: waiting objects, archives and libraries to ask, the caller's names."""

from __future__ import annotations

import atexit
import os
import sys
from _thread import RLock  # threading's own, without importing threading

from rtlinker.elf.reader import read_object
from rtlinker.errors import BadObjectError, LinkError
from rtlinker.host import dynamic
from rtlinker.link.scope import Definition, Table
from rtlinker.live import files
from rtlinker.live.scopes import LibraryScope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from rtlinker.elf.ldscript import ScriptEntry
    from rtlinker.elf.object import Object
    from rtlinker.link.scope import Scope, Source

    class Finishing(Protocol):
        """What has something to run when Python ends."""

        def finish(self) -> None:
            """Run it, once."""


LOCK = RLock()
"""Held while anything is loaded, resolved or unloaded: the process has one address space and one symbol table."""


THREADED = ("libgomp.so", "libomp.so", "libiomp5.so")
"""Libraries with a pool of threads that never ends: closing one takes the code away under them."""


def _renew_lock() -> None:
    if not LOCK._is_owned():  # type: ignore[attr-defined]
        LOCK._at_fork_reinit()  # type: ignore[attr-defined]


os.register_at_fork(after_in_child=_renew_lock)  # the thread that holds it may not exist in the child

_open_linkers: dict[Finishing, None] = {}
"""Linkers with images, oldest first: what C may still call must not be freed before their destructors ran."""


def finish_with_python(linker: Finishing) -> None:
    """Have the linker's destructors run when Python ends, while callbacks still work; it lives until `finished`."""
    if not _open_linkers:
        atexit.unregister(_finish_all)
        atexit.register(_finish_all)
    _open_linkers.setdefault(linker)


def finished(linker: Finishing) -> None:
    """Undo `finish_with_python`."""
    _open_linkers.pop(linker, None)


def _finish_all() -> None:
    held = LOCK.acquire(blocking=False)  # else without: a thread that holds it may never run again
    try:
        for linker in reversed(list(_open_linkers)):
            try:
                linker.finish()
            except BaseException:
                sys.excepthook(*sys.exc_info())
    finally:
        if held:
            LOCK.release()


class Collector:
    """The collecting half of a linker; `live.linker` is the other."""

    def __init__(self) -> None:
        self._pending: list[Object] = []
        self._providers: list[Source | Scope] = []
        self._user: dict[str, Definition] = {}
        self._callables: dict[str, object] = {}
        self._handles: list[int] = []
        self._scripts: list[str] = []
        self._unnamed = 0
        self.closed = False
        self.kept: dict[object, object] = {}

    def load_object(
        self, source: str | os.PathLike[str] | bytes, name: str | None = None, *, installed: bool = False
    ) -> str:
        """Read an object, from its path or its bytes, and let it wait for `resolve`; the name errors will show.

        One that is `installed` is not copied: its file must not be written to, only replaced. Raises BadObjectError
        when it is not one, OSError when the file cannot be read.
        """
        if isinstance(source, (bytes, bytearray, memoryview)):
            data = bytes(source)
            self._unnamed += not name
            shown = name or f"<bytes {self._unnamed}, {len(data):,} bytes>"
        else:
            shown = os.fspath(source)
            data, shown = files.map_file(shown) if installed else files.read_file(shown), name or shown
        with LOCK:
            self._open()
            self._pending.append(read_object(data, shown))
        return shown

    def load_archive(self, path: str | os.PathLike[str], whole: bool = False) -> None:
        """Offer an archive to this and later resolves: members join when a name is missing; with `whole`, all at once.

        Raises BadObjectError when it is not one, OSError when the file cannot be read.
        """
        shown = os.fspath(path)
        source = files.read_archive_source(files.read_file(shown), shown)
        with LOCK:
            self._open()
            if whole:
                self._pending += source.members()
            else:
                self._providers.append(source)

    def load_library(self, name: str | os.PathLike[str], visible: bool = False) -> None:
        """Open a shared library, by path or soname, for the references of this linker.

        With `visible` its names also join the process's global scope (RTLD_GLOBAL). It is closed with the linker,
        but for those of OpenMP, whose threads live on. Raises LinkError with the dynamic linker's own words when it
        cannot be opened (dlopen(3)).
        """
        path = os.fspath(name)
        if "/" in path:
            files.check_shared_library(path)
        files.check_is_no_late_sanitizer(path)
        with LOCK:
            self._open()
            try:
                handle = dynamic.open_library(path, visible, opened=self._handles)
            except OSError as error:
                if self._load_script(path):
                    return
                facts = [("library", path), ("reason", str(error))]
                raise LinkError("shared library cannot be loaded", facts, _meant(path)) from None
            if any(isinstance(each, LibraryScope) and each.handle == handle for each in self._providers):
                dynamic.close_last(self._handles)  # it is asked already, and open until the linker is closed
                return
            if os.path.basename(path).startswith(THREADED):  # noqa: PTH119
                dynamic.keep_library(path)
            self._providers.append(LibraryScope(os.path.basename(path), handle))  # noqa: PTH119

    def load(self, path: str | os.PathLike[str], whole: bool = False, shared: bool = False) -> None:
        """Load a file by what it is: an object, an archive, or a linker script that names such.

        With `whole` an archive joins with all its members; a shared library is only accepted with `shared`. Raises
        BadObjectError for anything else.
        """
        shown = os.fspath(path)
        data = files.read_file(shown, files.START)
        kind = files.sort_of(data)
        if kind == "archive":
            self.load_archive(shown, whole)
        elif kind == "library" and shared:
            self.load_library(shown if "/" in shown else "./" + shown)
        elif kind != "script" or not self._load_script(shown):
            if len(data) == files.START and os.path.isfile(shown):  # noqa: PTH113
                data = files.read_file(shown)
            with LOCK:
                self._open()
                self._pending.append(read_object(data, shown))

    def collected(self) -> tuple[list[Object], list[Source | Scope], list[int]]:
        """What waits, what is asked for names, and what is open, for `take_back`."""
        return [*self._pending], [*self._providers], [*self._handles]

    def take_back(self, before: tuple[list[Object], list[Source | Scope], list[int]]) -> None:
        """Let go of what was loaded since `collected`, and close it; none of it may have been linked."""
        with LOCK:
            opened = self._handles[len(before[2]) :]
            self._pending, self._providers, self._handles = (list(each) for each in before)  # type: ignore[assignment]
            dynamic.close_libraries(opened)

    def _load_script(self, path: str) -> bool:
        """Load what a linker script lists; False when the file is not one."""
        from rtlinker.elf.ldscript import looks_like_script, read_linker_script

        if not os.path.isfile(path):  # noqa: PTH113
            return False
        data = files.read_file(path)
        script = read_linker_script(data, path) if looks_like_script(data) else None
        if script is None:
            return False
        if path in self._scripts:
            raise BadObjectError(path, "linker script names itself", " -> ".join([*self._scripts, path]))
        beside = [os.path.dirname(path), *script.search_directories]  # noqa: PTH120
        self._scripts.append(path)
        try:
            for entry in script.entries:
                self.load(_listed(path, entry, beside), shared=True)
        finally:
            self._scripts.pop()
        return True

    def define(self, name: str, value: object, prototype: str | None = None) -> None:
        """Give a name an address (absolute) or a Python callable.

        A callable needs a C prototype, unless the debug information of an object that refers to it has one; a
        ctypes function or a rtlinker Function carries its own. Later definitions of a name replace earlier ones.
        """
        with LOCK:
            self._open()
            self._callables.pop(name, None)
            if isinstance(value, int):
                if not 0 <= value < 1 << 64:
                    raise ValueError(f"{name!r} must be an address of 64 bits, not {value:#x}")
                self._user[name] = Definition(name, value, "given by the caller")
                return
            if not callable(value):
                raise TypeError(f"{name!r} must be an address or a callable, not {type(value).__name__}")
            address = self._code_of(value, prototype, name)
            if address is None:
                self._callables[name] = value
            else:
                self._user[name] = Definition(name, address, "given by the caller", "function")

    def _give_types(self) -> None:
        """Turn callables that came without a prototype into code, by what the waiting objects' DWARF says of them."""
        if not self._callables:
            return
        for name, value in list(self._callables.items()):
            symbol = self._referred(name)
            if symbol is None:
                continue
            address = self._code_by_declaration(value, symbol, self._pending)
            self._user[name] = Definition(name, address, "given by the caller", "function")
            del self._callables[name]

    def _referred(self, name: str) -> str | None:
        """The symbol of the waiting objects that a given name means; None where none has it."""
        if any(name.encode() in object.symbols.strings for object in self._pending):
            return name
        from rtlinker.live.mangled import is_cxx, symbol_called

        if not is_cxx(name):
            return None
        symbols = [object.symbols for object in self._pending if b"\0_Z" in object.symbols.strings]
        names = {each.name(at) for each in symbols for at in range(each.first_global, len(each))}
        return symbol_called(name, names)

    def _given(self) -> Table:
        """What the caller defined, as a scope."""
        if not any(name[-1:] == ")" or ":" in name or "<" in name for name in self._user):
            return Table("given by the caller", self._user)
        from rtlinker.live.mangled import GivenNames

        return GivenNames(self._user)

    def _code_of(self, value: object, prototype: str | None, name: str) -> int | None:
        """The address of code that calls a Python callable, or None when its C type is not known yet."""
        raise TypeError(f"{name!r} must be an address here")

    def _code_by_declaration(self, value: object, name: str, objects: Sequence[Object]) -> int:
        """The same, by the type that the objects' debug information declares."""
        raise TypeError(f"{name!r} must be an address here")

    def finish(self) -> None:
        """Run destructors: there are none before objects are linked."""

    def _open(self) -> None:
        if self.closed:
            raise LinkError("the linker is closed", hint="make a new one")


def _meant(name: str) -> str | None:
    """What to load instead of `stdc++`, where somebody wrote what goes behind ld's -l."""
    from rtlinker.host.search import find_library

    found = find_library(name) if "/" not in name else None
    if found is None:
        return None
    return f'what -l {name} means is {"load_archive" if found.endswith(".a") else "load_library"}("{found}")'


def _listed(path: str, entry: ScriptEntry, directories: list[str]) -> str:
    """The file that an entry of a linker script means. Raises BadObjectError when there is none."""
    from rtlinker.host.search import find_library

    if "/" in entry.name and not entry.is_library:
        return entry.name
    found = find_library(entry.name if entry.is_library else f":{entry.name}", directories)
    if found is None:
        raise BadObjectError(path, "linker script names a file that is not there", entry.name)
    return found
