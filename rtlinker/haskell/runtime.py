"""Haskell in this process: `Runtime` starts GHC's runtime and loads modules.

The runtime starts once per process, at the first call of a function, and then stays until the process ends: GHC's
cannot be started again after it was stopped. So all `Runtime` objects share it, and what one of them gives back when
it is closed are its modules.
"""

from __future__ import annotations

import os

from rtlinker.errors import BadObjectError, LinkError, UndefinedSymbolsError
from rtlinker.haskell.host import RUNS, open_host
from rtlinker.haskell.machine import RtsMachine
from rtlinker.haskell.missing import explain_missing, refuse_unprofiled
from rtlinker.haskell.objects import HaskellObject, read_haskell_file
from rtlinker.haskell.packages import find_packages
from rtlinker.haskell.rts import Rts
from rtlinker.live.collect import LOCK
from rtlinker.live.files import library_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType
    from typing import Self

    from rtlinker.haskell.module import Module

_there: list[RtsMachine] = []
"""GHC's runtime in this process, once its libraries are here."""


class Runtime:
    """Loads Haskell modules into this process.

    `kind` is `shared` (GHC's shared libraries, for code by `ghc -dynamic`), `static` (its archives, linked into low
    memory, for that and code by `ghc` alone), `profiled` (for code by `ghc -prof`), or None: what the first module
    needs. The process has one runtime, which all share.

    Raises LinkError when there is no GHC, or when the process has a runtime of the other kind already.
    """

    def __init__(self, kind: str | None = None) -> None:
        if kind is not None and kind not in RUNS:
            raise ValueError(f"a runtime is 'shared', 'static' or 'profiled', not {kind!r}")
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
            if kind not in RUNS[there]:
                raise _another_kind(kind, there)
            return _there[0]

    def load(
        self, *paths: str | os.PathLike[str], libraries: Iterable[str] = (), directories: Sequence[str] = ()
    ) -> Module:
        """The modules of some objects, linked, with the packages that they need.

        Of an archive all modules are linked. Modules of the same program that they refer to are looked for beside
        them, where GHC puts them. What is not by GHC among the paths is linked with them: objects and archives of C
        for foreign imports. `libraries` are names as for ld's -l, looked for in `directories` first. Raises
        BadObjectError when nothing is by GHC, UndefinedSymbolsError with decoded names for what nobody has.
        """
        from rtlinker.haskell.module import Module

        read = {os.fspath(path): read_haskell_file(os.fspath(path)) for path in paths}
        found = self._with_imports([one for file in read.values() for one in file.objects])
        if not found:
            raise _no_haskell(next(iter(read), "nothing"))
        foreign = [path for path, file in read.items() if file.others]
        machine = self.prepare(found)
        self._link(machine, found, foreign, [library_path(name, directories) for name in libraries])
        module = Module(self, machine, found, foreign)
        self.modules.append(module)
        return module

    def _link(
        self, machine: RtsMachine, found: Sequence[HaskellObject], foreign: Sequence[str], libraries: Sequence[str]
    ) -> None:
        """Link the objects, all or none of them."""
        linker = machine.rts.host.linker
        with LOCK:
            images, before = [*linker.images], linker.collected()
            try:
                for one in found:
                    linker.load_object(one.object.data, one.object.name)
                for path in foreign:
                    linker.load(path)
                for path in libraries:
                    linker.load(path, shared=True)
                machine.keeper.link()
                machine.linked()
            except BaseException as error:  # an interrupt leaves no more behind than an error
                for name in {one.object.name for one in found} if linker.images != images else ():
                    linker.unload(name)
                linker.take_back(before)
                if isinstance(error, UndefinedSymbolsError):
                    raise explain_missing(error, self.packages) from None
                raise

    def read_again(self, module: Module) -> list[HaskellObject]:
        """What the files of a module's objects hold now, with what they import and nobody has loaded.

        Raises BadObjectError for one that is not by GHC any more.
        """
        found: list[HaskellObject] = []
        for path in module.objects:
            file = read_haskell_file(path)
            if not file.objects:
                raise _no_haskell(path)
            found += file.objects
        return self._with_imports(found, [each for each in self.modules if each is not module])

    def prepare(self, found: Sequence[HaskellObject]) -> RtsMachine:
        """The runtime for the objects, with the packages that they refer to."""
        refuse_unprofiled(found, self.packages)
        machine = self.machine_for(_kind_of(found))
        units = dict.fromkeys([unit for one in found for unit in one.units])
        machine.need([self.packages.by_unit[unit] for unit in units if unit in self.packages.by_unit])
        return machine

    def replace(self, machine: RtsMachine, old: Sequence[str], new: Sequence[tuple[bytes, str]]) -> None:
        """Link objects (bytes and name) in the place of old ones, all or none of them."""
        try:
            machine.keeper.replace(old, new)
            machine.linked()
        except UndefinedSymbolsError as error:
            raise explain_missing(error, self.packages) from None

    def _with_imports(self, found: list[HaskellObject], others: Sequence[Module] | None = None) -> list[HaskellObject]:
        """The objects, and those beside them of the modules that they refer to and that `others` do not have."""
        there = {module for one in found for module in one.modules}
        there |= {name for module in (self.modules if others is None else others) for name in module.names}
        waiting = [*found]
        while waiting:
            one = waiting.pop()
            for wanted in one.wants:
                path = one.beside(wanted, one.ending)
                if wanted not in there and os.path.isfile(path):  # noqa: PTH113
                    more = read_haskell_file(path).objects
                    found += more
                    waiting += more
                    there.update([module for other in more for module in other.modules])
        return found

    @property
    def kept(self) -> tuple[str, ...]:
        """Why memory of unloaded modules is still there, a text for each reason; empty when all was given back."""
        if not _there:
            return ()
        _there[0].keeper.collect()
        return _there[0].keeper.kept

    def close(self) -> None:
        """Unload the modules. The runtime itself stays, for other `Runtime` objects of the process."""
        for module in reversed([*self.modules]):
            module.unload()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _kind_of(found: Sequence[HaskellObject]) -> str:
    """The kind of runtime that the objects need."""
    if any(one.profiled for one in found):
        return "profiled"
    return "static" if any(one.static for one in found) else "shared"


def _another_kind(wanted: str, there: str) -> LinkError:
    said = {
        "static": "static: runs code by `ghc -c`",
        "shared": "shared: GHC's shared libraries",
        "profiled": "profiled: runs code by `ghc -prof`",
    }
    hint = None
    if "profiled" in {wanted, there}:
        hint = f"compile {'with' if there == 'profiled' else 'without'} -prof, or use a process of its own"
    elif wanted == "static":
        hint = "compile with -dynamic, or ask for Runtime('static') before anything else: it runs both"
    facts = [("wanted", said[wanted]), ("there", said[there])]
    return LinkError("haskell runtime of another kind is there already", facts, hint)


def _no_haskell(path: str) -> BadObjectError:
    return BadObjectError(path, "not an object by GHC", "no symbol of a haskell module")
