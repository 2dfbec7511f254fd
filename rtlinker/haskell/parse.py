"""Types from text: what people write in a signature, and what `ghc --show-iface` prints.

The grammar is that of Haskell's types with GHC's extensions as far as an interface shows them: `forall` with or without
kinds, contexts, equalities, implicit parameters, linear arrows, unboxed tuples, operators, promoted names and literals.
Kinds of bound variables and multiplicities are read and forgotten: they mean nothing at run time.
"""

from __future__ import annotations

from rtlinker.haskell.types import Forall, Function, Qualified, TypeCon, TypeVar, canonical, signature_error, tuple_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.errors import SignatureError
    from rtlinker.haskell.types import Type

_SYMBOLS = set("!#$%&*+./<=>?@\\^|-~:")
_CLOSING = (")", "]", ",", "#)", "->", "=>", "⊸", "", "::", "}", "%")


def parse_type(text: str, known: bool = True) -> Type:
    """The type that `text` writes. Raises SignatureError with the text and the place that cannot be read.

    With `known`, types that everybody knows get the name of `types.canonical`; else names stay as they are written.
    """
    reader = _Reader(text, known)
    kind = reader.type()
    if reader.word:
        raise reader.wrong()
    return kind


def parse_atoms(text: str, known: bool = True) -> tuple[Type, ...]:
    """Types standing side by side, as a constructor's fields do; strictness and unpacking are read and forgotten."""
    reader = _Reader(text, known)
    found = []
    while reader.word:
        while reader.word in ("!", "~"):
            reader.take()
        found.append(reader.atom())
    return tuple(found)


def tokens_of(text: str) -> list[str]:
    """The words and signs of a type. A sign that stands in a qualified name (`GHC.Types.~`) belongs to it."""
    found = []
    at, end = 0, len(text)
    while at < end:
        if text[at].isspace():
            at += 1
            continue
        if text.startswith("{-#", at):
            at = text.find("#-}", at) + 3 if "#-}" in text[at:] else end
            continue
        stop = _token_end(text, at)
        found.append(text[at:stop])
        at = stop
    return found


def _token_end(text: str, at: int) -> int:
    """Where the word that begins at `at` ends."""
    if text[at : at + 2] in ("(#", "#)") and text[at : at + 3] != "(#)":
        return at + 2
    if text[at] in "()[],{}":
        return at + 1
    if text[at] == '"':
        stop = at + 1
        while stop < len(text) and text[stop] != '"':
            stop += 2 if text[stop] == "\\" else 1
        return min(stop + 1, len(text))
    if text[at] == "?" and text[at + 1 : at + 2].isalpha():
        return _word_end(text, at + 1)
    if text[at] in _SYMBOLS:
        return _sign_end(text, at)
    return _word_end(text, at)


def _sign_end(text: str, at: int) -> int:
    stop = at
    while stop < len(text) and text[stop] in _SYMBOLS and text[stop : stop + 2] != "#)":
        stop += 1
    return max(stop, at + 1)


def _word_end(text: str, at: int) -> int:
    stop = at
    while stop < len(text):
        each = text[stop]
        if each.isalnum() or each in "_'$#":
            stop += 1
        elif each == "." and text[at].isupper() and stop + 1 < len(text):
            # a module's dot: the name goes on, with a word or with an operator
            follows = text[stop + 1]
            if follows in _SYMBOLS:
                return _sign_end(text, stop + 1)
            if not (follows.isalpha() or follows in "_$"):
                break
            stop += 1
        else:
            break
    return max(stop, at + 1)


