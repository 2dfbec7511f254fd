"""Constructors and destructors of C++ as g++ describes them: once for all their names, with what some of them take."""

from __future__ import annotations

from rtlinker.host.demangle import demangle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeVar

    T = TypeVar("T")

TWINS = {"C1": "C2", "C2": "C1", "D1": "D2", "D2": "D1"}
"""Of complete objects and of bases (Itanium C++ ABI, 5.1.4.4); without virtual bases they do the same.

Of such twins g++ describes one only; where they differ it describes both.
"""


def called(table: Mapping[str, T], symbol: str) -> T | None:
    """What the table has under a symbol, or under the other name that a constructor or destructor has."""
    found = table.get(symbol)
    if found is not None or not symbol.startswith("_ZN"):
        return found
    for at in range(3, len(symbol) - 2):
        twin = TWINS.get(symbol[at : at + 2])
        if twin and symbol[at + 2] in "EI":  # the end of the name, or arguments of a template
            other = symbol[:at] + twin + symbol[at + 2 :]
            if other in table and demangle(other) == demangle(symbol):  # else it was a part of a name
                return table[other]
    return None


def is_passed(parameter: str, symbol: str) -> bool:
    """Whether a constructor or destructor takes a parameter that g++ describes for all of its kind.

    `__in_chrg` is none of this ABI; the table of virtual bases goes to constructors and destructors of bases only.
    """
    if parameter == "__in_chrg":
        return False
    return parameter != "__vtt_parm" or any(mark in symbol for mark in ("C2E", "C2I", "D2E"))
