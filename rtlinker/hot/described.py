"""What debug information says of a whole version: its functions by symbol, and the structs that they can reach.

Most edits change what functions do and not what they are. So what the version before said of an object is taken over
where nothing that it was read from has changed, and the comparison of versions sees that it is the same.
"""

from __future__ import annotations

from rtlinker.bind.ctype import VOID, Base, FunctionType, Parameter, plain, size_of
from rtlinker.elf.constants import SHT_STRTAB, SHT_SYMTAB, SHT_SYMTAB_SHNDX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.bind.ctype import CType
    from rtlinker.dwarf.program import NamedFunction
    from rtlinker.elf.object import Object
    from rtlinker.hot.version import Version


def read_programs(version: Version, old: Version | None) -> None:
    """Read what debug information says, for the objects of a version that have some."""
    assert version.before is not None
    known = {old.sources[number]: program for number, program in old.programs.items()} if old is not None else {}
    version.programs, version.sources = {}, {}
    for number, object in enumerate(version.before.objects):
        if ".debug_info" in object.sections.names:
            from rtlinker.dwarf.program import read_program

            source = version.sources[number] = _source(object)
            version.programs[number] = known.get(source) or read_program(object.data, object.name)
    if old is not None and old.where.keys() == version.where.keys() and old.sources == version.sources:
        version.described, version.records = old.described, old.records


def _source(object: Object) -> bytes:
    """What identifies all that debug information is read from: its sections, what patches them, and the symbols.

    Where parts lie in other files (split DWARF, dwz) nothing identifies them, and no two are equal.
    """
    from hashlib import blake2b
    from os import urandom

    sections = object.sections
    if b".dwo" in object.data or ".gnu_debugaltlink" in sections.names:
        return urandom(16)
    digest = blake2b(repr(sections.names).encode("utf-8", "surrogateescape"))
    data = memoryview(object.data)
    for index, name in enumerate(sections.names):
        said = name.startswith((".debug", ".zdebug", ".rela.debug", ".rela.zdebug"))
        if said or sections.types[index] in {SHT_SYMTAB, SHT_STRTAB, SHT_SYMTAB_SHNDX}:
            start = sections.offsets[index]
            digest.update(b"%d %d " % (index, sections.sizes[index]))
            digest.update(data[start : start + sections.sizes[index]])
    return digest.digest()


def functions_by_symbol(version: Version) -> dict[str, NamedFunction]:
    """What debug information says of a version's functions."""
    if version.described is None:
        version.described = _functions_by_symbol(version)
    return version.described


def _functions_by_symbol(version: Version) -> dict[str, NamedFunction]:
    found: dict[str, NamedFunction] = {}
    for program in version.programs.values():
        for function in program.functions:
            if function.section is not None:
                found.setdefault(function.symbol, function)
    return found


def records_of(version: Version) -> dict[str, CType]:
    """The structs and unions, by name, of which a version's functions and variables can reach objects."""
    if version.records is None:
        version.records = _reachable_of(version) if version.programs else {}
    return version.records


def _reachable_of(version: Version) -> dict[str, CType]:
    from rtlinker.bind.abi import reachable_records

    known = functions_by_symbol(version)
    types: list[CType] = [known[name].type for name in version.where if name in known]
    for program in version.programs.values():
        types += [variable.type for variable in program.variables if variable.located]
    return reachable_records(FunctionType(VOID, tuple([Parameter(None, ctype) for ctype in types])))


def passing(ctype: FunctionType) -> tuple[object, ...]:
    """How a call passes each value: in what sort of register, of what size. A pointer is as good as its number."""
    types = [plain(each) for each in (ctype.result, *(parameter.type for parameter in ctype.parameters))]
    sorts = [isinstance(each, Base) and each.encoding in {"float", "complex"} for each in types]
    return (ctype.variadic, *zip(sorts, [size_of(each) for each in types]))
