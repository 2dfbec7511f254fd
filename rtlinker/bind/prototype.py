"""C prototypes given as text: `double(int, const char *)` becomes a FunctionType.

A small recursive descent over C's declaration syntax (C17 6.7), without a preprocessor and without a symbol table.
What that leaves open is settled so: a name nobody knows may stand only behind a `*`, as an opaque type (`FILE *`);
`int (name)(...)` is a parenthesised name when another parenthesis follows, else `name` is a parameter's type.
Parameters that are arrays or functions become pointers, as in C (6.7.6.3p7-8).
"""

from __future__ import annotations

from rtlinker.bind.ctype import (
    VOID,
    Array,
    CType,
    Enum,
    FunctionType,
    Parameter,
    Pointer,
    Qualified,
    Record,
)
from rtlinker.bind.spelling import KEYWORDS, KNOWN, SPECIFIERS, SPELLINGS
from rtlinker.errors import SignatureError

_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789$")
_QUALIFIERS = {"const": "const", "__const": "const", "volatile": "volatile", "__volatile__": "volatile"}
_IGNORED = frozenset(("restrict", "__restrict", "__restrict__", "extern", "static", "inline", "register", "_Noreturn"))
_LONGEST = 10_000
_DEEPEST = 100

_parsed: dict[str, FunctionType] = {}


def parse_prototype(text: str) -> FunctionType:
    """The function type that `text` declares, a name in it or not: `int(int, int)`, `int add(int a, int b);`.

    A pointer to a function counts as the function. Raises SignatureError with a caret under the place that is wrong.
    """
    found = _parsed.get(text)
    if found is not None:
        return found
    parser = _Parser(text)
    ctype = parser.whole()
    if isinstance(ctype, Pointer) and isinstance(ctype.target, FunctionType):
        ctype = ctype.target
    if not isinstance(ctype, FunctionType):
        raise parser.wrong("a parameter list in parentheses")
    if len(_parsed) < 4096:
        _parsed[text] = ctype
    return ctype


def parse_type(text: str) -> CType:
    """The type that `text` declares, of data or of a function: `int[3]`, `const char *name`.

    Raises SignatureError with a caret under the place that is wrong.
    """
    return _Parser(text).whole()


def _split(text: str) -> tuple[list[str], list[int]]:
    """The tokens of `text` and where each starts; an empty token ends them."""
    tokens: list[str] = []
    places: list[int] = []
    place, end = 0, len(text)
    while place < end:
        char = text[place]
        start = place
        place += 1
        if char in _WORD:
            while place < end and text[place] in _WORD:
                place += 1
        elif char.isspace():
            continue
        elif text.startswith("...", start):
            place += 2
        tokens.append(text[start:place])
        places.append(start)
    tokens.append("")
    places.append(end)
    return tokens, places


