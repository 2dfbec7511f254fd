"""Haskell's types as facts, and how they are written.

A type is a TypeCon (a constructor with its arguments), a TypeVar (a variable, possibly applied), a Function, a Forall
or a Qualified (a body under a class context). Lists, tuples and the unit are TypeCons named `[]`, `(,)`, `(,,)` ...
and `()`, as Haskell itself names them. `write(t)` is a text that `haskell.parse.parse_type` reads back as the same
fact.

One type has many spellings: GHC prints `GHC.Types.Int`, people write `Int`; the strict Text is
`Data.Text.Internal.Text`, `Data.Text.Text`, `T.Text`. `canonical` gives the one name that all of rtlinker uses; what
it does not know stays as it is.
"""

from __future__ import annotations

from rtlinker.errors import SignatureError
from rtlinker.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    Type: TypeAlias = "TypeCon | TypeVar | Function | Forall | Qualified"


class TypeCon(Fact):
    """A type constructor with its arguments: `Int`, `Maybe Int`, `[Int]` (named `[]`), `(Int, Char)` (named `(,)`)."""

    name: str
    arguments: tuple[Type, ...] = ()


class TypeVar(Fact):
    """A type variable, applied when it stands for a constructor: `a`, `f a`."""

    name: str
    arguments: tuple[Type, ...] = ()


class Function(Fact):
    """`argument -> result`."""

    argument: Type
    result: Type


class Forall(Fact):
    """`forall a b. body`."""

    variables: tuple[str, ...]
    body: Type


class Qualified(Fact):
    """`context => body`: at run time a function from dictionaries, one for each item of the context."""

    context: tuple[Type, ...]
    body: Type


LAZY_TEXT = "Data.Text.Lazy.Text"
LAZY_BYTES = "Data.ByteString.Lazy.ByteString"
UNIT = TypeCon("()")

_OF_C = {
    "CChar": "Int8", "CSChar": "Int8", "CUChar": "Word8", "CBool": "Word8", "CShort": "Int16", "CUShort": "Word16",
    "CInt": "Int32", "CUInt": "Word32", "CWchar": "Int32", "CSigAtomic": "Int32", "CLong": "Int64", "CULong": "Word64",
    "CLLong": "Int64", "CULLong": "Word64", "CPtrdiff": "Int64", "CSize": "Word64", "CIntPtr": "Int64",
    "CUIntPtr": "Word64", "CIntMax": "Int64", "CUIntMax": "Word64", "CTime": "Int64", "CClock": "Int64",
    "CUSeconds": "Word32", "CSUSeconds": "Int64", "CFloat": "Float", "CDouble": "Double",
}  # fmt: skip
"""The newtypes of Foreign.C.Types on x86-64 Linux, and what each is at run time."""

_HOMES = {
    "Foreign.C.Types": " ".join(_OF_C),
    "Foreign.C": " ".join(_OF_C),
    "GHC.Types": "Int Word Char Double Float Bool IO",
    "GHC.Int": "Int8 Int16 Int32 Int64",
    "Data.Int": "Int Int8 Int16 Int32 Int64",
    "GHC.Word": "Word8 Word16 Word32 Word64",
    "Data.Word": "Word Word8 Word16 Word32 Word64",
    "GHC.Num.Integer": "Integer",
    "GHC.Num.Natural": "Natural",
    "GHC.Natural": "Natural",
    "Numeric.Natural": "Natural",
    "GHC.Maybe": "Maybe",
    "Data.Maybe": "Maybe",
    "Data.Either": "Either",
    "GHC.Base": "String",
    "Data.String": "String",
    "GHC.IO": "FilePath",
    "System.IO": "FilePath IO",
    "GHC.Real": "Ratio Rational",
    "Data.Ratio": "Ratio Rational",
    "Data.Text": "Text",
    "Data.Text.Internal": "Text",
    "T": "Text",
    "Data.ByteString": "ByteString",
    "Data.ByteString.Internal": "ByteString",
    "B": "ByteString",
    "BS": "ByteString",
    "Prelude": "Int Word Char Double Float Bool IO Integer Maybe Either String FilePath Rational",
}
"""Module -> types that are known by their bare name."""

_KNOWN = {f"{module}.{name}": name for module, names in _HOMES.items() for name in names.split()}
_KNOWN |= dict.fromkeys(("Data.Text.Internal.Lazy.Text", "TL.Text", "LT.Text", "Lazy.Text", "LazyText"), LAZY_TEXT)
_KNOWN |= dict.fromkeys(
    "Data.ByteString.Lazy.Internal.ByteString BL.ByteString BSL.ByteString LBS.ByteString Lazy.ByteString".split(),
    LAZY_BYTES,
)

