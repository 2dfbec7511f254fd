"""C types as facts: what DWARF, or a prototype given as text, says about a function or a variable.

A type is a small tree of immutable records. Trees would be infinite where a struct points to itself, so the members
of a `Record` may come from a `source` that is asked once, on first use; two records with such sources are equal when
the source is the same object. Sizes and offsets are bytes, as the compiler decided them: nothing here computes a
layout. `declare` turns any type back into C.
"""

from __future__ import annotations

from rtlinker.facts import Fact, derived

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.bind.codec import Codec


def _make_codec(ctype: CType) -> Codec:
    from rtlinker.bind.codec import codec_of

    return codec_of(ctype)


class CType(Fact):
    """Base of every C type. `codec` is how its values cross between Python and C, made on first use."""

    codec = derived(_make_codec)


class Void(CType):
    """`void`: no value."""


class Base(CType):
    """A type that a register holds whole: `int`, `double`, `_Bool`, `char`, `double _Complex`.

    `encoding` is one of `signed`, `unsigned`, `bool`, `float`, `char` (plain char, of either sign) and `complex`.
    """

    name: str
    size: int
    encoding: str


class Pointer(CType):
    """An address of a `target`; `sigil` is `*`, or `&` or `&&` for a C++ reference, which travels as a pointer."""

    target: CType
    sigil: str = "*"


class Array(CType):
    """`count` elements side by side; None where the declaration leaves the count open."""

    element: CType
    count: int | None


class Member(Fact):
    """A field of a record: `offset` bytes from its start; a bit-field has `bit_offset` from its start, in bits."""

    name: str | None
    type: CType
    offset: int
    bit_offset: int | None = None
    bit_size: int | None = None


def _members(record: Record) -> tuple[Member, ...]:
    source = record.source
    if source is None:
        return ()
    return source if isinstance(source, tuple) else tuple(source())


def _by_name(record: Record) -> dict[str, Member]:
    found: dict[str, Member] = {}
    for member in record.members:
        inner = plain(member.type)
        if member.name:
            found[member.name] = member
        elif isinstance(inner, Record):  # C11 6.7.2.1: members of an anonymous member are members of the outer record
            for name, deep in inner.by_name.items():
                bits = None if deep.bit_offset is None else deep.bit_offset + 8 * member.offset
                found.setdefault(name, Member(name, deep.type, deep.offset + member.offset, bits, deep.bit_size))
    return found


class Record(CType):
    """A struct, union or class (`kind`). A `size` of None means that only its name is known.

    `source` is the tuple of members, or a function that gives it, or None. `trivial` is False for a C++ class that is
    passed by reference to a copy (DW_CC_pass_by_reference, DWARF 5 section 5.7.1). `scope` is the namespaces and
    classes around it, `std::map<int, int>`, where that was asked for; two records of one name may differ in it only.
    """

    kind: str
    name: str | None
    size: int | None
    source: tuple[Member, ...] | Callable[[], tuple[Member, ...]] | None = None
    trivial: bool = True
    scope: str = ""

    members = derived(_members)
    by_name = derived(_by_name)
    """Named members, those of anonymous members included, by name; offsets are from the start of this record."""


class Enum(CType):
    """An enumeration; `values` holds (name, value) in the order of the declaration."""

    name: str | None
    size: int
    values: tuple[tuple[str, int], ...]
    signed: bool


class Typedef(CType):
    """Another name of `target`."""

    name: str
    target: CType


class Qualified(CType):
    """`target` with `const`, `volatile` or `const volatile` in `qualifiers`."""

    qualifiers: str
    target: CType


class Parameter(Fact):
    """A parameter of a function; its name may be unknown."""

    name: str | None
    type: CType


class FunctionType(CType):
    """A function. Without `prototyped` (`int f()` in C before C23) nothing is known about its arguments."""

    result: CType
    parameters: tuple[Parameter, ...]
    variadic: bool = False
    prototyped: bool = True


class Refused(CType):
    """A type whose values no call of ours can carry, and the `reason`. `size` is None where it is unknown."""

    name: str
    size: int | None
    reason: str


