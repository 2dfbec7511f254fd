"""Functions that an old version has registered with libc, and that the new version has, too.

What is registered by the address of an exported function leads to its entry, and so to the newest version. A function
that is local to its object has no entry: the registration is changed to the function of the same name in the same unit
of the new version, if its type is the same. Where there is none, the old version stays until it was called.
"""

from __future__ import annotations

from rtlinker.elf.constants import STT_FUNC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.hot.state import ModuleState
    from rtlinker.hot.version import Version

    Local = tuple[str, str]
    """The unit as the module's first version named it, and the symbol."""


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
    if not pending:
        return
    before = {offset: local for local, offset in local_functions(old).items()}
    after = local_functions(new)
    for offset in {registration.function - old.text[0] for registration in pending}:
        local = before.get(offset)
        if local in after and local is not None and _same_type(old, new, local):
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
