"""What an image has given to libc and libstdc++ for later: a reason to keep it when it is unloaded.

Where the process can be asked who points into the image, it is asked, so that what was taken back keeps nothing. Of the
other functions a reference to the name counts, whether it was called or not: their tables are libc's secret.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from rtlinker.live.install import LiveImage

KEYS = frozenset("pthread_key_create __pthread_key_create tss_create".split())
FILES = frozenset("setvbuf setbuf setbuffer fopencookie".split())
VARIABLES = frozenset("putenv environ __environ _environ".split())
TIMERS = frozenset(("timer_create",))

STAY = frozenset(
    "on_exit mq_notify register_printf_specifier register_printf_function register_printf_modifier "
    "register_printf_type".split()
)
"""Functions of libc whose registrations nobody can read."""

FACETS = frozenset(("_ZNSt6locale6globalERKS_", "_ZNSt6locale5_Impl16_M_install_facetEPKNS_2idEPKNS_5facetE"))
"""std::locale::global, and what puts a facet of one's own into a locale: both together leave it in use."""

HOOKS = {
    "_ZSt13set_terminatePFvvE": ("_ZSt13get_terminatev", "std::terminate"),
    "_ZSt14set_unexpectedPFvvE": ("_ZSt14get_unexpectedv", "std::unexpected"),
    "_ZSt15set_new_handlerPFvvE": ("_ZSt15get_new_handlerv", "operator new"),
}
"""What sets a function of libstdc++'s, what gets it, and who calls it."""

STREAMS = {
    f"_ZSt{len(name)}{name}": f"std::{name}"
    for name in ("cin", "cout", "cerr", "clog", "wcin", "wcout", "wcerr", "wclog")
}
STREAM_SIZE = 280
"""Bytes of the largest of these objects (std::cin), in libstdc++'s ABI since version 6."""

REGISTER = KEYS | FILES | VARIABLES | TIMERS | STAY | FACETS | HOOKS.keys() | STREAMS.keys()


def registered(live: LiveImage, tracked: Container[str] = ()) -> list[str]:
    """What would still call the image or read its memory, but for what is registered by the names in `tracked`."""
    referred = {name for index in live.image.resolution.indexes for name in index.undefined.keys() & REGISTER}
    names = {name for name in referred if name not in tracked}
    if not names:
        return []
    start = live.image.address
    span = start, start + live.image.layout.size
    found = [f"refers to {name}, whose registrations stay" for name in sorted(names & STAY)]
    if names >= FACETS:
        found.append("refers to std::locale::global, whose facets stay")
    for concerned, ask in QUESTIONS:
        if not names.isdisjoint(concerned):
            found += ask(names, *span)
    return found


def _keys(names: set[str], start: int, end: int) -> list[str]:
    from rtlinker.host.registered import keys_destroyed_in

    keys = keys_destroyed_in(start, end)
    if keys is None:
        return _unknown(names & KEYS)
    return [f"thread key {key} will call its destructor" for key in keys]


def _files(names: set[str], start: int, end: int) -> list[str]:
    from rtlinker.host.registered import files_pointing_into

    return [f"{file} has a buffer or functions in it" for file in files_pointing_into(start, end)]


def _variables(names: set[str], start: int, end: int) -> list[str]:
    from rtlinker.host.registered import variables_in

    return [f"environment variable {name} is in it" for name in variables_in(start, end)]


def _timers(names: set[str], start: int, end: int) -> list[str]:
    from rtlinker.host.registered import timers_calling

    timers = timers_calling(start, end)
    if timers is None:
        return _unknown(names & TIMERS)
    return [f"{timers} timer{'s' * (timers > 1)} will call it"] if timers else []


def _unknown(names: Iterable[str]) -> list[str]:
    return [f"refers to {name}, whose registrations stay" for name in sorted(names)]


def _hooks(names: set[str], start: int, end: int) -> list[str]:
    import ctypes

    found = []
    for name in sorted(names & HOOKS.keys()):
        getter, caller = HOOKS[name]
        address = _in_libstdcxx(getter)
        if address and start <= (ctypes.CFUNCTYPE(ctypes.c_void_p)(address)() or 0) < end:
            found.append(f"{caller} will call it")
    return found


def _streams(names: set[str], start: int, end: int) -> list[str]:
    from rtlinker.host.registered import points_into

    found = []
    for name in sorted(names & STREAMS.keys()):
        address = _in_libstdcxx(name)
        if address and points_into(address, STREAM_SIZE, start, end):
            found.append(f"{STREAMS[name]} has a buffer or stream in it")
    return found


def _in_libstdcxx(name: str) -> int | None:
    from rtlinker.host import dynamic

    opened: list[int] = []
    handle = dynamic.loaded_library("libstdc++.so.6", opened)
    try:
        return dynamic.find_symbol(name, handle=handle) if handle is not None else None
    finally:
        dynamic.close_libraries(opened)


QUESTIONS: tuple[tuple[Iterable[str], Callable[[set[str], int, int], list[str]]], ...] = (
    (KEYS, _keys),
    (FILES, _files),
    (VARIABLES, _variables),
    (TIMERS, _timers),
    (HOOKS, _hooks),
    (STREAMS, _streams),
)
"""Names, of which the image must use one, and a question to the process with the image's start and end."""