SYNONYMS: dict[str, Type] = {
    "String": TypeCon("[]", (TypeCon("Char"),)),
    "FilePath": TypeCon("[]", (TypeCon("Char"),)),
    "Rational": TypeCon("Ratio", (TypeCon("Integer"),)),
    **{name: TypeCon(meant) for name, meant in _OF_C.items()},
}
"""What the synonyms of base's Prelude mean, and the types of C, which differ from what they wrap in name only."""


def canonical(name: str) -> str:
    """The one name of a known type, whichever module it was asked from; any other name as it is."""
    return _KNOWN.get(name, name)


def list_of(element: Type) -> TypeCon:
    """`[element]`."""
    return TypeCon("[]", (element,))


def tuple_of(*elements: Type) -> TypeCon:
    """`(a, b)` and so on; the unit for no elements."""
    return TypeCon("(" + "," * (len(elements) - 1) + ")", elements) if elements else UNIT


def is_tuple(name: str) -> bool:
    """Whether a constructor's name is `(,)`, `(,,)` and so on."""
    return name.startswith("(,") and not name.startswith("(#")


def arguments_of(kind: Type) -> tuple[tuple[Type, ...], Type]:
    """The argument types of a curried function, and what the last of them leads to."""
    found = []
    while type(kind) is Function:
        found.append(kind.argument)
        kind = kind.result
    return tuple(found), kind


def write(kind: Type, level: int = 0) -> str:
    """A type as people write it. At level 1 a function is in parentheses, at level 2 an application too."""
    if type(kind) is Function:
        return _grouped(f"{write(kind.argument, 1)} -> {write(kind.result)}", level > 0)
    if type(kind) is Forall:
        return _grouped(f"forall {' '.join(kind.variables)}. {write(kind.body)}", level > 0)
    if type(kind) is Qualified:
        return _grouped(f"({', '.join(write(each) for each in kind.context)}) => {write(kind.body)}", level > 0)
    assert type(kind) is TypeCon or type(kind) is TypeVar
    return _write_applied(kind, level)


def _write_applied(kind: TypeCon | TypeVar, level: int) -> str:
    name, arguments = kind.name, kind.arguments
    if name == "[]" and len(arguments) == 1:
        return f"[{write(arguments[0])}]"
    if name[:2] == "(#" and name != "(##)":
        return f"(# {', '.join(write(each) for each in arguments)} #)"
    if is_tuple(name) and len(arguments) == len(name) - 1:
        return f"({', '.join(write(each) for each in arguments)})"
    if name[0] == "?" and len(arguments) == 1:
        return _grouped(f"{name} :: {write(arguments[0])}", level > 0)
    if not arguments:
        return name
    return _grouped(" ".join([name, *(write(each, 2) for each in arguments)]), level > 1)


def _grouped(text: str, parentheses: bool) -> str:
    return f"({text})" if parentheses else text


def with_parts(kind: Type, change: Callable[[Type], Type]) -> Type:
    """A type with each of its direct parts replaced by what `change` says of it."""
    if type(kind) is Function:
        return Function(change(kind.argument), change(kind.result))
    if type(kind) is Forall:
        return Forall(kind.variables, change(kind.body))
    if type(kind) is Qualified:
        return Qualified(tuple(map(change, kind.context)), change(kind.body))
    assert type(kind) is TypeCon or type(kind) is TypeVar
    return type(kind)(kind.name, tuple(map(change, kind.arguments)))


def transform(kind: Type, change: Callable[[TypeCon | TypeVar], Type]) -> Type:
    """A type rebuilt from its leaves up, every constructor and variable replaced by what `change` says of it."""
    made = with_parts(kind, lambda part: transform(part, change))
    return change(made) if isinstance(made, (TypeCon, TypeVar)) else made


def substitute(kind: Type, values: Mapping[str, Type]) -> Type:
    """A type with its variables replaced; an applied variable takes its arguments along."""

    def change(leaf: TypeCon | TypeVar) -> Type:
        value = values.get(leaf.name) if type(leaf) is TypeVar else None
        if value is None:
            return leaf
        if not leaf.arguments or not isinstance(value, (TypeCon, TypeVar)):
            return value
        return type(value)(value.name, value.arguments + leaf.arguments)

    return transform(kind, change)


def variables_of(kind: Type) -> tuple[str, ...]:
    """The names of its variables, in their order, each once."""
    found: dict[str, None] = {}

    def note(leaf: TypeCon | TypeVar) -> Type:
        if type(leaf) is TypeVar:
            found[leaf.name] = None
        return leaf

    transform(kind, note)
    return tuple(found)


def signature_error(headline: str, rows: Iterable[tuple[str, str]], hint: str | None = None) -> SignatureError:
    """A SignatureError with facts of its own, such as the two types that differ; `prototype` is the first fact."""
    facts = [(label, text) for label, text in rows if text]
    error = SignatureError(headline, facts[0][1] if facts else "", hint)
    error.facts = tuple(facts)
    return error
