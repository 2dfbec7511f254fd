"""What to do about an undefined symbol: who has it, or what it may have been meant to be."""

from __future__ import annotations

from rtlinker.errors import SHOWN, UndefinedSymbolsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.link.scope import Source


def add_hints(error: UndefinedSymbolsError, archives: Sequence[Source]) -> None:
    """Give the first symbols of the error a hint where a library on the search path or an archive has it."""
    from rtlinker.host.search import who_has

    symbols = error.symbols[:SHOWN]
    libraries = who_has([symbol.name.partition("@")[0] for symbol in symbols])
    for symbol in symbols:
        base = symbol.name.partition("@")[0]
        inside = [archive.name for archive in archives if base in archive.index()]
        if inside:
            symbol.hint = f"{inside[0]} has it, but only for other references (hidden or weak)"
        elif libraries.get(base):
            symbol.hint = _library_hint(libraries[base])
    rebuilt = UndefinedSymbolsError(error.symbols)
    error.facts = rebuilt.facts


def _library_hint(names: Sequence[str]) -> str:
    ranked = sorted(names, key=lambda path: "libunwind" in path)  # it stands in for libgcc_s in LLVM's programs only
    shown = [path.rpartition("/")[2] for path in ranked]
    stem, dot, _ = shown[0].partition(".so")
    option = f"-l {stem[3:]}" if stem.startswith("lib") and dot else f"-l {ranked[0]}"
    others = f" (so do {', '.join(shown[1:3])})" if len(shown) > 1 else ""
    return f"{shown[0]} has it: add {option}{others}"
