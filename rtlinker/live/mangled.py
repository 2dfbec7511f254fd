"""C++ names as people write them, to symbols.

A symbol's full C++ name has parameters, and a return type if it is a template's: `int twice<int>(int)`. People write
what they remember of it. Accepted are the full name, the same without the return type or the final `const`, and either
without parameters. Blanks beside punctuation do not matter, and `std::string` stands for what it abbreviates.
"""

from __future__ import annotations

from rtlinker.errors import LinkError
from rtlinker.host.demangle import demangle, readable
from rtlinker.link.scope import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rtlinker.link.scope import Definition

ABBREVIATED = (
    ("std::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string"),
    ("std::__cxx11::", "std::"),
)
"""Written out by the demangler and by nobody else; replaced from the last to the first."""

OPENING, CLOSING = "(<[{", ")>]}"

VARIANTS = ("C2E", "D2E", "D0E", "C5E", "D5E")
"""Of a constructor or destructor, what has the same C++ name as the one that is meant (Itanium C++ ABI, 5.1.4.4)."""


def symbols_called(name: str, symbols: Iterable[str]) -> dict[str, str]:
    """Those of the symbols whose C++ name is `name`, by their full C++ names.

    `area(double)` is one function; `area` is every function of that name, whatever its parameters.
    """
    wanted = tight(name)
    word = wanted.partition("(")[0].partition("<")[0].rpartition(":")[2].rpartition(" ")[2]
    found: dict[str, str] = {}
    exact: dict[str, str] = {}
    for symbol in symbols:
        full = demangle(symbol)
        if full is None or word not in full or wanted not in spellings(full):
            continue
        found[full] = _better(found.get(full), symbol)
        if wanted == tight(full):
            exact[full] = found[full]
    return exact or found


def symbol_called(name: str, symbols: Iterable[str]) -> str | None:
    """The one of the symbols whose C++ name is `name`; raises LinkError when there are several."""
    found = symbols_called(name, symbols)
    if len(found) > 1:
        raise LinkError("several C++ symbols have this name", [("symbol", name), ("choose", "\n".join(sorted(found)))])
    return next(iter(found.values()), None)


class GivenNames(Table):
    """The caller's definitions, whose names may be C++ names: references to their symbols find them, too."""

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        super().__init__("given by the caller", definitions)
        self._cxx = [name for name in definitions if is_cxx(name)]

    def find(self, name: str, version: str | None = None) -> Definition | None:
        """The definition for this symbol. Raises LinkError when two C++ names that were given mean it."""
        found = super().find(name, version)
        if found is None and self._cxx and name.startswith("_Z"):
            meant = [given for given in self._cxx if symbols_called(given, (name,))]
            if len(meant) > 1:
                raise LinkError("several given names mean one symbol", [("symbol", name), ("given", "\n".join(meant))])
            found = super().find(meant[0]) if meant else None
        return found


def file_and_name(name: str) -> tuple[str, str]:
    """`("a.o", "ns::f(int)")` for `a.o:ns::f(int)`; no file where no single colon follows one."""
    for at, character in enumerate(name):
        if character == ":" and ":" not in {name[at - 1 : at], name[at + 1 : at + 2]}:
            return name[:at], name[at + 1 :]
    return "", name


def is_cxx(name: str) -> bool:
    """Whether a name cannot be a symbol's own, as `area(double)` and `plane::only` cannot."""
    return not name.startswith("_Z") and any(mark in name for mark in ("::", "(", "<", "operator "))


def spellings(full: str) -> set[str]:
    """All accepted ways to write a full C++ name, each as `tight` leaves it."""
    ways = {full}
    opening = _parameters(full)
    if opening > 0:
        head, plain = full[:opening], full[: full.rindex(")") + 1]
        start = _after_type(head)
        ways |= {head, plain, full[start:], head[start:], plain[start:]}
    return {tight(way) for way in ways}


def plain_name(symbol: str) -> str:
    """`ns::twice<int>` for the symbol of `int ns::twice<int>(int)`; a name that is not C++ as it is."""
    full = readable(symbol)
    opening = _parameters(full) if full != symbol else -1
    return full[_after_type(full[:opening]) : opening] if opening > 0 else full


def abbreviated(name: str) -> str:
    """A C++ name with `std::string` for what it stands for."""
    for long, short in reversed(ABBREVIATED):
        name = name.replace(long, short)
    return name


def tight(name: str) -> str:
    """A C++ name without the blanks that mean nothing, and with abbreviations for what they stand for."""
    parts = abbreviated(name).split()
    text = parts[0] if parts else ""
    for part in parts[1:]:
        words = _is_word(text[-1]) and _is_word(part[0])
        text += f" {part}" if words else part
    return text


def _is_word(character: str) -> bool:
    return character.isalnum() or character in "_$"


def _better(old: str | None, new: str) -> str:
    """Of two symbols with one C++ name the one for complete objects; else the first."""
    return new if old is None or (any(mark in old for mark in VARIANTS) and "D0E" not in new) else old


def _parameters(full: str) -> int:
    """Where the parameter list of a function starts; -1 for what is none: data, vtables, things local to a function."""
    end = len(full)
    for tail in (" const", " volatile", " &", " &&"):
        end = len(full[:end].removesuffix(tail))
    if not full[:end].endswith(")"):
        return -1
    depth = 0
    for at in range(end - 1, -1, -1):
        depth += (full[at] == ")") - (full[at] == "(")
        if not depth:
            return -1 if full[:at].endswith("operator") and at + 2 == end else at
    return -1


def _after_type(head: str) -> int:
    """Where the name starts in what stands before the parameters: only templates tell their return type.

    Constructors and conversions of templates tell none, as they have none; a conversion's name has blanks in it.
    """
    if not head.endswith(">") or " for " in head or " to " in head:
        return 0
    depth = 0
    start = 0
    limit = _operator(head)
    for at in range(limit):
        character = head[at]
        depth += (character in OPENING) - (character in CLOSING)
        if character == " " and not depth:
            start = at + 1
    return start


def _operator(head: str) -> int:
    """Where `operator` stands in a name, whose signs are no brackets; else the end."""
    for at in range(len(head)):
        if head.startswith("operator", at) and (not at or not _is_word(head[at - 1])):
            following = head[at + len("operator") : at + len("operator") + 1]
            if not _is_word(following):
                return at
    return len(head)
