"""What both ways of having a runtime have in common: GHC's shared libraries, and its archives linked by ourselves.

Which of the two is decided by the first object that is loaded. Static code (`ghc -c`) holds the addresses of the
packages' closures and info tables in 32 bits: it runs only where those lie in the low 2 GiB, and that is where we link
them ourselves; the dynamic linker never puts them there. A stub or a copy would not do, as it does in C: the garbage
collector knows a closure by its address, and reads the table in front of the code that an info pointer leads to. Code
by `ghc -dynamic` reads all addresses from its GOT and runs with either.

Code by `ghc -prof` has larger closures (`haskell.shape`): nothing of it can be in one process with other code. So there
is a third kind, linked as the static one is, from the libraries for profiling.
"""

from __future__ import annotations

RUNS = {
    "shared": frozenset(("shared",)),
    "static": frozenset(("static", "shared")),
    "profiled": frozenset(("profiled",)),
}
"""Kind of runtime -> the kinds of code that it runs: `shared` is code by `ghc -dynamic`."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Protocol

    from rtlinker.elf.object import Object
    from rtlinker.haskell.packages import Package, Packages
    from rtlinker.haskell.shape import Shape
    from rtlinker.live.linker import LinkerCore

    class Host(Protocol):
        """GHC's runtime and packages in this process."""

        kind: str
        """`shared`, `static` or `profiled`."""
        shape: Shape
        """How its closures lie in memory."""
        linker: LinkerCore
        """Where objects are loaded; it knows every name of the runtime and of the packages."""

        def address(self, name: str) -> int:
            """The absolute address of a function or datum of the runtime. Raises UndefinedSymbolsError."""

        def need(self, packages: Sequence[Package]) -> None:
            """Bring in packages and what they need; those that are there already stay as they are. Under LOCK."""

        def has(self, package: Package) -> bool:
            """Whether a package is there."""

        def refuse_redefined(self, objects: Iterable[Object]) -> None:
            """Raise DuplicateSymbolError for objects that define a name of the runtime or of a package again."""

        def close(self) -> None:
            """Give everything back. Only a host whose runtime was not started can be closed."""

    class Machine(Protocol):
        """What a runtime has to offer: its names, its lock, and evaluation with Haskell's exceptions made Python's."""

        @property
        def shape(self) -> Shape:
            """How its closures lie in memory."""

        def address(self, name: str) -> int:
            """The absolute address of a symbol of the runtime."""

        def locate(self, package: str, module: str, name: str, suffix: str) -> int:
            """The absolute address of `package:module.name`'s `closure` or `con_info`; the package is there."""

        def require(self, package: str) -> None:
            """Bring a package in. Not while this thread holds a capability."""

        def version(self, package: str) -> tuple[int, ...]:
            """The version of a package that is there."""

        def lock(self) -> int:
            """A capability for this thread (rts_lock)."""

        def unlock(self, capability: int) -> None:
            """Give the capability back (rts_unlock)."""

        def capability(self) -> int:
            """The capability that this thread has now; an evaluation may exchange it, also one that fails."""

        def evaluate(self, closure: int, io: bool) -> int:
            """The closure in weak head normal form, or what the action returned."""


def open_host(kind: str, packages: Packages) -> Host:
    """A host of that kind, with the runtime and base. Raises LinkError when GHC's libraries are not installed."""
    if kind == "shared":
        from rtlinker.haskell.shared_host import SharedHost

        return SharedHost(packages)
    from rtlinker.haskell.static_host import StaticHost

    return StaticHost(packages, profiled=kind == "profiled")
