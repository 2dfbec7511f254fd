"""One declaration of an interface: a value's type, a synonym, a newtype, the constructors of a data type.

GHC prints `name :: type` for values, and for types a line with the kind, then `data`, `newtype`, `type` or `class`
much as one would write them, broken over lines where they are long. Continued lines are indented deeper than the
first.
"""

from __future__ import annotations

from rtlinker.errors import SignatureError
from rtlinker.facts import Fact
from rtlinker.haskell.parse import parse_atoms, parse_type, tokens_of
from rtlinker.haskell.types import Function, TypeCon, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.haskell.types import Type


class Synonym(Fact):
    """`type Name variables = meaning`."""

    variables: tuple[str, ...]
    meaning: Type


class Newtype(Fact):
    """`newtype Name variables = constructor meaning`: at run time a value of `meaning` itself."""

    variables: tuple[str, ...]
    constructor: str
    meaning: Type


class Declaration(Fact):
    """`name` is what the hash stands for, `values` what it brings: itself, or constructors, fields and methods."""

    name: str
    hash: str
    values: dict[str, Type | str]
    synonym: Synonym | None = None
    newtype: Newtype | None = None

    def with_types(self, change: Callable[[Type], Type]) -> Declaration:
        """The same declaration with every type changed."""
        synonym, newtype = self.synonym, self.newtype
        return Declaration(
            self.name,
            self.hash,
            {name: kind if isinstance(kind, str) else change(kind) for name, kind in self.values.items()},
            synonym and Synonym(synonym.variables, change(synonym.meaning)),
            newtype and Newtype(newtype.variables, newtype.constructor, change(newtype.meaning)),
        )


def read_declaration(hash: str, lines: list[str]) -> Declaration | None:
    """What a declaration's lines declare; None for axioms and other things without a name in Haskell."""
    first, *rest = _joined(lines)
    word = first.partition(" ")[0]
    while word == "type" and rest and (first.startswith("type role ") or "::" in tokens_of(first)):
        # the kind comes first, and roles, then the declaration itself
        first, *rest = rest
        word = first.partition(" ")[0]
    if word in ("type", "newtype", "data"):
        return _read_type(hash, word, first, rest)
    if word == "class":
        return _read_class(hash, first, rest)
    if word in ("axiom", "pattern", "abstract"):
        return None
    name, signature = _named(first)
    return Declaration(name, hash, {name: signature}) if name else None


def _joined(lines: list[str]) -> list[str]:
    """Continued lines joined to the first of theirs."""
    found: list[str] = []
    for line in lines:
        if line[:1].isspace() and found:
            found[-1] += "\n" + line
        else:
            found.append(line)
    return found or [""]


def _named(text: str) -> tuple[str, Type | str]:
    """`name :: type`, the type as text where it cannot be read."""
    name, colons, signature = text.partition("::")
    if name.rstrip().startswith("(") and not colons:
        return "", ""
    if name.startswith("(::"):
        name, _, signature = text[1:].partition(") ::")
    name = name.strip()
    if name.startswith("(") and name.endswith(")"):
        name = name[1:-1].strip()
    if not signature or " " in name:
        return "", ""
    return name, _read(signature)


def _read(text: str) -> Type | str:
    try:
        return parse_type(text, known=False)
    except SignatureError:
        return " ".join(text.split())


