"""Values as words: what a command line says about arguments, and how results are shown to people and programs."""

from __future__ import annotations

from rtlinker.bind.ctype import Array, Base, CType, Enum, FunctionType, Pointer, Record, declare, plain
from rtlinker.errors import SignatureError

_DIGITS = frozenset("0123456789")
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0", "\\": "\\\\"}


def guess(text: str) -> int | float | str:
    """A word without a type: `42`, `-1`, `0x2a` are integers, `1.5` is a float, anything else is text.

    Raises SignatureError for an integer that does not fit 64 bits.
    """
    number = _whole_number(text)
    if number is not None:
        if not -1 << 63 <= number < 1 << 64:
            raise SignatureError("number does not fit 64 bits", text)
        return number
    digits = text.lower().removeprefix("-")
    if digits and digits[0] in "0123456789." and ("." in digits or "e" in digits) and digits != ".":
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _whole_number(text: str) -> int | None:
    digits = text.removeprefix("-")
    sign = -1 if digits != text else 1
    if digits[:2].lower() == "0x" and len(digits) > 2 and _HEXADECIMAL.issuperset(digits[2:]):
        return sign * int(digits, 16)
    if digits and len(digits) < 4000 and _DIGITS.issuperset(digits):
        return sign * int(digits)
    return None


def command_line_value(text: str, ctype: CType, prototype: str = "") -> object:
    """The Python value of a command line's word for a parameter of this type; the call checks its range.

    Numbers are decimal or `0x`; enumerators go by name; `NULL` is a null pointer; arrays, structs and pointers to them
    are JSON, or `{1, 2}` as in C. Raises SignatureError, which shows `prototype`, for words that make no such value.
    """
    try:
        return _value(text, plain(ctype))
    except ValueError:
        wanted = declare(ctype)
        headline = f"{text!r} is no {wanted}"
        raise SignatureError(
            headline if len(headline) <= 72 else "an argument does not fit its parameter",
            prototype or wanted,
            None if len(headline) <= 72 else f"wants {wanted}",
        ) from None


def _value(text: str, ctype: CType) -> object:
    if isinstance(ctype, Base):
        return _number(text, ctype)
    if isinstance(ctype, Enum):
        number = _whole_number(text)
        if number is None and text.rpartition("::")[2] not in dict(ctype.values):
            raise ValueError(text)
        return text if number is None else number
    if isinstance(ctype, Pointer):
        return _pointer(text, plain(ctype.target))
    if isinstance(ctype, (Record, Array)):
        return _structure(text)
    return guess(text)  # a type that calls refuse: the call says why


def _number(text: str, ctype: Base) -> object:
    if ctype.encoding == "char" and len(text) == 1:
        return text
    if ctype.encoding == "bool" and text in ("true", "false"):
        return text == "true"
    if ctype.encoding == "complex":
        return complex(text.replace("i", "j").replace(" ", ""))
    if ctype.encoding == "float":
        return float.fromhex(text) if "0x" in text.lower() else float(text)
    number = _whole_number(text)
    if number is None:
        raise ValueError(text)
    return number


def _pointer(text: str, target: CType) -> object:
    if text == "NULL":
        return None
    if isinstance(target, Base) and target.encoding == "char":
        return text
    if isinstance(target, FunctionType) or text[:2].lower() == "0x":
        number = _whole_number(text)
        if number is None:
            raise ValueError(text)
        return number
    if text[:1] == "{" and isinstance(target, Record):
        fields = _structure(text)
        return [fields] if isinstance(fields, list) else fields
    if text[:1] in ("[", "{"):
        return _structure(text)
    number = _whole_number(text)
    if number is not None:
        return number
    if isinstance(target, (Base, Record, Pointer, Array, Enum)) and getattr(target, "size", 8) != 1:
        raise ValueError(text)
    return text


def _structure(text: str) -> object:
    import json

    if ":" not in text:
        text = text.replace("{", "[").replace("}", "]")
    value = json.loads(text)
    if not isinstance(value, list | dict):
        raise ValueError(text)  # noqa: TRY004
    return value


def format_value(value: object, ctype: CType | None = None) -> str:
    """A result as people read it: `42`, `2.5`, text as it is, `{x = 1, y = 2.5}`, addresses in hex, `NULL`.

    Empty for void. Within structs and arrays text is quoted.
    """
    real = plain(ctype) if ctype is not None else None
    if isinstance(value, str):
        if isinstance(real, Base) and not value.isprintable():
            return _escaped(value)
        return value
    if value is None:
        return "NULL" if isinstance(real, Pointer) else ""
    return _shown(value, real)


def _shown(value: object, ctype: CType | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return hex(value) if isinstance(ctype, Pointer) else str(int(value))
    if isinstance(value, float):
        return _short(value) if isinstance(ctype, Base) and ctype.size == 4 else repr(value)
    if isinstance(value, complex):
        return repr(value).strip("()")
    if isinstance(value, str):
        return f"'{_escaped(value)}'" if isinstance(ctype, Base) else f'"{_escaped(value)}"'
    if value is None:
        return "NULL"
    fields = _fields(value)
    if fields is not None:
        return "{" + ", ".join(f"{name} = {_shown(part, plain(kind))}" for name, part, kind in fields) + "}"
    if isinstance(ctype, Array) and hasattr(value, "__iter__"):
        return "{" + ", ".join(_shown(part, plain(ctype.element)) for part in value) + "}"
    place = getattr(value, "address", None)
    return (hex(place) if place else "NULL") if isinstance(place, int) else str(value)


def _escaped(text: str) -> str:
    return "".join(
        _ESCAPES.get(char) or (char if char.isprintable() else f"\\x{ord(char) & 0xFF:02x}") for char in text
    )


def _short(value: float) -> str:
    """The shortest decimal that is this value as a C float."""
    import struct

    if value in (float("inf"), -float("inf")) or value != value:  # noqa: PLR0124
        return repr(value)
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        try:
            same = struct.unpack("f", struct.pack("f", float(text)))[0] == value
        except OverflowError:  # rounded up beyond FLT_MAX
            continue
        if same:
            return repr(float(text))
    return repr(value)


def _fields(value: object) -> list[tuple[str, object, CType]] | None:
    from rtlinker.bind.records import StructValue

    if not isinstance(value, StructValue):
        return None
    return [(name, value[name], member.type) for name, member in value._type.by_name.items()]


def json_value(value: object, ctype: CType | None = None) -> object:
    """A result for `json.dumps`: numbers, text, lists, objects; addresses as numbers, complex as [real, imaginary].

    Infinities and NaN, which JSON lacks, are text.
    """
    real = plain(ctype) if ctype is not None else None
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if value - value == 0 else repr(value)
    if isinstance(value, complex):
        return [json_value(value.real), json_value(value.imag)]
    fields = _fields(value)
    if fields is not None:
        return {name: json_value(part, kind) for name, part, kind in fields}
    if isinstance(real, Array) and hasattr(value, "__iter__"):
        return [json_value(part, real.element) for part in value]
    place = getattr(value, "address", None)
    return (place or None) if isinstance(place, int) else str(value)
