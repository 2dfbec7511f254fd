"""GHC's runtime and packages linked into the low 2 GiB by ourselves: no Haskell shared library takes part.

What goes in: of the runtime the members of libHSrts_thr.a that somebody refers to; of each package its one object
(`HSbase-4.15.1.0.o`, which GHC installs for GHCi) or, where that is not installed, all of its archive. The one object
is what is fast: libHSbase.a holds the same code in 126,000 sections. The C libraries that packages name are opened.

Static code (`ghc -c` without `-dynamic`) holds the addresses of closures and info tables in 32 bits, so all of it goes
below 2 GiB, where a program that is not position-independent would be. Functions of libc get stubs there. Data of libc
is reached through copies, which is right for `stdout` and `stderr`; `environ` and `program_invocation_short_name` are
words of our own (see `haskell.hooks`).

The profiling runtime is linked in the same way, from the files whose names end in `_p.a` and `.p_o`.
"""

from __future__ import annotations

import ctypes

from rtlinker.errors import LinkError, UndefinedSymbol, UndefinedSymbolsError
from rtlinker.haskell.hooks import CHANGERS, ENVIRON, LIBC, SHORT_NAME, SURROUNDINGS
from rtlinker.haskell.shape import PLAIN, PROFILED
from rtlinker.host import dynamic
from rtlinker.live.files import library_path
from rtlinker.live.linker import LinkerCore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rtlinker.elf.object import Object
    from rtlinker.haskell.packages import Package, Packages

FIRST = ("rts", "ghc-prim", "ghc-bignum", "base")
"""The units that refer to each other in a circle: they are linked as one image."""

OURS = frozenset(("newCAF", "registerForeignExports", "registerCcsList"))
"""Names of the runtime that packages are linked with and users' objects are not."""

LATE = frozenset(("registerCcsList",))
"""Those of them that packages are not linked with either when the runtime may have started."""

ROOTS = ("hs_init_ghc", "rts_evalIO", "newGCdCAF", "getStablePtr")
"""Names that bring in the members which the packages alone would not."""

PRESENT = frozenset(("c", "m", "rt", "dl", "pthread", "util"))
"""Libraries that are parts of glibc and in every Python process."""


class StaticHost:
    """The runtime linked from archives and objects; see `haskell.host.Host`.

    `threaded` says which runtime it is. Raises LinkError when a library is not installed or cannot be linked.
    """

    def __init__(self, packages: Packages, threaded: bool = True, profiled: bool = False) -> None:
        self.kind = "profiled" if profiled else "static"
        self.shape = PROFILED if profiled else PLAIN
        self._packages = packages
        self._there: set[str] = set()
        self._opened: set[str] = set()
        self.threaded = threaded
        self.linker = LinkerCore()
        try:
            self._surround()
            self.need([packages.unit(unit) for unit in FIRST])
            self.refresh()
        except BaseException:  # an interrupt, too, must leave nothing open
            self.close()
            raise

    def need(self, packages: Sequence[Package]) -> None:
        """Link packages, and what they need, into one more image; call it before loading what refers to them."""
        linker = self.linker
        missing = [package for package in self._packages.closure(packages) if package.id not in self._there]
        if not missing:
            return
        waiting, linker._pending = linker._pending, [] if self._there else linker._pending
        self._hide(LATE if self._there else frozenset())
        try:
            for package in missing:
                self._offer(package)
            linker.resolve(ROOTS if not self._there else ())
        finally:
            self._hide(OURS)
            if self._there:
                linker._pending = waiting
        self._there.update(package.id for package in missing)

    def _hide(self, names: frozenset[str]) -> None:
        """Let the runtime's own image show all of its names but these."""
        for live in self.linker.images[:1]:
            live.scope.hidden = {*names}

    def _offer(self, package: Package) -> None:
        """Load one package's code, and open the C libraries that it names."""
        for name in package.extra_libraries:
            if name not in PRESENT and name not in self._opened:
                self.linker.load(library_path(name, package.directories), shared=True)
                self._opened.add(name)
        if package.unit == "rts":
            self.linker.load_archive(self._runtime(package))
            return
        object, archive = self._code(package)
        if object is not None:
            self.linker.load_object(object, installed=True)
        elif archive is not None:
            self.linker.load_archive(archive, whole=True)
        elif package.libraries:
            facts = [("package", package.id), ("searched", "\n".join(package.directories))]
            raise LinkError("haskell package without a static library", facts, "install it with its libHS*.a")

    def _code(self, package: Package) -> tuple[str | None, str | None]:
        """The one object and the archive of a package, where they are installed."""
        if self.shape is PROFILED:
            return package.file("{}.p_o"), package.file("lib{}_p.a")
        return package.object, package.archive

    def _runtime(self, package: Package) -> str:
        ending = ("_thr" if self.threaded else "") + ("_p" if self.shape is PROFILED else "")
        path = package.file(f"lib{{}}{ending}.a")
        if path is None:
            facts = [("package", package.id), ("searched", "\n".join(package.directories))]
            raise LinkError("haskell runtime is not installed", facts, f"install GHC with its libHSrts{ending}.a")
        return path

    def _surround(self) -> None:
        """Give the link the words that stand for libc's data, and the functions that keep one of them equal."""
        for name in (*CHANGERS, ENVIRON):
            self.linker.define(LIBC + name, dynamic.find_symbol(name) or 0)
        # only GHC's own linker in the runtime asks, for shared libraries; ours would keep a list of each reload
        self.linker.define("dl_iterate_phdr", dynamic.find_symbol("dl_iterate_phdr") or 0)
        self.linker.load_object(SURROUNDINGS.written(), "rtlinker's surroundings of GHC's runtime")

    def refresh(self) -> None:
        """Make the words that stand for libc's data equal to them; to be called before Haskell code is."""
        for name in (ENVIRON, SHORT_NAME):
            ours, libc = self.address(name), dynamic.find_symbol(name)
            ctypes.c_void_p.from_address(ours).value = ctypes.c_void_p.from_address(libc).value if libc else None

    def address(self, name: str) -> int:
        """The absolute address of a name of the runtime or of a package. Raises UndefinedSymbolsError."""
        for live in self.linker.images:
            found = live.image.address_of(name)
            if found is not None:
                return found
        raise UndefinedSymbolsError([UndefinedSymbol(name, ())], "GHC's static libraries")

    def has(self, package: Package) -> bool:
        """Whether a package is there."""
        return package.id in self._there

    def refuse_redefined(self, objects: Iterable[Object]) -> None:
        """Nothing to do: these names are images of the linker, which refuses to link another definition."""

    def close(self) -> None:
        """Free the images. Not once the runtime was started: it has threads, and cannot start a second time."""
        self.linker.close()
