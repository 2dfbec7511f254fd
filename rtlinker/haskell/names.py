"""GHC's symbols and what they say: package, module, name, and which part of a closure is meant.

GHC writes every name so that any assembler takes it ("z-encoding"): letters and digits stand for themselves, `z` and
`Z` begin a code, and `_` only separates. `base_GHCziBase_zlzg_info` is `<>` of the module GHC.Base in the package base,
and of it the table that the runtime reads before it runs the code. The program's own package, `main`, is left out:
`Test_maFonction_closure`.
"""

from __future__ import annotations

from rtlinker.facts import Fact

CODES = {
    "Z": "ZZ", "z": "zz", "(": "ZL", ")": "ZR", "[": "ZM", "]": "ZN", ":": "ZC",
    "&": "za", "|": "zb", "^": "zc", "$": "zd", "=": "ze", ">": "zg", "#": "zh", ".": "zi", "<": "zl", "-": "zm",
    "!": "zn", "+": "zp", "'": "zq", "\\": "zr", "/": "zs", "*": "zt", "_": "zu", "%": "zv",
}  # fmt: skip
"""What stands for a character; all others but ASCII letters and digits are `z`, their number in hex, and `U`."""

CHARACTERS = {code: character for character, code in CODES.items()}
HEX = frozenset("0123456789abcdef")
DIGITS = frozenset("0123456789")

SUFFIXES = (
    "closure", "info", "con_info", "con_entry", "static_info", "static_closure", "entry", "slow", "fast", "bytes",
    "closure_tbl", "str", "srt", "ret", "cc", "ccs", "ticky_ctr", "dbl",
)  # fmt: skip
"""What ends a symbol, and is not part of the name."""

MAIN = "main"
"""The package of a program's own modules; symbols leave it out."""


class Name(Fact):
    """What a symbol says, decoded. `package` is the unit as symbols have it: `base`, `text-1.2.5.0`, or `main`."""

    package: str
    module: str
    name: str
    suffix: str

    @property
    def qualified(self) -> str:
        """`System.IO.putStrLn`, as in Haskell."""
        return f"{self.module}.{self.name}"

    def __str__(self) -> str:
        shown = self.name if self.name[:1].isalpha() or self.name[:1] == "_" else f"({self.name})"
        return f"{shown} of the module {self.module} in the package {self.package}"


def encode(text: str) -> str:
    """A Haskell name as it stands in symbols. `decode` gives the text back."""
    tuple_code = _tuple_code(text)
    if tuple_code:
        return tuple_code
    return "".join([_code(character) for character in text])


def decode(text: str) -> str:
    """What a z-encoded name was. A `z` or `Z` that begins no code stands for itself, so any text is taken."""
    found, at = [], 0
    while at < len(text):
        character, at = _character(text, at)
        found.append(character)
    return "".join(found)


def parse_symbol(symbol: str) -> Name | None:
    """What a symbol of GHC says; None for one that names nothing of a Haskell module (`stg_ap_n_fast`, `puts`)."""
    parts = symbol.split("_")
    at = next((at for at in (len(parts) - 2, len(parts) - 1) if at > 1 and "_".join(parts[at:]) in SUFFIXES), None)
    if at is None:
        return None
    own = _is_module(parts[0])
    module = 0 if own else 1
    if not _is_module(parts[module]) or at <= module + 1 or (not own and not _is_package(parts[0])):
        return None
    name = "_".join([decode(part) for part in parts[module + 1 : at]])
    return Name(MAIN if own else decode(parts[0]), decode(parts[module]), name, "_".join(parts[at:]))


def symbol_of(name: Name) -> str:
    """The symbol that says this."""
    package = [] if name.package == MAIN else [encode(name.package)]
    return "_".join([*package, encode(name.module), encode(name.name), name.suffix])


def _is_module(part: str) -> bool:
    return part[:1].isupper() and part.isascii() and part.isalnum()


def _is_package(part: str) -> bool:
    """Not the runtime's own symbols, which are written in the same way."""
    return part[:1].isalnum() and part not in {"stg", "rts", "hs"}


def _code(character: str) -> str:
    if character in CODES:
        return CODES[character]
    if character.isascii() and character.isalnum():
        return character
    number = f"{ord(character):x}"
    return f"z{number if number[0] in DIGITS else '0' + number}U"


def _tuple_code(text: str) -> str | None:
    """`(,)` is Z2T, `(#,#)` is Z2H; `()` is Z0T and `(# #)` is Z1H."""
    if text in {"()", "(# #)"}:
        return "Z0T" if text == "()" else "Z1H"
    inner = text[1:-1]
    if text[:1] == "(" and text[-1:] == ")" and inner and not inner.strip(","):
        return f"Z{len(inner) + 1}T"
    inner = text[2:-2]
    if text[:2] == "(#" and text[-2:] == "#)" and inner and not inner.strip(","):
        return f"Z{len(inner) + 1}H"
    return None


def _character(text: str, at: int) -> tuple[str, int]:
    """What the code at a place stands for, and the place behind it."""
    if text[at] not in "zZ":
        return text[at], at + 1
    known = CHARACTERS.get(text[at : at + 2])
    if known:
        return known, at + 2
    end = at + 1
    digits = HEX if text[at] == "z" else DIGITS
    while text[end : end + 1] in digits and text[end : end + 1]:
        end += 1
    number, ending = text[at + 1 : end], text[end : end + 1]
    if text[at] == "z" and ending == "U" and number[:1] in DIGITS and number and int(number, 16) < 0x110000:
        return chr(int(number, 16)), end + 1
    if text[at] == "Z" and ending in {"T", "H"} and number and len(number) < 4:
        return _tuple_of(int(number), ending == "H"), end + 1
    return text[at], at + 1


def _tuple_of(size: int, unboxed: bool) -> str:
    if unboxed:
        return "(# #)" if size == 1 else f"(#{',' * (size - 1)}#)"
    return f"({',' * (size - 1)})"
