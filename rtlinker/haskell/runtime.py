"""Haskell in this process: `Runtime` starts GHC's runtime and loads modules.

The runtime starts once per process, at the first call of a function, and then stays until the process ends: GHC's
cannot be started again after it was stopped. So all `Runtime` objects share it, and what one of them gives back when
it is closed are its modules.
"""

from __future__ import annotations

import os

from rtlinker.elf.reader import read_object
from rtlinker.errors import BadObjectError, LinkError, UndefinedSymbolsError
from rtlinker.haskell.host import open_host
from rtlinker.haskell.machine import RtsMachine
from rtlinker.haskell.missing import explain_missing, refuse_profiling
from rtlinker.haskell.objects import HaskellObject, read_haskell
from rtlinker.haskell.packages import find_packages
from rtlinker.haskell.rts import Rts
from rtlinker.live.collect import LOCK
from rtlinker.live.files import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rtlinker.haskell.module import Module

_there: list[RtsMachine] = []
"""GHC's runtime in this process, once its libraries are here."""


class Runtime:
    """Loads Haskell modules into this process.

    `kind` is `shared` (GHC's shared libraries, for code by `ghc -dynamic`), `static` (its archives, linked into low
    memory, for any code), or None: what the first module needs. `packages` are names of packages to bring in
    although no module refers to them.

    Raises LinkError when there is no GHC, or when the process has a runtime of the other kind already.
    """

    def __init__(self, kind: str | None = None) -> None:
        if kind not in {None, "shared", "static"}:
            raise ValueError(f"a runtime is 'shared' or 'static', not {kind!r}")
        self.packages = find_packages()
        self.modules: list[Module] = []
        if kind is not None:
            there = self.machine_for(kind).rts.host.kind
            if there != kind:
                raise _another_kind(kind, there)

    def machine_for(self, kind: str) -> RtsMachine:
        """The process's runtime, whose libraries are opened when there are none; it starts at the first call.

        Raises LinkError when the runtime that is there cannot run code of that kind.
        """
        with LOCK:
            if not _there:
                _there.append(RtsMachine(Rts(open_host(kind, self.packages)), self.packages))
            there = _there[0].rts.host.kind
            if kind == "static" and there == "shared":
                raise _another_kind(kind, there)
            return _there[0]

    def load(self, *paths: str | os.PathLike[str]) -> Module:
        """The modules of some objects, linked, with the packages that they need.

        Modules of the same program that they refer to are looked for beside them, where GHC puts them. Raises
        BadObjectError for what is not GHC's, UndefinedSymbolsError with decoded names for what nobody has.
        """
        from rtlinker.haskell.module import Module

        found = self._with_imports([self._read(os.fspath(path)) for path in paths])
        machine = self.machine_for("static" if any(one.static for one in found) else "shared")
        units = dict.fromkeys([unit for one in found for unit in one.units])
        machine.rts.host.need([self.packages.by_unit[unit] for unit in units if unit in self.packages.by_unit])
        self._link(machine, found)
        module = Module(machine, found)
        self.modules.append(module)
        return module

    def _link(self, machine: RtsMachine, found: list[HaskellObject]) -> None:
        """Link the objects, all or none of them."""
        linker = machine.rts.host.linker
        with LOCK:
            for one in found:
                linker.load_object(one.object.data, one.object.name)
            try:
                machine.keeper.link()
            except BaseException as error:
                for one in found:
                    linker.unload(one.object.name)
                if isinstance(error, UndefinedSymbolsError):
                    raise explain_missing(error, self.packages) from None
                raise

    def _read(self, path: str) -> HaskellObject:
        found = read_haskell(read_object(read_file(path), path))
        if found is None:
            raise BadObjectError(path, "not an object by GHC", "no symbol of a haskell module")
        refuse_profiling(found, self.packages)
        return found

    def _with_imports(self, found: list[HaskellObject]) -> list[HaskellObject]:
        """The objects, and those beside them of the modules that they refer to."""
        there = {module for one in found for module in one.modules}
        there |= {name for module in self.modules for name in module.names}
        waiting = [*found]
        while waiting:
            one = waiting.pop()
            for wanted in one.wants:
                path = None if wanted in there else _beside(one, wanted)
                if path is not None:
                    other = self._read(path)
                    found.append(other)
                    waiting.append(other)
                    there.update(other.modules)
        return found

    def close(self) -> None:
        """Unload the modules. The runtime itself stays, for other `Runtime` objects of the process."""
        for module in reversed(self.modules):
            module.unload()
        self.modules.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _another_kind(wanted: str, there: str) -> LinkError:
    said = {"static": "static: runs code by `ghc -c`", "shared": "shared: GHC's shared libraries"}
    hint = "compile with -dynamic, or ask for Runtime('static') before anything else: it runs both"
    facts = [("wanted", said[wanted]), ("there", said[there])]
    return LinkError("haskell runtime of another kind is there already", facts, hint if wanted == "static" else None)


def _beside(one: HaskellObject, wanted: str) -> str | None:
    """Where GHC puts a module's object if `one` is where it put that one's; None where no file is."""
    path = os.path.abspath(one.object.name)  # noqa: PTH100
    root = path
    for _ in one.modules[0].split("."):
        root = os.path.dirname(root)  # noqa: PTH120
    base = os.path.basename(path)  # noqa: PTH119
    ending = base[base.index(".") :] if "." in base else ""
    found = os.path.join(root, *wanted.split(".")) + ending  # noqa: PTH118
    return found if os.path.isfile(found) else None  # noqa: PTH113
