"""The spellings of C's arithmetic types and of the names that everybody's headers define, on x86-64 Linux (LP64)."""

from __future__ import annotations

from rtlinker.bind.ctype import VOID, Base, CType, Refused, Typedef

NO_REGISTER = "ctypes cannot carry it in the registers the psABI assigns (section 3.2.3)"
"""Why a type is refused whose values would arrive wrong, in silence, through ctypes."""

_SIGNED = {"char": 1, "short": 2, "int": 4, "long": 8, "long long": 8}


def _spellings() -> dict[str, CType]:
    table: dict[str, CType] = {
        "void": VOID,
        "char": Base("char", 1, "char"),
        "float": Base("float", 4, "float"),
        "double": Base("double", 8, "float"),
        "double long": Base("long double", 16, "float"),
        "_Bool": Base("_Bool", 1, "bool"),
        "bool": Base("bool", 1, "bool"),
        "__int128": Base("__int128", 16, "signed"),
        "__int128 signed": Base("__int128", 16, "signed"),
        "__int128 unsigned": Base("unsigned __int128", 16, "unsigned"),
    }
    for name, size in _SIGNED.items():
        words = name.split()
        for sign in ("signed", "unsigned"):
            shown = name if sign == "signed" and name != "char" else f"{sign} {name}"
            ctype = Base(shown, size, sign)
            for extra in ([], ["int"]) if name not in ("int", "char") else ([],):
                table[" ".join(sorted([*words, *extra, sign]))] = ctype
                if sign == "signed" and name != "char":
                    table[" ".join(sorted([*words, *extra]))] = ctype
    table["signed"] = table["int"]
    table["unsigned"] = table["int unsigned"]
    for keyword in ("_Complex", "__complex__"):
        for name, size in (("double", 16), ("float", 8)):
            table[" ".join(sorted((keyword, name)))] = Base(f"{name} _Complex", size, "complex")
        table[" ".join(sorted((keyword, "double", "long")))] = Refused("long double _Complex", 32, NO_REGISTER)
    for name, size in (("__float128", 16), ("_Float128", 16), ("_Float16", 2), ("__bf16", 2)):
        table[name] = Refused(name, size, NO_REGISTER)
    for name, size in (("_Decimal32", 4), ("_Decimal64", 8), ("_Decimal128", 16)):
        table[name] = Refused(name, size, NO_REGISTER)
    return table


SPELLINGS = _spellings()
"""Arithmetic types by their words, sorted and joined by blanks: `int long unsigned`."""

SPECIFIERS = frozenset(word for spelling in SPELLINGS for word in spelling.split())
"""Words that combine to the name of an arithmetic type, or `void`."""

KEYWORDS = SPECIFIERS | {
    "const", "volatile", "restrict", "struct", "union", "enum", "class", "static", "extern", "register", "inline",
}  # fmt: skip
"""Words that cannot be the name of a parameter."""


def _known() -> dict[str, CType]:
    sizes = {1: "char", 2: "short", 4: "int", 8: "long"}
    names: dict[str, CType] = {}

    def add(name: str, size: int, sign: str) -> None:
        names[name] = Typedef(name, SPELLINGS[" ".join(sorted((sizes[size], sign)))])

    for bits in (8, 16, 32, 64):
        for prefix in ("int", "int_least"):
            add(f"{prefix}{bits}_t", bits // 8, "signed")
            add(f"u{prefix}{bits}_t", bits // 8, "unsigned")
        fast = 1 if bits == 8 else 8  # glibc: the fast types of 16 bits and more are long
        add(f"int_fast{bits}_t", fast, "signed")
        add(f"uint_fast{bits}_t", fast, "unsigned")
    for name in ("ssize_t", "intptr_t", "intmax_t", "ptrdiff_t", "off_t", "off64_t", "time_t", "clock_t"):
        add(name, 8, "signed")
    for name in ("size_t", "uintptr_t", "uintmax_t", "ino_t", "dev_t"):
        add(name, 8, "unsigned")
    for name in ("pid_t", "wchar_t", "key_t"):
        add(name, 4, "signed")
    for name, size in (("uid_t", 4), ("gid_t", 4), ("mode_t", 4), ("char32_t", 4), ("wint_t", 4), ("char16_t", 2)):
        add(name, size, "unsigned")
    names["va_list"] = Refused("va_list", 24, "it is made by va_start alone")
    return names


KNOWN = _known()
"""Names of the C library's headers that need no declaration."""
