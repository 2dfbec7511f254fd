"""GHC's shared libraries in this process, opened as the one group that they are.

libHSrts refers to closures of base, and base to the runtime's code, but neither lists the other as needed: a program
of GHC's lists both. So `dlopen` of any one of them fails (`undefined symbol: stg_gc_unpt_r1`). A library of ours that
contains nothing but the list, written in memory, takes the program's place.

Of the runtimes we take the threaded one: Python calls from any of its threads, and only that runtime has a lock that
makes the second caller wait (GHC User's Guide, "Multi-threading and the FFI"); in the other one it would corrupt the
heap. Programs that GHC links by default have the other one. It is taken only where nothing else is installed.
"""

from __future__ import annotations

import os

from rtlinker.elf.constants import STB_WEAK
from rtlinker.elf.index import index_symbols
from rtlinker.elf.thread_library import thread_library
from rtlinker.errors import DuplicateSymbolError, LinkError, UndefinedSymbol, UndefinedSymbolsError
from rtlinker.haskell.shape import PLAIN
from rtlinker.host import dynamic
from rtlinker.host.written_library import open_written_library, serial
from rtlinker.live.linker import LinkerCore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rtlinker.elf.object import Object
    from rtlinker.haskell.packages import Package, Packages

FIRST = ("rts", "ghc-prim", "ghc-bignum", "base")
"""The units without which there is no runtime: their libraries refer to each other in a circle."""


class SharedHost:
    """The runtime of GHC's shared libraries; see `haskell.host.Host`.

    `threaded` says which runtime it is. Raises LinkError when a library is not installed or cannot be opened.
    """

    kind = "shared"
    shape = PLAIN

    def __init__(self, packages: Packages) -> None:
        self._packages = packages
        self._there: set[str] = set()
        self._handles: list[int] = []
        self.threaded = False
        self.linker = LinkerCore(process_first=True)
        try:
            self.need([packages.unit(unit) for unit in FIRST])
        except BaseException:  # an interrupt, too, must leave nothing open
            self.close()
            raise

    def need(self, packages: Sequence[Package]) -> None:
        """Open the libraries of packages, and of what they need, as one more group."""
        missing = [package for package in self._packages.closure(packages) if package.id not in self._there]
        paths = [self._path(package) for package in missing if package.libraries]
        if paths:
            try:
                content, _ = thread_library(b"", 0, 1, "", (), paths)
                open_written_library(content, next(serial), self._handles, visible=True)
            except OSError as error:
                shown = [("packages", ", ".join(package.id for package in missing)), ("reason", str(error))]
                raise LinkError("haskell libraries cannot be opened", shown) from None
        self._there.update(package.id for package in missing)

    def _path(self, package: Package) -> str:
        """The shared library of a package."""
        if package.unit == "rts":
            threaded = package.file(f"lib{{}}_thr-ghc{package.compiler}.so")
            self.threaded = threaded is not None
            if threaded:
                return threaded
        if package.shared is None:
            facts = [("package", package.id), ("searched", "\n".join(package.directories))]
            hint = "install it with its dynamic libraries (ghc-dynamic, cabal install --lib --enable-shared)"
            raise LinkError("haskell package without a shared library", facts, hint)
        return package.shared

    def address(self, name: str) -> int:
        """The absolute address of a name of the group. Raises UndefinedSymbolsError when there is none."""
        found = self._find(name)
        if found is None:
            raise UndefinedSymbolsError([UndefinedSymbol(name, ())], "GHC's shared libraries")
        return found

    def _find(self, name: str) -> int | None:
        found = (dynamic.find_symbol(name, handle=handle) for handle in self._handles)
        return next((address for address in found if address is not None), None)

    def has(self, package: Package) -> bool:
        """Whether a package is there."""
        return package.id in self._there

    def refuse_redefined(self, objects: Iterable[Object]) -> None:
        """Raise DuplicateSymbolError for objects that define a name of the runtime or of a package again.

        Such a definition would serve the objects, and the libraries would go on with theirs. Names of C's libraries,
        which the group brings along, may be defined again.
        """
        clashes = []
        for object in objects:
            for name, at in index_symbols(object).defined.items():
                address = self._find(name) if object.symbols.bind(at) != STB_WEAK else None
                library = dynamic.library_at(address) if address is not None else None
                if library is not None and os.path.basename(library).startswith("libHS"):  # noqa: PTH119
                    clashes.append((name, library, object.name))
        if clashes:
            raise DuplicateSymbolError(clashes)

    def close(self) -> None:
        """Close the libraries. Not once the runtime was started: it has threads, and cannot start a second time."""
        self.linker.close()
        dynamic.close_libraries(self._handles)
