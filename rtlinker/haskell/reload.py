"""Reloading: a module's objects are read again and linked in the place of the old ones, if what uses them still fits.

What is compared, before anything changes:

- **Types.** Python has the types of functions, and Haskell values of the old version may be passed to the new one. So a
  name that is exported before and after must have the same type, and a data type the same declaration.
- **Importers.** A loaded module that imports this one was compiled against its interface: types, and whatever GHC
  inlined into it. GHC records a hash for each name that was used. While they are as they were, the importer is right;
  it is linked again from the bytes that are loaded, so that it calls the new code. Otherwise it must be compiled again,
  and loaded with the new file.

What the interfaces said when a module was loaded is known from their bytes (`haskell.snapshot`).
"""

from __future__ import annotations

from rtlinker.errors import ReloadError
from rtlinker.haskell.snapshot import Snapshot
from rtlinker.haskell.types import write
from rtlinker.live.collect import LOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.haskell.module import Module
    from rtlinker.haskell.objects import HaskellObject
    from rtlinker.haskell.types import Type


def reload(module: Module) -> None:
    """See `Module.reload`."""
    found = module.runtime.read_again(module)
    if not module.loaded:
        raise ReloadError("read", "haskell module was unloaded", [("module", ", ".join(module.names))])
    importers = _importers(module)
    if not _changed(module, found):
        return
    after = Snapshot.of(found)
    if after != module.snapshot:
        _refuse_other_types(module, after)
        _refuse_stale(importers, after, module.machine.packages.compiler.program)
    _refuse_other_modules(module, found)
    module.runtime.prepare(found)
    renewed = {module: tuple(found), **{each: each.found for each in importers}}
    linked = {each: tuple([_next_name(each, one) for one in objects]) for each, objects in renewed.items()}
    old = [name for each in reversed(renewed) for name in each.linked]
    new = [(one.object.data, name) for each, objects in renewed.items() for one, name in zip(objects, linked[each])]
    with module.machine.values.heap.turn, LOCK:
        module.runtime.replace(module.machine, old, new)
        for each, objects in renewed.items():
            each.take(objects, linked[each])
            each.renew_handles()
    module.machine.keeper.collect()


def _refuse_other_modules(module: Module, found: Sequence[HaskellObject]) -> None:
    """Raises ReloadError where a file holds another module now: handles and types are those of the old one."""
    for old, new in zip(module.found, found):
        if old.modules and new.modules and old.modules != new.modules:
            facts = [("file", old.object.name), ("was", ", ".join(old.modules)), ("is", ", ".join(new.modules))]
            raise ReloadError("types", "file holds another haskell module now", facts, "unload the module, and load it")


def _changed(module: Module, found: Sequence[HaskellObject]) -> bool:
    return [one.object.data for one in module.found] != [one.object.data for one in found]


def _next_name(module: Module, one: HaskellObject) -> str:
    """What the linker calls the next version of an object: `Test.o`, then `Test.o, reload 1` ..."""
    path = one.object.name
    last = next((name for name in module.linked if name == path or name.startswith(f"{path}, reload ")), "")
    return f"{path}, reload {int(last.rpartition(' ')[2]) + 1 if last != path and last else 1}"


def _importers(module: Module) -> list[Module]:
    """The loaded modules that import it, or import one that does, those that are imported before those that import.

    Objects tell by what they refer to, and interfaces what else was used and is inlined.
    """
    found: list[Module] = []
    names = {*module.names}
    others = [each for each in module.runtime.modules if each is not module]
    while True:
        more = [each for each in others if each not in found and not names.isdisjoint(_imports(each))]
        if not more:
            return found
        found += more
        names |= {name for each in more for name in each.names}


def _imports(module: Module) -> set[str]:
    """The names of modules that it was compiled with."""
    wanted = {name for one in module.found for name in one.wants}
    return wanted | {usage.module for interface in module.interfaces for usage in interface.usages}


def _refuse_other_types(module: Module, after: Snapshot) -> None:
    """Raises ReloadError for the names whose type or declaration is another one now."""
    ghc = module.machine.packages.compiler.program
    new = {each.module: each for each in after.interfaces(ghc)}
    facts = []
    for old in module.interfaces:
        now = new.get(old.module)
        for name, before in old.exports.items() if now is not None else ():
            is_now = now.exports.get(name) if now is not None else None
            if is_now is not None and is_now != before:
                facts += [("name", f"{old.module}.{name}"), ("was", _shown(before)), ("is", _shown(is_now))]
        for name in old.types if now is not None else ():
            if now is not None and name in now.types and now.hashes.get(name) != old.hashes.get(name):
                facts += [("type", f"{old.module}.{name}"), ("changed", "its declaration: values of it are not safe")]
    if facts:
        raise ReloadError("types", "types have changed", facts)


def _shown(kind: Type | str) -> str:
    return kind if isinstance(kind, str) else write(kind)


def _refuse_stale(importers: list[Module], after: Snapshot, ghc: str) -> None:
    """Raises ReloadError for importers, loaded with the module or apart, compiled against what has changed."""
    from rtlinker.haskell.seeing import stale_usages

    own = after.interfaces(ghc)
    new = {each.module: each for each in own}
    facts = []
    for interface in [*own, *[each for importer in importers for each in importer.interfaces]]:
        for stale in stale_usages(interface, new):
            facts += [("module", interface.module), ("uses", f"{stale.module}.{stale.name}, which has changed")]
    if facts:
        raise ReloadError("importers", "an importing module must be compiled again", facts)
