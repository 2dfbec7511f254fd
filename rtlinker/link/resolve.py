"""Names to definitions: which objects take part in a link and what each of their references means.

The order in which a name is looked up is the order of the code below:

  1. the objects of the link, given ones and members already pulled; earlier links of the same linker;
  2. what the user defined;
  3. linker-defined names (`_GLOBAL_OFFSET_TABLE_`, `__start_X`, `_end` ...), where no archive defines them: ld
     provides `end` and its kin in the same way;
  4. the archives and libraries given with the link, in their order, again and again until nothing changes, so that
     the order of two archives that need each other does not matter (with ld it does);
  5. the process;
  6. archives of names that live nowhere else (libc_nonshared.a, libgcc.a).

With `process_first`, 5 comes before the archives of 4, and wins over what a member that was pulled for another name
also defines: state that the process has already must not exist twice.

Among definitions of one name (gABI, Symbol Table): strong beats COMMON beats weak, the first wins among equals, two
strong ones are an error. A COMDAT group whose signature was seen is dropped whole; its names then refer to the first.
GNU_UNIQUE symbols never clash, and mean the one that a library of the process has, if any. An undefined weak symbol
pulls no member, and is 0 when nobody has it.
"""

from __future__ import annotations

from rtlinker.elf.constants import STB_WEAK, STV_HIDDEN, STV_INTERNAL
from rtlinker.errors import DuplicateSymbolError, UndefinedSymbol, UndefinedSymbolsError
from rtlinker.link.linker_symbols import is_linker_defined
from rtlinker.link.names import Names
from rtlinker.link.resolution import Binding, InObject, LinkerDefined, Resolution
from rtlinker.link.scope import Inputs, nothing


def resolve(inputs: Inputs) -> Resolution:
    """Everything that takes part in the link, and the meaning of every reference in it.

    Raises DuplicateSymbolError with all clashes, UndefinedSymbolsError with all names that nobody defines, each with
    who refers to it, and BadObjectError for a member that is not an object.
    """
    names = Names(inputs)
    for object in inputs.objects:
        names.add(object)
    names.want([(root, -1, 0) for root in inputs.roots])
    names.close()
    if names.duplicates:
        raise DuplicateSymbolError(names.duplicates)
    bound, undefined = _bind(names)
    missing = _with_referrers(names, undefined) if undefined else []
    if missing:
        raise UndefinedSymbolsError(missing)
    return Resolution(
        tuple(names.objects),
        tuple(names.indexes),
        tuple(bound),
        tuple(names.discarded),
        names.owners,
        {name: block for name, block in names.commons.items() if name not in names.owners},
        tuple(names.pulls),
    )


def _bind(names: Names) -> tuple[list[dict[int, Binding]], dict[str, list[tuple[int, int]]]]:
    """For every object, what its symbols mean where that is not their own definition; and who is left undefined."""
    bound: list[dict[int, Binding]] = []
    undefined: dict[str, list[tuple[int, int]]] = {}
    meanings: dict[str, Binding | None] = {}
    hidden = _hidden(names)
    section_names = {name for object in names.objects for name in object.sections.names}
    given = len(names.inputs.objects)
    for number, (object, index) in enumerate(zip(names.objects, names.indexes)):
        mine: dict[int, Binding] = {}
        wanted = list(index.undefined.items())
        wanted += [(name, index.defined[name]) for name in _overruled(names, number, given)]
        wanted += [*index.commons.items(), *index.repeats]
        for name, at in wanted:
            if name not in meanings:
                meanings[name] = _meaning(names, name, name not in hidden, section_names, given)
            meaning = meanings[name]
            if meaning is None and object.symbols.bind(at) == STB_WEAK and name not in names.thread_local:
                meaning = nothing(name)
            if meaning is None:
                undefined.setdefault(name, []).append((number, at))
            else:
                mine[at] = meaning
        bound.append(mine)
    return bound, undefined


def _hidden(names: Names) -> set[str]:
    """The names that some object refers to as hidden: the most constraining visibility holds for all (gABI)."""
    return {
        name
        for object, index in zip(names.objects, names.indexes)
        for name, at in index.undefined.items()
        if object.symbols.visibility(at) in {STV_HIDDEN, STV_INTERNAL}
    }


def _overruled(names: Names, number: int, given: int) -> list[str]:
    """The names that object `number` defines and that mean something else all the same."""
    mine = names.indexes[number].defined
    overruled = set(names.losers[number])
    if number >= given:
        early = not names.inputs.process_first
        overruled |= {name for name in mine if names.outside(name, early)}
    return sorted(overruled)


def _meaning(names: Names, name: str, visible: bool, section_names: set[str], given: int) -> Binding | None:
    """What a reference means; one of hidden visibility cannot mean something outside of the link."""
    owner = names.owners.get(name)
    inside: Binding | None = None
    if owner is not None:
        inside = InObject(owner, names.indexes[owner].defined[name])
    elif name in names.commons:
        inside, owner = names.commons[name], names.common_owners[name]
    if owner is not None and owner < given:
        return inside
    found = names.outside(name, early=True)
    if found is None and inside is not None and names.inputs.process_first:
        found = names.outside(name)
    if found is not None or inside is not None:
        return found or inside
    base, _, version = name.partition("@")
    if version and base in names.owners:
        return InObject(names.owners[base], names.indexes[names.owners[base]].defined[base])
    if is_linker_defined(name, section_names):
        return LinkerDefined(name)
    return names.outside(name) if visible else None


def _with_referrers(names: Names, undefined: dict[str, list[tuple[int, int]]]) -> list[UndefinedSymbol]:
    """Those of the names that a kept section refers to, each with the places; a mere mention is no reference, as in ld.

    This is one more walk over the relocations, which only a failing link pays for.
    """
    places: dict[str, list[str]] = {name: [] for name in undefined}
    by_symbol = {where: name for name, wheres in undefined.items() for where in wheres}
    for number in sorted({number for number, _ in by_symbol}):
        object = names.objects[number]
        for table in object.relocations:
            if table.section in names.discarded[number]:
                continue
            for offset, symbol in _references(table.table):
                name = by_symbol.get((number, symbol))
                if name is not None:
                    places[name].append(object.site_title(table.section, offset) if len(places[name]) < 3 else "")
    return [UndefinedSymbol(name, places[name]) for name in undefined if places[name]]


def _references(table: memoryview) -> list[tuple[int, int]]:
    from struct import iter_unpack

    return [(offset, info >> 32) for offset, info, _ in iter_unpack("<QQq", table)]
