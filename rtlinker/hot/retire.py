"""When old code may go: the questions that are asked of every old version, and what keeps one.

    calls           a call from Python that was entered before the version was replaced may run in it
    threads         a thread that its code has started may run in it
    registrations   libc, the kernel or a thread's end may still call it: signal handlers, atexit, keys, timers ...
    entries         callers that were left with a function's old signature call it
    pointers        a function that is local to its object has no entry: memory may hold its address

The first is exact and cheap. The others are asked only of versions that could be concerned: their objects refer to
the functions by which one registers or starts threads, or take such an address. For pointers all memory is searched
(`host.roots`), at once for all versions that wait for it.
"""

from __future__ import annotations

from time import monotonic

from rtlinker.hot.linking import FRONT
from rtlinker.hot.migrating import call_text
from rtlinker.live.pins import destroying_threads, handled_signals, running_threads, waiting_in
from rtlinker.live.registrations import registered
from rtlinker.x86_64.registry import NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.host.stacks import SeenThread
    from rtlinker.hot.domain import Domain
    from rtlinker.hot.state import ModuleState
    from rtlinker.hot.version import Version
    from rtlinker.live.install import LiveImage

SEARCH_AT = 8
"""With so many old versions that only a search of memory can free, a reload makes one. Where the last one has left
some, it waits for twice as many more, so that what stays for good is not searched for at every turn."""

UNSEEN = frozenset(("clone", "__clone", "timer_create"))
"""What starts threads that no registry counts."""


def in_flight(domain: Domain, epoch: int) -> tuple[str, ...]:
    """The calls from Python that were entered before an epoch began, as texts."""
    return tuple([call_text(thread, mark) for thread, mark in domain.calls.before(epoch).items()])


def native_threads(module: ModuleState, version: Version) -> tuple[str, ...]:
    """The threads that C code has started and that may be in a version, as texts."""
    start, end = version.text
    replaced = module.domain.epoch + 1 if version.retired is None else version.retired
    domain = module.domain
    several = [other for other in (*domain.modules, *domain.closing) if other is not module]
    threads = [thread for each in (module, *several) for thread in each.native_threads()]
    asked = [thread for thread in threads if start <= thread.start < end or thread.may_be_in(start, end, replaced)]
    if not asked:
        return ()
    from rtlinker.host.stacks import look_at

    seen = {each.tid: each for each in look_at([thread.tid for thread in asked if thread.tid], [(start, end)])}
    found = []
    for thread in asked:
        known = seen.get(thread.tid)
        if thread.tid and (known is None or not known.may_be_in):
            continue
        if known is not None and not thread.may_be_in(start, end, replaced) and _has_left(known):
            continue
        what = known.says(version.linker.describe) if known is not None else "a thread that has not begun"
        found.append(f"{what}, since {monotonic() - thread.since:.1f} s")
    return tuple(found)


def _has_left(thread: SeenThread) -> bool:
    """Whether a thread that said so has left the version it was started in, where its first frame may still be."""
    return thread.state not in {"running", "unknown"} and not thread.inside and not thread.returns


def reasons(module: ModuleState, version: Version) -> tuple[str, ...]:
    """Why an old version's code must stay, but for pointers in memory; empty when nothing of that is so."""
    if version.retired is None:
        return ("it is current",)
    calls = in_flight(module.domain, version.retired)
    if calls:
        return calls
    live = version.linker.live
    assert live is not None
    found = [*native_threads(module, version), *_registered(module, version, live)]
    for other in module.domain.modules:
        if other is not module and other.current.entries_used:
            numbers = other.current.entries_used.values()
            found += [
                f"{other.name} calls {name} as version {version.number} declared it"
                for number, name in version.renewed.items()
                if number in numbers
            ]
    return tuple(found)


