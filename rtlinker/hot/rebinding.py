"""Functions that an old version has registered with libc, and that the new version has, too.

What is registered by the address of an exported function leads to its entry, and so to the newest version. A function
that is local to its object has no entry: the registration is changed to the function of the same name in the same unit
of the new version, if its type is the same. Where there is none, the old version stays until it was called.

Compilers make functions that destroy arrays, and count them anew each time: those have to refer to the same variables.
"""

from __future__ import annotations

from struct import iter_unpack

from rtlinker.elf.constants import SHF_WRITE, STT_FUNC
from rtlinker.hot.registry import KINDS
from rtlinker.x86_64.registry import CXA_ATEXIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtlinker.hot.registry import Registration, Registry
    from rtlinker.hot.state import ModuleState
    from rtlinker.hot.version import Version

    Local = tuple[str, str]
    """The unit as the module's first version named it, and the symbol."""

COUNTED = ("__tcf_", "__cxx_global_array_dtor")
"""How gcc and clang begin the names of functions that destroy an array."""


def local_functions(version: Version) -> dict[Local, int]:
    """The functions of a version that are local to their objects, in bytes from the start of its code.

    Not their addresses: what tables of Python leave behind in memory would look like pointers.
    """
    from rtlinker.hot.variables import unit_names

    resolution, addresses = version.image.resolution, version.image.addresses
    found: dict[Local, int] = {}
    for number, (object, units) in enumerate(zip(resolution.objects, unit_names(resolution))):
        symbols = object.symbols
        for at in range(1, symbols.first_global):
            if symbols.type(at) == STT_FUNC:
                unit = next((name for first, name in reversed(units) if first < at), "")
                address = addresses.of_own(number, at)
                if address is not None:
                    found[version.units.get(unit, unit), symbols.name(at)] = address - version.text[0]
    return found


def rebind_registrations(module: ModuleState, old: Version, new: Version) -> None:
    """Let what an old version has registered call the new version's functions, where they are the same."""
    registry = module.registry
    if registry is None:
        return
    pending = registry.pending(*old.text)
    if pending:
        _rebind(registry, pending, old, new)
    _withdraw_twins(registry)


def _rebind(registry: Registry, pending: Iterable[Registration], old: Version, new: Version) -> None:
    before = {offset: local for local, offset in local_functions(old).items()}
    after = local_functions(new)
    for offset in {registration.function - old.text[0] for registration in pending}:
        local = before.get(offset)
        if local in after and local is not None and _same_type(old, new, local) and _same_data(old, new, local):
            registry.rebind(old.text[0] + offset, new.text[0] + after[local])


def _same_type(old: Version, new: Version, local: Local) -> bool:
    """Whether both versions describe the function, and alike; without debug information names have to do."""
    was, now = _described(old, local), _described(new, local)
    if was is None or now is None:
        return was is now
    from rtlinker.bind.abi import breaks, signature_changes

    return not breaks(signature_changes(was.type, now.type))


def _described(version: Version, local: Local):  # type: ignore[no-untyped-def]
    found = [
        function
        for program in version.programs.values()
        for function in program.functions
        if function.symbol == local[1] and function.section is not None and not function.external
    ]
    return found[0] if found else None


def _withdraw_twins(registry: Registry) -> None:
    """Take back all but the last of equal destructors: an object that was constructed anew is destroyed once."""
    seen: set[tuple[int, int]] = set()
    for registration in reversed(registry.pending()):
        if registration.kind == KINDS[CXA_ATEXIT]:
            key = registration.function, registration.argument
            if key in seen:
                registry.withdraw([registration])
            seen.add(key)


def _same_data(old: Version, new: Version, local: Local) -> bool:
    """Whether a function that compilers name by counting is the same: it refers to the same variables."""
    name = local[1]
    counted = name.startswith(COUNTED) or "." in name
    return not counted or _variables_in(old, local) == _variables_in(new, local)


def _variables_in(version: Version, local: Local) -> list[tuple[str, int]]:
    """The places in writable sections that a function refers to, by names and distances from those, sorted."""
    from rtlinker.hot.variables import unit_names

    found = []
    resolution = version.image.resolution
    for object, units in zip(resolution.objects, unit_names(resolution)):
        symbols, flags = object.symbols, object.sections.flags
        for at in range(1, symbols.first_global):
            unit = next((name for first, name in reversed(units) if first < at), "")
            if symbols.name(at) != local[1] or version.units.get(unit, unit) != local[0]:
                continue
            start, section = symbols.value(at), symbols.section(at)
            for table in object.relocations:
                if table.section == section:
                    for offset, info, addend in iter_unpack("<QQq", table.table):
                        target = symbols.section(info >> 32)
                        inside = start <= offset < start + symbols.symbol(at).size
                        if inside and not (target > 0 and not flags[target] & SHF_WRITE):
                            found.append((object.symbol_title(info >> 32), addend))
    return sorted(found)
