"""Haskell values as words of a command line, and back: in Haskell's own notation, led by their type."""

from __future__ import annotations

from rtlinker.haskell.handles import Just, Left, Right
from rtlinker.haskell.types import TypeCon, is_tuple, signature_error, variables_of, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.errors import SignatureError
    from rtlinker.haskell.types import Type

WHOLE = frozenset(
    ("Int", "Word", "Integer", "Natural", *[f"{name}{bits}" for name in ("Int", "Word") for bits in (8, 16, 32, 64)])
)
REAL = frozenset(("Double", "Float"))
TEXTS = frozenset(("Text", "Data.Text.Lazy.Text"))
BYTES = frozenset(("ByteString", "Data.ByteString.Lazy.ByteString"))
ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
SPECIAL = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}


def is_text(kind: Type) -> bool:
    """Whether a type is that of texts: String, Text, ByteString, and the lazy ones."""
    if not isinstance(kind, TypeCon):
        return False
    return kind.name in TEXTS | BYTES or (kind.name == "[]" and kind.arguments == (TypeCon("Char"),))


def read_word(word: str, kind: Type) -> object:
    """The Python value of a word for a parameter of this type; whether a number fits is the call's to say.

    Texts and single characters stand as they are; everything else as in Haskell: `[1,2,3]`, `("a",True)`, `Just 3`.
    Raises SignatureError for a word that makes no such value.
    """
    if is_text(kind):
        return word.encode("utf-8", "surrogateescape") if _name(kind) in BYTES else word
    if _name(kind) == "Char" and len(word) == 1:
        return word
    reader = _Reader(word, kind)
    value = reader.value(kind)
    reader.space()
    if reader.at < len(word):
        raise reader.wrong()
    return value


def _name(kind: Type) -> str:
    return kind.name if isinstance(kind, TypeCon) else ""


class _Reader:
    """Reads a value from the start of a text."""

    def __init__(self, text: str, kind: Type) -> None:
        self.text = text
        self.kind = kind
        self.at = 0

    def wrong(self) -> SignatureError:
        """The error for a text that makes no value."""
        rows = [("word", repr(self.text)), ("type", write(self.kind))]
        hint = "choose a type with --sig" if variables_of(self.kind) else None
        return signature_error("a word that makes no such value", rows, hint)

    def space(self) -> None:
        """Go behind the spaces."""
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def take(self, wanted: str) -> bool:
        """Go behind a sign or a word, if it is next."""
        self.space()
        end = self.at + len(wanted)
        follower = self.text[end : end + 1]
        if not self.text.startswith(wanted, self.at) or (wanted[-1].isalpha() and follower.isalnum()):
            return False
        self.at = end
        return True

    def value(self, kind: Type) -> object:
        """The next value."""
        self.space()
        if not isinstance(kind, TypeCon):
            raise self.wrong()
        if kind.name == "()":
            self.expect("(", ")")
            return None
        if is_tuple(kind.name) or (kind.name == "[]" and self.text[self.at : self.at + 1] == "["):
            return self.several(kind)
        if is_text(kind) or kind.name == "Char":
            return self.quoted(kind)
        if self.take("("):
            found = self.value(kind)
            self.expect(")")
            return found
        return self.named(kind) if kind.name in {"Bool", "Maybe", "Either"} else self.number(kind)

    def expect(self, *signs: str) -> None:
        """Go behind signs that must be next."""
        for sign in signs:
            if not self.take(sign):
                raise self.wrong()

    def several(self, kind: TypeCon) -> object:
        """A list or a tuple."""
        if kind.name == "[]":
            self.expect("[")
            found: list[object] = []
            while not self.take("]"):
                if found:
                    self.expect(",")
                found.append(self.value(kind.arguments[0]))
            return found
        self.expect("(")
        parts: list[object] = []
        for part in kind.arguments:
            if parts:
                self.expect(",")
            parts.append(self.value(part))
        self.expect(")")
        return tuple(parts)

    def named(self, kind: TypeCon) -> object:
        """A Bool, Maybe or Either."""
        if kind.name == "Bool" and (self.take("True") or self.take("False")):
            return self.text[self.at - 4 : self.at] == "True"
        if kind.name == "Maybe" and self.take("Nothing"):
            return None
        if kind.name == "Maybe" and self.take("Just"):
            inner = self.value(kind.arguments[0])
            return Just(inner) if inner is None or isinstance(inner, Just) else inner
        if kind.name == "Either" and self.take("Left"):
            return Left(self.value(kind.arguments[0]))
        if kind.name == "Either" and self.take("Right"):
            return Right(self.value(kind.arguments[1]))
        raise self.wrong()

    def number(self, kind: TypeCon) -> object:
        """A number."""
        start = self.at
        while self.text[self.at : self.at + 1] not in ("", ",", "]", ")", " "):
            self.at += 1
        word = self.text[start : self.at]
        try:
            if kind.name in WHOLE:
                return int(word, 0)
            if kind.name in REAL:
                return float(word)
        except ValueError:
            pass
        raise self.wrong()

    def quoted(self, kind: TypeCon) -> object:
        """A text or a character between quotes."""
        quote = "'" if kind.name == "Char" else '"'
        self.expect(quote)
        found = ""
        while self.text[self.at : self.at + 1] not in ("", quote):
            found += self.character()
        self.expect(quote)
        if kind.name == "Char" and len(found) != 1:
            raise self.wrong()
        return found.encode() if kind.name in BYTES else found

    def character(self) -> str:
        """The next character of a text: itself, or the escape of a line's end, a tab, a backslash or a quote."""
        letter = self.text[self.at]
        self.at += 1
        if letter != "\\":
            return letter
        escaped = self.text[self.at : self.at + 1]
        self.at += 1
        known = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}.get(escaped)
        if known is None:
            raise self.wrong()
        return known