def _registered(module: ModuleState, version: Version, live: LiveImage) -> list[str]:
    found = [*handled_signals(live), *destroying_threads(live, waiting_in([live])), *registered(live, NAMES)]
    if any(not index.undefined.keys().isdisjoint(UNSEEN) for index in live.image.resolution.indexes):
        found += running_threads(live)
    found = [f"version {version.number} {text}" for text in found]
    if module.registry is not None:
        for registration in module.registry.pending(*version.text):
            text = registration.says(version.linker.describe)
            found.append(f"{text}, registered by version {version.number}")
    return found


def sweep(module: ModuleState, search: bool = False) -> None:
    """Free the old versions of a module that nothing holds, but for those kept for a rollback."""
    old = old_versions(module)
    release(module, old[: max(len(old) - module.settings.keep, 0)], search)


def old_versions(module: ModuleState) -> list[Version]:
    """Those whose code is there and that are not current, oldest first."""
    return [version for version in module.versions_kept[:-1] if not version.text_freed]


def release(module: ModuleState, versions: Sequence[Version], search: bool) -> None:
    """Free the code of old versions that nothing holds, then what is left of versions that no other uses.

    Where memory must be searched for pointers, that is done if `search`, or if enough versions wait for it.
    """
    waiting: list[Version] = []
    for version in versions:
        version.reasons = reasons(module, version)
        if version.reasons:
            continue
        if version.escapes or version.switches:
            version.reasons = ("memory was not searched for pointers to its functions yet: purge() does",)
            waiting.append(version)
        else:
            _free_text(module, version)
    # a closed module's bodies go as soon as its last code does: nobody else can have its variables
    bodies = [] if module.closed else [version for version in _unused_bodies(module) if not version.bare]
    count = len(waiting) + len(bodies)
    if count and (search or count >= SEARCH_AT + 2 * module.left_by_search):
        _search(module, waiting, bodies)
        left = [version for version in waiting if not version.text_freed]
        module.left_by_search = len(left) + sum(not version.body_freed for version in bodies)
    for version in _unused_bodies(module):
        if version.bare:
            _free_body(module, version)


def _free_text(module: ModuleState, version: Version) -> None:
    version.reasons = ()
    module.domain.forget(version, module.name)
    version.linker.free_text()
    version.text_freed = True


def _free_body(module: ModuleState, version: Version) -> None:
    version.linker.free_body()
    version.body_freed = True
    module.versions_kept.remove(version)


def _unused_bodies(module: ModuleState) -> list[Version]:
    """Versions whose code is gone and in whose memory no other version has variables or constants."""
    return [
        version
        for version in module.versions_kept
        if version.text_freed
        and not any(
            version.number in other.bodies
            for other in module.versions_kept
            if other is not version and not other.body_freed
        )
    ]


def _tables(version: Version) -> list[tuple[int, int]]:
    start = version.text[0]
    return [(start + first, start + last) for first, last in version.tables]


def _search(module: ModuleState, texts: list[Version], bodies: list[Version]) -> None:
    """Free what no word of memory points to. What is in the bodies themselves does not count: it goes with them."""
    from rtlinker.host.roots import pointers_into
    from rtlinker.hot.records import record_spans

    spans = [version.text for version in texts] + [version.body_span for version in bodies]
    spans += [span for version in texts for span in _tables(version)]
    hits = pointers_into(spans, [*(version.body_span for version in bodies), *record_spans()])
    for version in texts:
        start, end = version.text
        local = version.escapes
        held = [
            hit
            for hit in hits
            if (start + FRONT <= hit.value < end and (not local or hit.value - start in local or version.switches))
            or any(first <= hit.value < last for first, last in _tables(version))
        ]
        if held:
            version.reasons = tuple(
                [
                    f"{hit.mapping} at {hit.address:#x} points to {version.linker.describe(hit.value)}"
                    for hit in held[:3]
                ]
            )
        else:
            _free_text(module, version)
    for version in bodies:
        start, end = version.body_span
        held = [hit for hit in hits if start <= hit.value < end]
        if not held:
            _free_body(module, version)
