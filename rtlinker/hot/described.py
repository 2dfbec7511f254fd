"""What debug information says of a whole version: its functions by symbol, and the structs that they can reach."""

from __future__ import annotations

from rtlinker.bind.ctype import VOID, Base, FunctionType, Parameter, plain, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.bind.ctype import CType
    from rtlinker.dwarf.program import NamedFunction
    from rtlinker.hot.version import Version


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
