"""What debug information says about one object as a whole: its units, functions, and variables with where they lie.

Hot reload asks which variable of a new object is which of the old one, and whether types have changed. So everything
has a name that does not depend on numbering (`rtlinker.dwarf.scopes`), a place in a section, and its type, which is
made when somebody asks for it. Only symbols that the object itself defines have places.
"""

from __future__ import annotations

from rtlinker.bind.ctype import CType, FunctionType
from rtlinker.facts import Fact, derived

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class CompileUnit(Fact):
    """One compilation: the source as it was named, the compiler with its flags as it records them, DW_AT_language."""

    name: str
    producer: str
    language: int


class NamedFunction(Fact):
    """A function that the object defines, or that was inlined wherever it is called (`section` is None).

    `name` is that of the source; `symbol` that of the symbol table, `aliases` are the other symbols at the same place.
    `offset` is where its code starts, in bytes from the start of the section with that index. `file` is as the compiler
    recorded it, `line` 0 where unknown; `unit` counts in `Program.units`.
    """

    name: str
    symbol: str
    aliases: tuple[str, ...]
    external: bool
    unit: int
    file: str
    line: int
    section: int | None
    offset: int
    source: Callable[[], FunctionType]

    type = derived(lambda self: self.source())
    """The function's type. Raises BadObjectError where it cannot be read."""


class NamedVariable(Fact):
    """A variable with static storage, in a file, a class or a function.

    `symbol` is its name in the symbol table if other objects see it, else None. `scope` is the unit's name, then what
    encloses the declaration. `ordinal` tells variables of one name and scope apart, in the order of the source, and
    `rivals` says how many there are, those included that the compiler removed: where that number changed, the ordinals
    say nothing. `section` is None for a
    variable without storage, negative for COMMON (as in elf.object); `offset` is in bytes. `constant` is what the
    compiler recorded instead of storage, a number or bytes.
    """

    name: str
    symbol: str | None
    scope: tuple[str, ...]
    ordinal: int
    rivals: int
    external: bool
    thread_local: bool
    unit: int
    file: str
    line: int
    section: int | None
    offset: int
    constant: int | bytes | None
    source: Callable[[], CType]

    type = derived(lambda self: self.source())
    """The variable's type. Raises BadObjectError where it cannot be read."""

    @property
    def located(self) -> bool:
        """Whether the variable has storage in this object."""
        return self.section is not None

    @property
    def key(self) -> tuple[str, ...]:
        """What is equal for the same variable in two compilations of a unit, whatever the compiler numbers."""
        return (*self.scope, self.name, *([str(self.ordinal)] if self.ordinal else []))


def _rest(program: Program) -> tuple[NamedVariable, ...]:
    return program.source()


class Program(Fact):
    """All of it. `notes` are sentences for people about debug information that is missing, and where it is.

    `units` is empty for an object without debug information. `variables` are those with storage, and those at file
    scope that the compiler removed.
    """

    units: tuple[CompileUnit, ...]
    functions: tuple[NamedFunction, ...]
    variables: tuple[NamedVariable, ...]
    notes: tuple[str, ...]
    source: Callable[[], tuple[NamedVariable, ...]]

    removed = derived(_rest)
    """Variables in functions that have no storage: static ones that the compiler removed, and automatic ones."""

    def missing(self, variable: NamedVariable) -> NamedVariable | None:
        """What this object says about a variable of another version for which it has no storage, or None.

        The unit's name is not compared, since versions may be compiled from files of different names.
        """
        for found in (*self.variables, *self.removed):
            if not found.located and found.key[1:] == variable.key[1:]:
                return found
        return None


EMPTY = Program((), (), (), (), tuple)


def read_program(data: bytes, name: str) -> Program:
    """What the debug information in the bytes of one relocatable object says; `name` is the file, for errors.

    Reads DWARF 2 to 5 of gcc and clang, compressed, with type units, and the .dwo files of split DWARF. Raises
    BadObjectError for a broken object or broken debug information.
    """
    if b".debug_info" not in data and b".zdebug_info" not in data:
        return EMPTY
    from rtlinker.dwarf.collecting import collect

    return collect(data, name)
