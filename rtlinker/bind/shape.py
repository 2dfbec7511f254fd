"""What a type means to compiled code, as a text that is equal where two compilations agree.

Two compilations agree about a value when they agree about its bytes and their meaning. So typedefs and qualifiers go,
`long` and `long long` are the same 64 bits, plain `char` is signed on x86-64 (psABI figure 3.1), a struct is the list
of its primitive members at absolute offsets, however it is nested and whatever its tag. Members have their paths: a
struct whose two ints swap places has the same bytes and is another struct. What a pointer leads to counts by category:
a struct by its name alone, which cuts recursion, and since its layout is another question (`reachable_records`); a
function by its signature.
"""

from __future__ import annotations

from rtlinker.bind.ctype import (
    Array,
    Base,
    CType,
    Enum,
    FunctionType,
    Member,
    Pointer,
    Qualified,
    Record,
    Refused,
    Typedef,
    size_of,
)
from rtlinker.facts import Fact

_LETTERS = {"signed": "i", "char": "i", "unsigned": "u", "bool": "bool", "float": "f", "complex": "c"}
_DEEPEST = 64


class Leaf(Fact):
    """A primitive part of a record: its path (`place.x`), bits from the start of the record, and how many bits.

    `shape` is its canonical text; a bit-field's says that it is one.
    """

    path: str
    bit: int
    width: int
    shape: str
    type: CType

    @property
    def offset(self) -> int:
        """Whole bytes from the start of the record."""
        return self.bit // 8


def undressed(ctype: CType) -> tuple[CType, str]:
    """The type without typedefs and qualifiers, and the name of the innermost typedef: `typedef struct {...} name`."""
    name = ""
    while isinstance(ctype, (Typedef, Qualified)):
        if isinstance(ctype, Typedef):
            name = ctype.name
        ctype = ctype.target
    return ctype, name


def record_name(ctype: CType) -> str:
    """What a struct, union or class is known by: its tag, or the typedef that names it; empty if nothing does.

    In C++ with the namespaces and classes around it, as far as the type knows them.
    """
    inner, name = undressed(ctype)
    if not isinstance(inner, Record):
        return ""
    name = inner.name or name
    return f"{inner.scope}::{name}" if inner.scope and name else name


def shape_of(ctype: CType) -> str:
    """The canonical text of a type, without the names of parameters."""
    inner, _ = undressed(ctype)
    if isinstance(inner, Base):
        return f"{_LETTERS[inner.encoding]}{8 * inner.size}"
    if isinstance(inner, Pointer):
        return "*" + _behind(inner.target)
    if isinstance(inner, Array):
        return f"[{'' if inner.count is None else inner.count}]{shape_of(inner.element)}"
    if isinstance(inner, Enum):
        values = ",".join(f"{name}={value}" for name, value in sorted(inner.values))
        return f"enum{'i' if inner.signed else 'u'}{8 * inner.size}{{{values}}}"
    if isinstance(inner, FunctionType):
        return _function(inner)
    if isinstance(inner, Record):
        return _record(ctype, inner)
    if isinstance(inner, Refused):
        return f"<{inner.name}:{inner.size}>"
    return "void"


def _behind(target: CType) -> str:
    inner, _ = undressed(target)
    if not isinstance(inner, Record):
        return shape_of(target)
    name = record_name(target)
    return f"{_kind(inner)} {name}" if name else _record(target, inner)


def _kind(record: Record) -> str:
    return "union" if record.kind == "union" else "struct"


def _function(function: FunctionType) -> str:
    given = [shape_of(parameter.type) for parameter in function.parameters]
    return f"({';'.join([*given, *(['...'] if function.variadic else [])])})->{shape_of(function.result)}"


def _record(ctype: CType, record: Record) -> str:
    if record.size is None:
        return f"incomplete {_kind(record)} {record_name(ctype)}"
    parts = sorted(f"{leaf.path}@{leaf.bit}+{leaf.width}:{leaf.shape}" for leaf in leaves(record))
    return f"{'' if record.trivial else 'by reference '}{{{record.size};{','.join(parts)}}}"


def leaves(record: Record, prefix: str = "", start: int = 0, depth: int = 0) -> list[Leaf]:
    """The primitive members of a record in the order of the declaration, those of nested records in their place.

    Unions give the members of all alternatives. Arrays are one leaf, of whatever element.
    """
    found: list[Leaf] = []
    for member in record.members:
        inner, _ = undressed(member.type)
        bit = start + (8 * member.offset if member.bit_offset is None else member.bit_offset)
        path = prefix + (member.name or "")
        if member.bit_size is not None:
            if member.name and member.bit_size:
                found.append(Leaf(path, bit, member.bit_size, _bits(member), member.type))
        elif isinstance(inner, Record) and inner.size is not None and depth < _DEEPEST:
            below = path + "." if member.name else f"{prefix}{inner.name}::" if inner.name else prefix
            found += leaves(inner, below, bit, depth + 1)
        else:
            found.append(Leaf(path, bit, 8 * (size_of(inner) or 0), shape_of(member.type), member.type))
    return found


def _bits(member: Member) -> str:
    inner, _ = undressed(member.type)
    if isinstance(inner, Enum):
        return f":{member.bit_size} {shape_of(inner)}"
    return f":{member.bit_size}{_LETTERS[inner.encoding] if isinstance(inner, Base) else '?'}"


def short(leaf: Leaf) -> str:
    """The shape in a few letters, for people: `u16`, `ptr`, `enum`, `i8[16]`, `u3 bits`."""
    inner, _ = undressed(leaf.type)
    if leaf.shape.startswith(":"):
        return f"{leaf.width} bits"
    return _short(inner)


def _short(inner: CType) -> str:
    if isinstance(inner, Pointer):
        return "ptr"
    if isinstance(inner, Enum):
        return "enum"
    if isinstance(inner, Array):
        return f"{_short(undressed(inner.element)[0])}[{'' if inner.count is None else inner.count}]"
    if isinstance(inner, Record):
        return f"{_kind(inner)}"
    return shape_of(inner)
