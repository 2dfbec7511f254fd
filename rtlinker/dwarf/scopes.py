"""Which variable is which, between two compilations: keys of what a declaration stands in, not of numbers.

gcc calls static variables of functions `count.0`, `count.1` in an order of its own, which a function that is added
changes. A key is the unit, the namespaces and classes, and the function around the declaration: its linkage name, since
overloads share a name; where it has none (static functions, members of local classes) its name with the types of its
parameters. Blocks are left out: compilers drop them as they like.
"""

from __future__ import annotations

from rtlinker.bind.ctype import VOID, FunctionType, Parameter, declare
from rtlinker.dwarf import constants as c
from rtlinker.dwarf.entries import Entry
from rtlinker.dwarf.walk import walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.dwarf.entries import Unit
    from rtlinker.dwarf.types import TypeReader
    from rtlinker.dwarf.walk import Rows

_KINDS = {
    c.TAG_NAMESPACE: "(anonymous namespace)",
    c.TAG_STRUCTURE_TYPE: "(struct)",
    c.TAG_CLASS_TYPE: "(class)",
    c.TAG_UNION_TYPE: "(union)",
}


class Scopes:
    """The scopes of one unit, by the offsets of their entries."""

    def __init__(self, unit: Unit, rows: Rows, types: TypeReader, name: str) -> None:
        self.unit = unit
        self.rows = rows
        self.types = types
        self.plain = unit.top.number(c.AT_LANGUAGE) in c.C_LANGUAGES
        self.clang = "clang" in (unit.top.text(c.AT_PRODUCER) or "")
        self._found: dict[int, tuple[str, ...]] = {0: (name,)}

    def root(self, entry: Entry) -> Entry:
        """What the entry is an instance or completion of in the end: the declaration that all others lead to."""
        for _ in range(8):
            origin = self.types.origin(entry)
            if origin is None or origin.unit is not self.unit:
                break
            entry = origin
        return entry

    def around(self, root: Entry, symbol: str = "") -> tuple[str, ...]:
        """The scope of a declaration in this unit: unit, namespaces, classes, functions.

        `symbol` is the variable's name in the symbol table, from which its function is read where the entry of the
        function says nothing: clang 14 leaves static variables of inlined functions in an empty one.
        """
        scope = self._path(self.rows.parents.get(root.offset, 0))
        if scope[-1]:
            return scope
        return (scope[0], function_in(symbol, root.text(c.AT_NAME) or ""))

    def of_type(self, entry: Entry) -> str:
        """The namespaces, classes and functions around a type, joined as C++ does; empty in C, and where unknown."""
        if self.plain:
            return ""
        try:
            return "::".join(self._path(self.rows.parents.get(self.root(entry).offset, 0))[1:])
        except ValueError:  # the types of a function around it are being made of this one
            return ""

    def _path(self, offset: int) -> tuple[str, ...]:
        found = self._found.get(offset)
        if found is None:
            entry = Entry(self.unit, offset)
            root = self.root(entry)
            name = self._linkage(root)
            if not name and self.clang:  # of functions in functions; gcc has it only where they were not inlined
                holder = self.types.holder(entry, c.AT_LINKAGE_NAME)
                name = self._linkage(holder) if holder else None
            if name and root.tag == c.TAG_SUBPROGRAM:
                found = (*self._found[0], unnumbered(name))
            else:
                found = (*self._path(self.rows.parents.get(root.offset, 0)), self._spelled(root))
            self._found[offset] = found
        return found

    def _linkage(self, entry: Entry) -> str | None:
        return entry.text(c.AT_LINKAGE_NAME) or entry.text(c.AT_MIPS_LINKAGE_NAME)

    def _spelled(self, entry: Entry) -> str:
        """The name of a scope that has no linkage name; of a function in C++ with the types of its parameters."""
        if c.AT_SIGNATURE in entry.attributes:  # the class is in a type unit
            entry = self.types.find(entry.attributes[c.AT_SIGNATURE]) or entry
        name = entry.text(c.AT_NAME) or _KINDS.get(entry.tag, "")
        if entry.tag != c.TAG_SUBPROGRAM or self.plain or not name:
            return name
        function = self.types.function(entry)
        bare = tuple(Parameter(None, parameter.type) for parameter in function.parameters)
        return name + declare(FunctionType(VOID, bare, function.variadic))[len("void") :]


class Enclosing:
    """Says what is around a type, in whatever unit it is described: units of types are read when one is met."""

    def __init__(self, types: TypeReader) -> None:
        self.types = types
        self.known: dict[tuple[int, int], Scopes] = {}

    def __call__(self, entry: Entry) -> str:
        """See `Scopes.of_type`."""
        unit = entry.unit
        scopes = self.known.get((unit.section, unit.start))
        if scopes is None:
            scopes = self.known[unit.section, unit.start] = Scopes(unit, walk(unit), self.types, "")
        return scopes.of_type(entry)


def unnumbered(name: str) -> str:
    """A mangled name without the numbers that clang gives to lambdas in the order of the whole unit (`3$_0`)."""
    head, *rest = name.split("$_")
    return head + "".join("$_" + part.lstrip("0123456789") for part in rest)


def function_in(symbol: str, name: str) -> str:
    """The function in the symbol of its static variable: `_Z1fi` of `_ZZ1fiE5count`, `f` of clang's `f.count.1`."""
    local = f"E{len(name)}{name}"
    if symbol.startswith("_ZZ") and local in symbol:  # Itanium C++ ABI 5.1.6
        return unnumbered("_Z" + symbol[3 : symbol.rindex(local)])
    return symbol.partition(f".{name}")[0]
