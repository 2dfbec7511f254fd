"""GHC's shared libraries in this process, opened as the one group that they are.

libHSrts refers to closures of base, and base to the runtime's code, but neither lists the other as needed: a program
of GHC's lists both. So `dlopen` of any one of them fails (`undefined symbol: stg_gc_unpt_r1`). A library of ours that
contains nothing but the list, written in memory, takes the program's place.

Of the runtimes we take the threaded one: Python calls from any of its threads, and only that runtime has a lock that
makes the second caller wait (GHC User's Guide, "Multi-threading and the FFI"); in the other one it would corrupt the
heap. Programs that GHC links by default have the other one. It is taken only where nothing else is installed.
"""

from __future__ import annotations

from rtlinker.elf.thread_library import thread_library
from rtlinker.errors import LinkError, UndefinedSymbol, UndefinedSymbolsError
from rtlinker.haskell.shape import PLAIN
from rtlinker.host import dynamic
from rtlinker.host.written_library import open_written_library, serial
from rtlinker.live.linker import LinkerCore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

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
        except BaseException:
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
        for handle in self._handles:
            found = dynamic.find_symbol(name, handle=handle)
            if found is not None:
                return found
        raise UndefinedSymbolsError([UndefinedSymbol(name, ())], "GHC's shared libraries")

    def close(self) -> None:
        """Close the libraries. Not once the runtime was started: it has threads, and cannot start a second time."""
        self.linker.close()
        dynamic.close_libraries(self._handles)