def show(value: object, kind: Type) -> str:
    """A result as people read it: texts as they are, everything else as Haskell's `show` writes it."""
    if is_text(kind) or _name(kind) == "Char":
        return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    return _shown(value, kind, False)


def _shown(value: object, kind: Type, inner: bool) -> str:
    name = _name(kind)
    arguments = kind.arguments if isinstance(kind, TypeCon) else ()
    if is_text(kind) or name == "Char":
        return _quoted(value, "'" if name == "Char" else '"')
    if name == "[]" and isinstance(value, (list, tuple)):
        return f"[{','.join([_shown(each, arguments[0], False) for each in value])}]"
    if is_tuple(name) and isinstance(value, tuple):
        return f"({','.join([_shown(each, part, False) for each, part in zip(value, arguments)])})"
    if name == "()":
        return "()"
    if name == "Maybe":
        if value is None:
            return "Nothing"
        held = value.value if isinstance(value, Just) else value
        return _grouped(f"Just {_shown(held, arguments[0], True)}", inner)
    if name == "Either" and isinstance(value, (Left, Right)):
        side = isinstance(value, Right)
        return _grouped(f"{'Right' if side else 'Left'} {_shown(value.value, arguments[side], True)}", inner)
    text = _real(value) if isinstance(value, float) else str(value)
    return _grouped(text, inner and text[:1] == "-")


def _grouped(text: str, parentheses: bool) -> str:
    return f"({text})" if parentheses else text


def _quoted(value: object, quote: str) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return quote + "".join([ESCAPES.get(letter, letter) for letter in text]) + quote


def _real(value: float) -> str:
    """As Haskell writes it: 0.1 up to 10,000,000 without an exponent."""
    text = repr(value)
    if text in SPECIAL:
        return SPECIAL[text]
    sign, text = ("-", text[1:]) if text[0] == "-" else ("", text)
    if 0.1 <= abs(value) < 10**7 or not value:
        return sign + text
    digits, _, exponent = text.partition("e")
    whole, _, part = digits.partition(".")
    part = "" if part == "0" else part
    power = int(exponent or 0) + len(whole) - 1
    significant = (whole + part).lstrip("0")
    power -= len(whole + part) - len(significant) if whole == "0" else 0
    significant = significant.rstrip("0") or "0"
    return f"{sign}{significant[0]}.{significant[1:] or '0'}e{power}"


def json_value(value: object) -> object:
    """A result as JSON has it: Left and Right as objects of one key, Just and Nothing as the value and null."""
    if isinstance(value, (list, tuple)):
        return [json_value(each) for each in value]
    if isinstance(value, (Left, Right)):
        return {type(value).__name__: json_value(value.value)}
    if isinstance(value, Just):
        return {"Just": json_value(value.value)}
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)