class _Reader:
    """One walk over the tokens; `word` is the next one, empty at the end."""

    def __init__(self, text: str, known: bool) -> None:
        self.text = text
        self.name = canonical if known else str
        self.tokens = [*tokens_of(text), ""]
        self.at = 0

    @property
    def word(self) -> str:
        return self.tokens[self.at]

    def take(self, expected: str | None = None) -> str:
        word = self.word
        if not word or (expected is not None and word != expected):
            raise self.wrong(expected)
        self.at += 1
        return word

    def wrong(self, expected: str | None = None) -> SignatureError:
        place = " ".join(self.tokens[self.at : self.at + 4]).strip() or "the end of the text"
        rows = [("type", self.text), ("at", place), ("expected", expected or "")]
        return signature_error("not a Haskell type", rows, "such as: Int -> Maybe String -> IO [Double]")

    def type(self) -> Type:
        if self.word in ("forall", "∀"):
            self.take()
            variables = self.binders()
            body = self.type()
            return Forall(variables, body) if variables else body
        left = self.infix()
        if self.word == "=>":
            self.take()
            is_several = type(left) is TypeCon and left.name.startswith(("(,", "()"))
            context = left.arguments if is_several and type(left) is TypeCon else (left,)
            body = self.type()
            return Qualified(context, body) if context else body
        if self.word[:1] == "%":
            self.take()
            if self.word != "->":
                self.atom()
        if self.word in ("->", "⊸"):
            self.take()
            return Function(left, self.type())
        return left

    def binders(self) -> tuple[str, ...]:
        """The variables after `forall`, up to its dot."""
        found = []
        while not self.word.startswith(".") and self.word != "->":
            word = self.take()
            if word in ("(", "{"):
                found.append(self.take())
                self.skip_to(")" if word == "(" else "}")
            else:
                found.append(word)
        self.take()
        return tuple(found)

    def skip_to(self, closing: str) -> None:
        """Past the closing bracket that fits, whatever stands before it."""
        depth = 0
        while depth or self.word != closing:
            depth += (self.word in ("(", "{")) - (self.word in (")", "}"))
            self.take()
        self.take()

    def infix(self) -> Type:
        """An application, or two joined by an operator such as `~`; chains group to the right."""
        left = self.application()
        sign = self.word
        if sign in _CLOSING or sign[0] == "%" or not _is_operator(sign):
            return left
        self.take()
        return TypeCon(f"({self.name(sign)})", (left, self.infix()))

    def application(self) -> Type:
        while self.word == "!":  # a strict field, in a constructor's own signature
            self.take()
        head = self.atom()
        arguments = []
        while self.word == "@" or (self.word not in _CLOSING and not _is_operator(self.word)):
            if self.word == "@":  # a kind, applied: nothing of it is left at run time
                self.take()
                self.atom()
            else:
                arguments.append(self.atom())
        if not arguments:
            return head
        if not isinstance(head, (TypeCon, TypeVar)):
            raise self.wrong()
        return type(head)(head.name, (*head.arguments, *arguments))

    def atom(self) -> Type:
        word = self.take()
        if word == "(":
            return self.parentheses()
        if word == "(#":
            return self.unboxed()
        if word == "[":
            return self.brackets()
        if word[0] == "?" and self.word == "::":
            self.take()
            return TypeCon(word, (self.type(),))
        if word == "*" or word[0] in "\"'" or word[0].isdigit():
            return TypeCon(word)
        if word in _CLOSING or _is_operator(word):
            self.at -= 1
            raise self.wrong()
        return TypeVar(word) if word[0].islower() or word[0] == "_" else TypeCon(self.name(word))

    def parentheses(self) -> Type:
        if _is_operator(self.word) and self.tokens[self.at + 1] == ")":
            name = self.take()
            self.take()
            return TypeCon("(->)" if name == "->" else f"({self.name(name)})")
        if self.word == ",":
            commas = ""
            while self.word == ",":
                commas += self.take()
            self.take(")")
            return TypeCon(f"({commas})")
        elements = self.elements(")")
        return elements[0] if len(elements) == 1 else tuple_of(*elements)

    def unboxed(self) -> Type:
        elements = self.elements("#)")
        return TypeCon(f"(#{',' * (len(elements) - 1)}#)", elements)

    def brackets(self) -> Type:
        elements = self.elements("]")
        return TypeCon("[]" if len(elements) < 2 else f"'[{',' * (len(elements) - 1)}]", elements)

    def elements(self, closing: str) -> tuple[Type, ...]:
        """What stands between commas, up to the closing bracket. A kind after `::` is forgotten."""
        found = []
        if self.word == closing:
            self.take()
            return ()
        while True:
            found.append(self.type())
            if self.word == "::":
                self.take()
                self.type()
            if self.word != ",":
                break
            self.take()
        self.take(closing)
        return tuple(found)


def _is_operator(word: str) -> bool:
    last = word[-1:]
    if word in ("(#", "#)"):
        return False
    return last in _SYMBOLS and not (last == "#" and (word[0].isalpha() or word[0] == "_")) and word != "*"
