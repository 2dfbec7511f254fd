"""When old code may go: the questions that are asked of every old version, and what keeps one.

    calls           a call from Python that was entered before the version was replaced may run in it
    registrations   libc, the kernel or a thread's end may still call it: signal handlers, atexit, keys, timers ...
    threads         a thread that C code started may run in it
    entries         callers that were kept with a function's old signature call it
    pointers        a function that is local to its object has no entry: memory may hold its address

The first is exact and cheap. The others are asked only of versions that could be concerned: their objects refer to
the functions by which one registers, or take such an address.
"""

from __future__ import annotations

from rtlinker.hot.migrating import call_text
from rtlinker.live.pins import reasons as live_reasons
from rtlinker.live.pins import waiting_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.hot.domain import Domain
    from rtlinker.hot.module import Module
    from rtlinker.hot.version import Version


def in_flight(domain: Domain, epoch: int) -> tuple[str, ...]:
    """The calls from Python that were entered before an epoch began, as texts."""
    return tuple([call_text(thread, mark) for thread, mark in domain.calls.before(epoch).items()])


def reasons(module: Module, version: Version) -> tuple[str, ...]:
    """Why an old version's code must stay; empty when nobody can be in it or come back to it."""
    if version.retired is None:
        return ("it is current",)
    calls = in_flight(module.domain, version.retired)
    if calls:
        return calls
    live = version.linker.live
    assert live is not None
    found = [f"{text} (version {version.number})" for text in live_reasons(live, waiting_in([live]))]
    found += module.registered(version)
    for other in module.domain.modules:
        if other is not module and other.current.entries_used:
            numbers = other.current.entries_used.values()
            found += [
                f"{other.name} calls {name} as version {version.number} declared it"
                for number, name in version.renewed.items()
                if number in numbers
            ]
    return tuple(found)


def sweep(module: Module) -> None:
    """Free the old versions of a module that nothing holds, but for those kept for a rollback."""
    old = [version for version in module.versions_kept[:-1] if not version.text_freed]
    for version in old[: max(len(old) - module.settings.keep, 0)]:
        release(module, version)
    free_bodies(module)


def release(module: Module, version: Version) -> bool:
    """Free an old version's code if nothing holds it; whether it is free."""
    if version.text_freed:
        return True
    version.reasons = reasons(module, version)
    if version.reasons:
        return False
    module.domain.forget(version, module.name)
    version.linker.free_text()
    version.text_freed = True
    return True


def free_bodies(module: Module) -> None:
    """Free what is left of versions whose code is gone, where no other version has variables or constants in it."""
    for version in list(module.versions_kept):
        if not version.text_freed:
            continue
        used = any(
            version.number in other.bodies
            for other in module.versions_kept
            if other is not version and not other.body_freed
        )
        if not used and module.is_bare(version):
            version.linker.free_body()
            version.body_freed = True
            module.versions_kept.remove(version)
