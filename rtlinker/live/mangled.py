"""C++ names as people write them, to symbols."""

from __future__ import annotations

from rtlinker.host.demangle import demangle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def symbols_called(name: str, symbols: Iterable[str]) -> dict[str, str]:
    """Those of the symbols whose C++ name is `name`, by their full C++ names.

    `area(double)` is one function; `area` is every function of that name, whatever its parameters.
    """
    found = {}
    for symbol in symbols:
        full = demangle(symbol)
        if full is not None and name in {full, full.partition("(")[0]}:
            found[full] = symbol
    return {name: found[name]} if name in found else found