class _Parser:
    """One pass over the tokens of one declaration."""

    __slots__ = ("at", "depth", "name", "places", "text", "tokens", "unknown")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = self.depth = 0
        self.name: str | None = None
        self.unknown: tuple[CType, int] | None = None
        if len(text) > _LONGEST:
            raise SignatureError("prototype too long", f"{text[:60]}...")
        self.tokens, self.places = _split(text)

    def wrong(self, expected: str, at: int | None = None) -> SignatureError:
        """The error that says what was expected at token `at` (default: here)."""
        token = self.tokens[self.at if at is None else at]
        place = self.places[self.at if at is None else at]
        headline = f"bad prototype: expected {expected}"
        if len(headline) > 72:
            headline = "bad prototype"
        return SignatureError(
            headline,
            f"{self.text}\n{' ' * place}^",
            f"expected {expected}, found {repr(token) if token else 'the end'}",
        )

    def whole(self) -> CType:
        ctype, _ = self.declaration(parameter=False)
        if self.tokens[self.at] == ";":
            self.at += 1
        if self.tokens[self.at]:
            raise self.wrong("the end of the prototype")
        return ctype

    def declaration(self, parameter: bool) -> tuple[CType, str | None]:
        """One declaration: its type and the name it declares."""
        start = self.at
        base = self.specifiers()
        self.name = None
        ctype = base
        if self.tokens[self.at] not in (",", ")", ""):
            for kind, detail in self.declarator():
                ctype = self.derive(ctype, kind, detail)
        if parameter:
            if isinstance(ctype, Array):
                ctype = Pointer(ctype.element)
            elif isinstance(ctype, FunctionType):
                ctype = Pointer(ctype)
        checked = ctype.result if isinstance(ctype, FunctionType) else ctype
        self.require_complete(checked, base, start)
        return ctype, self.name

    def require_complete(self, ctype: CType, base: CType, start: int) -> None:
        while isinstance(ctype, (Qualified, Array)):
            ctype = ctype.target if isinstance(ctype, Qualified) else ctype.element
        if isinstance(ctype, Record) and ctype.size is None:
            while self.tokens[start] in _QUALIFIERS or self.tokens[start] in _IGNORED:
                start += 1
            if ctype.kind:
                raise self.wrong("a '*': only a pointer to this type can be passed", start)
            raise self.wrong(f"a type, or a '*' after {ctype.name!r}", start)

    def specifiers(self) -> CType:
        """The type that the words before the declarator name."""
        words: list[str] = []
        qualifiers = ""
        found: CType | None = None
        start = self.at
        while True:
            token = self.tokens[self.at]
            if token in _QUALIFIERS:
                if _QUALIFIERS[token] not in qualifiers:
                    qualifiers += " " + _QUALIFIERS[token]
            elif token in SPECIFIERS and found is None:
                words.append(token)
            elif token in ("struct", "union", "enum", "class") and found is None and not words:
                found = self.tagged(token)
            elif token not in _IGNORED:
                if found is not None or words or not _is_name(token):
                    break
                found = KNOWN.get(token) or Record("", token, None)
            self.at += 1
        if words:
            found = SPELLINGS.get(" ".join(sorted(words)))
            if found is None:
                raise self.wrong("a C type", start)
        if found is None:
            raise self.wrong("a type")
        return Qualified(_ordered(qualifiers), found) if qualifiers else found

    def tagged(self, kind: str) -> CType:
        self.at += 1
        name = self.tokens[self.at]
        if not _is_name(name):
            raise self.wrong(f"the name of the {kind}")
        return Enum(name, 4, (), False) if kind == "enum" else Record(kind, name, None)

    def declarator(self) -> list[tuple[str, object]]:
        """What the declarator makes of its base type, innermost step last."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self.wrong("fewer nested parentheses")
        steps = self.pointers()
        nested: list[tuple[str, object]] = []
        token = self.tokens[self.at]
        if token == "(" and self.opens_declarator():  # noqa: S105
            self.at += 1
            nested = self.declarator()
            self.take(")")
        elif _is_name(token) and token not in KEYWORDS:
            self.name = token
            self.at += 1
        suffixes = self.suffixes()
        self.depth -= 1
        return steps + suffixes[::-1] + nested

    def pointers(self) -> list[tuple[str, object]]:
        steps: list[tuple[str, object]] = []
        qualifiers = ""
        while True:
            token = self.tokens[self.at]
            if token == "*":  # noqa: S105
                steps.append(("*", None))
            elif token in _QUALIFIERS and steps:
                qualifiers += " " + _QUALIFIERS[token]
            elif token not in _IGNORED:
                break
            self.at += 1
            if qualifiers and self.tokens[self.at] not in _QUALIFIERS:
                steps.append(("qualify", _ordered(qualifiers)))
                qualifiers = ""
        return steps

    def opens_declarator(self) -> bool:
        """Whether the parenthesis here groups a declarator, and does not open a parameter list."""
        follower = self.tokens[self.at + 1]
        if follower in ("*", "("):
            return True
        known = follower in KEYWORDS or follower in KNOWN
        return _is_name(follower) and not known and self.tokens[self.at + 2 : self.at + 4] == [")", "("]

    def suffixes(self) -> list[tuple[str, object]]:
        steps: list[tuple[str, object]] = []
        while self.tokens[self.at] in ("(", "["):
            opening = self.tokens[self.at]
            self.at += 1
            if opening == "[":
                while self.tokens[self.at] in _QUALIFIERS or self.tokens[self.at] in _IGNORED:
                    self.at += 1
                steps.append(("[", self.count()))
                self.take("]")
            else:
                name = self.name
                steps.append(("(", self.parameters()))
                self.name = name
                self.take(")")
        return steps

    def count(self) -> int | None:
        token = self.tokens[self.at]
        if token == "]":  # noqa: S105
            return None
        try:
            count = int(token, 0)
        except ValueError:
            raise self.wrong("a number of elements or ']'") from None
        self.at += 1
        return count

    def parameters(self) -> tuple[tuple[Parameter, ...], bool, bool]:
        """Parameters, whether more may follow, whether anything was said at all."""
        found: list[Parameter] = []
        if self.tokens[self.at] == ")":
            return (), False, False
        if self.tokens[self.at] == "void" and self.tokens[self.at + 1] == ")":
            self.at += 1
            return (), False, True
        while True:
            if self.tokens[self.at] == "...":
                self.at += 1
                return tuple(found), True, True
            start = self.at
            ctype, name = self.declaration(parameter=True)
            if ctype == VOID:
                raise self.wrong("a type that has values", start)
            found.append(Parameter(name, ctype))
            if self.tokens[self.at] != ",":
                return tuple(found), False, True
            self.at += 1

    def derive(self, ctype: CType, kind: str, detail: object) -> CType:
        if kind == "*":
            return Pointer(ctype)
        if kind == "qualify":
            return Qualified(str(detail), ctype)
        if isinstance(ctype, FunctionType) or (kind == "(" and isinstance(ctype, Array)):
            raise self.wrong("a type that a function can return or an array can hold")
        if isinstance(detail, tuple):
            return FunctionType(ctype, *detail)
        if ctype == VOID:
            raise self.wrong("a type that has values")
        return Array(ctype, detail if isinstance(detail, int) else None)

    def take(self, token: str) -> None:
        if self.tokens[self.at] != token:
            raise self.wrong(f"'{token}'")
        self.at += 1


def _is_name(token: str) -> bool:
    return token[:1] in _WORD and bool(token) and not token[0].isdigit()


def _ordered(qualifiers: str) -> str:
    return " ".join(word for word in ("const", "volatile") if word in qualifiers)
