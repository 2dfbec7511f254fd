"""Hot reload: the running process takes new code in and keeps its state.

    import rtlinker.hot

    server = rtlinker.hot.load("server.o")
    server.step(1)              # always the newest version
    report = server.reload()    # after the compiler has written server.o anew

See docs/hot-reload.md for what is promised, and `Module` for what there is.
"""

from __future__ import annotations

import os
import pathlib

from rtlinker.hot.domain import Domain
from rtlinker.hot.errors import (
    ClosedModuleError,
    ConstructorPolicyError,
    IncompatibleLayoutError,
    IncompatibleSignatureError,
    NotPurgedError,
    RemovedError,
    StaleSignatureError,
    StickyError,
    StillInUseError,
    SymbolRemovedError,
    UnsafeRebindError,
    UnverifiedError,
)
from rtlinker.hot.migrating import by_name
from rtlinker.hot.module import Module
from rtlinker.hot.options import Options, Settings, options
from rtlinker.hot.report import Report
from rtlinker.hot.transaction import Transaction, check_one_domain
from rtlinker.hot.version import VersionState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Path = str | os.PathLike[str] | bytes

__all__ = [
    "ClosedModuleError",
    "ConstructorPolicyError",
    "Domain",
    "IncompatibleLayoutError",
    "IncompatibleSignatureError",
    "Module",
    "NotPurgedError",
    "RemovedError",
    "Report",
    "StaleSignatureError",
    "StickyError",
    "StillInUseError",
    "SymbolRemovedError",
    "UnsafeRebindError",
    "UnverifiedError",
    "VersionState",
    "by_name",
    "domain",
    "include",
    "load",
    "load_together",
    "reload",
]

domain = Domain()
"""The domain that modules are loaded into if no other is given."""

include = str(pathlib.Path(__file__).parent)
"""The directory of `rtlinker.h`, for the compiler's -I."""


def load(
    *paths: Path,
    name: str | None = None,
    into: Domain | None = None,
    libraries: Iterable[str] = (),
    symbols: Mapping[str, object] | None = None,
    directories: Sequence[str] = (),
    whole_archives: Iterable[Path] = (),
    self_calls: str = "version",
    keep: int = 1,
    max_retained: int = 100,
) -> Module:
    """The first version of a module made of objects and archives, as `rtlinker.load` takes them.

    Members of archives join as objects need them; with archives only, all of them do, as of `whole_archives`.
    `name` is what reports call it, the first file's name if not given; `into` is its domain. `self_calls="latest"`
    lets calls within an object reach the newest version, too, where the compiler's flags prove that to be safe.
    `keep` old versions stay for a rollback; with more than `max_retained` in use there are no more reloads.

    Raises LinkError subclasses for what cannot be read or linked, OSError for files; the process is then as it was.
    """
    whole_archives = tuple(whole_archives)
    if not (paths or whole_archives):
        raise TypeError("nothing to load: give at least one object or archive")
    if self_calls not in {"version", "latest"}:
        raise TypeError(f"self_calls must be 'version' or 'latest', not {self_calls!r}")
    for option, number in (("keep", keep), ("max_retained", max_retained)):
        if not isinstance(number, int) or number < 0:
            raise TypeError(f"{option} must be how many versions, not {number!r}")
    settings = Settings(
        tuple(libraries), dict(symbols or {}), tuple(directories), whole_archives, self_calls, keep, max_retained
    )
    module = _module(paths or whole_archives, name, settings, into or domain)
    module.paths = paths
    Transaction(module.domain, [(module, paths)], Options()).run()
    return module


def load_together(*modules: Path | Sequence[Path], into: Domain | None = None) -> tuple[Module, ...]:
    """The first versions of several modules that need each other, each from a file or from several."""
    made = []
    for paths in modules:
        several = (paths,) if isinstance(paths, (str, bytes, os.PathLike)) else tuple(paths)
        made.append(_module(several, None, Settings(), into or domain))
    Transaction(into or domain, [(module, module.paths) for module in made], Options()).run()
    return tuple(made)


def _module(paths: Sequence[Path], name: str | None, settings: Settings, into: Domain) -> Module:
    if not paths:
        raise TypeError("nothing to load: give at least one object or archive")
    if name is None:
        first = paths[0]
        name = "module" if isinstance(first, bytes) else pathlib.Path(first).stem
        taken = {module.name for module in into.modules}
        number = 2
        base = name
        while name in taken:
            name, number = f"{base}-{number}", number + 1
    elif any(module.name == name for module in into.modules):
        raise ValueError(f"the domain has a module {name!r} already")
    return Module(name, paths, settings, into)


def reload(*modules: Module, **choices: object) -> tuple[Report, ...]:
    """Reload several modules by one store: all or none of them, and no call sees one new and another old.

    Options, for each of which there is a default: `allow`, names of functions whose signature may change or that may
    go although they are referred to; `migrate`, functions by variable that make the new value (`by_name` copies
    fields); `reset`, variables that begin anew; `assume_no_live`, structs of which no old object lives; `strict`,
    refuse what nothing can verify; `constructors`, `auto`, `run` or `skip`; `timeout`, seconds that a migration
    waits for calls; `forced`, reload unchanged files, too.

    Raises LinkError subclasses; every version that ran before still runs then.
    """
    requests = [(module, module.paths) for module in modules]
    return Transaction(check_one_domain(modules), requests, options(**choices)).run()