def _read_type(hash: str, word: str, text: str, rest: list[str]) -> Declaration | None:
    """`type`, `newtype` and `data`: a head, and what stands after the first `=`."""
    head, equals, body = _split_at_equals(text)
    words = [each for each in tokens_of(head) if each not in "(){}"]
    if len(words) < 2 or words[1] in ("family", "instance"):
        return Declaration(words[2], hash, {}) if len(words) > 2 else None
    name, variables = words[1], tuple(words[2:])
    if not (name[0].isalpha() or name[0] == "_") or "where" in variables or not equals:
        return Declaration(name, hash, _generalised(text, rest))
    if word == "type":
        meaning = _read(body)
        return Declaration(name, hash, {}, None if isinstance(meaning, str) else Synonym(variables, meaning))
    result = TypeCon(name, tuple(TypeVar(each) for each in variables))
    values: dict[str, Type | str] = {}
    fields: tuple[Type, ...] = ()
    constructor = ""
    for part in _split_at_bars(body):
        constructor, fields, named = _constructor(part)
        values |= {label: Function(result, kind) for label, kind in named.items()}
        if constructor:
            values[constructor] = _curried(fields, result)
    newtype = Newtype(variables, constructor, fields[0]) if word == "newtype" and len(fields) == 1 else None
    return Declaration(name, hash, values, None, newtype)


def _read_class(hash: str, text: str, rest: list[str]) -> Declaration | None:
    """A class: its methods need a dictionary, which their types alone do not say, so only the name is kept."""
    head = text.partition("\n")[0].partition(" where")[0]
    words = tokens_of(head.rpartition("=>")[2].removeprefix("class"))
    return Declaration(words[0], hash, {}) if words else None


def _generalised(text: str, rest: list[str]) -> dict[str, Type | str]:
    """The constructors of a `data T where`, each with the type that it states."""
    found: dict[str, Type | str] = {}
    for line in _joined([line[2:] for line in text.split("\n")[1:]]) + rest:
        name, signature = _named(line)
        if name[:1].isupper() or name[:1] == ":":
            found[name] = signature
    return found


def _curried(fields: tuple[Type, ...], result: Type) -> Type:
    kind = result
    for field in reversed(fields):
        kind = Function(field, kind)
    return kind


def _constructor(text: str) -> tuple[str, tuple[Type, ...], dict[str, Type]]:
    """(name, fields, labels) of a constructor; ("", (), {}) for an existential one, which has hidden fields."""
    text = text.strip()
    try:
        if text.startswith("forall") or "=>" in text:
            return "", (), {}
        if "{" in text:
            name, _, body = text.partition("{")
            return name.strip(), *_labelled(body.rpartition("}")[0])
        words = text.split(None, 1)
        if words[0][0].isupper() and not (len(words) > 1 and words[1].startswith((":", "`"))):
            return words[0], parse_atoms(words[1] if len(words) > 1 else "", known=False), {}
        tokens = tokens_of(text)
        sign = next((each for each in tokens if each[0] == ":"), "")
        left, _, right = text.partition(f" {sign} ")
        return (sign, parse_atoms(f"{left} {right}", known=False), {}) if sign and right else ("", (), {})
    except SignatureError:
        return "", (), {}


def _labelled(text: str) -> tuple[tuple[Type, ...], dict[str, Type]]:
    """The fields of a record: `a, b :: type` would be printed apart, as `a :: type, b :: type`."""
    fields: dict[str, Type] = {}
    for part in _split(text, ","):
        label, _, kind = part.partition("::")
        fields[label.strip().strip("()")] = parse_type(kind.strip().lstrip("!"), known=False)
    return tuple(fields.values()), fields


def _split_at_equals(text: str) -> tuple[str, str, str]:
    parts = _split(text, "=")
    return (parts[0], "=" if len(parts) > 1 else "", "=".join(parts[1:]))


def _split_at_bars(text: str) -> list[str]:
    return _split(text, "|")


def _split(text: str, sign: str) -> list[str]:
    """The text cut at a sign that stands alone and outside of brackets."""
    parts, depth, start = [], 0, 0
    signs = "!#$%&*+./<=>?@\\^|-~:"
    for at, each in enumerate(text):
        if each in "([{":
            depth += 1
        elif each in ")]}":
            depth -= 1
        elif each == sign and not depth:
            alone = text[at - 1 : at] not in tuple(signs) and text[at + 1 : at + 2] not in tuple(signs)
            if alone:
                parts.append(text[start:at])
                start = at + 1
    parts.append(text[start:])
    return parts