VOID = Void()
CHAR = Base("char", 1, "char")
UNSIGNED_CHAR = Base("unsigned char", 1, "unsigned")
INT = Base("int", 4, "signed")
LONG = Base("long", 8, "signed")
UNSIGNED_LONG = Base("unsigned long", 8, "unsigned")
DOUBLE = Base("double", 8, "float")
STRING = Pointer(Qualified("const", CHAR))
UNTYPED = FunctionType(LONG, (), False, False)
"""What is assumed of a function that nothing describes: any arguments, a signed 64-bit result."""


def plain(ctype: CType) -> CType:
    """The type without typedefs and qualifiers at its top."""
    while isinstance(ctype, (Typedef, Qualified)):
        ctype = ctype.target
    return ctype


def qualify(words: str, ctype: CType) -> CType:
    """The type with more qualifiers, in the order `const volatile`."""
    if isinstance(ctype, Qualified):
        return Qualified(" ".join(sorted({*words.split(), *ctype.qualifiers.split()})), ctype.target)
    return Qualified(words, ctype)


def is_const(ctype: CType) -> bool:
    """True when the object itself may not be written (an array: when its elements may not)."""
    while True:
        if isinstance(ctype, Qualified) and "const" in ctype.qualifiers:
            return True
        if isinstance(ctype, (Typedef, Qualified)):
            ctype = ctype.target
        elif isinstance(ctype, Array):
            ctype = ctype.element
        else:
            return False


def size_of(ctype: CType) -> int | None:
    """Bytes that a value takes in memory, or None where that is unknown (void, functions, opaque records)."""
    ctype = plain(ctype)
    if isinstance(ctype, Pointer):
        return 8
    if isinstance(ctype, Array):
        element = size_of(ctype.element)
        return None if element is None or ctype.count is None else element * ctype.count
    if isinstance(ctype, (Base, Enum, Record, Refused)):
        return ctype.size
    return None


def declare(ctype: CType, name: str = "") -> str:
    """The C declaration of `name` with this type, or the bare type: `int (*handler)(int, const char *)`, `char [16]`.

    A function without a name comes out as the command line takes it: `double(int, const char *)`.
    """
    text = name
    while True:
        if isinstance(ctype, Pointer):
            text, ctype = ctype.sigil + text, ctype.target
            if isinstance(_skin(ctype), (Array, FunctionType)):
                text = f"({text})"
        elif isinstance(ctype, Array):
            text += f"[{'' if ctype.count is None else ctype.count}]"
            ctype = ctype.element
        elif isinstance(ctype, FunctionType):
            text += f"({_parameters(ctype)})"
            ctype = ctype.result
        elif isinstance(ctype, Qualified) and isinstance(ctype.target, Pointer):
            text = f"{ctype.qualifiers} {text}".rstrip()
            ctype = ctype.target
        elif isinstance(ctype, Qualified) and isinstance(ctype.target, Array):
            ctype = Array(qualify(ctype.qualifiers, ctype.target.element), ctype.target.count)
        elif isinstance(ctype, Qualified) and isinstance(ctype.target, FunctionType):
            ctype = ctype.target
        else:
            break
    space = " " if text and not (text[0] == "(" and text[1:2] not in ("*", "&") and not name) else ""
    return specifier(ctype) + space + text


def _skin(ctype: CType) -> CType:
    while isinstance(ctype, Qualified):
        ctype = ctype.target
    return ctype


def specifier(ctype: CType) -> str:
    """The words before a declarator: `const struct shape`, `unsigned int`, `size_t`."""
    if isinstance(ctype, Qualified):
        return f"{ctype.qualifiers} {specifier(ctype.target)}"
    if isinstance(ctype, Record):
        return f"{ctype.kind} {ctype.name or '{...}'}".lstrip()
    if isinstance(ctype, Enum):
        return f"enum {ctype.name or '{...}'}"
    if isinstance(ctype, (Base, Typedef, Refused)):
        return ctype.name
    return "void"


def _parameters(function: FunctionType) -> str:
    shown = [declare(parameter.type, parameter.name or "") for parameter in function.parameters]
    if function.variadic:
        shown.append("...")
    return ", ".join(shown) if shown else "void" if function.prototyped else ""
