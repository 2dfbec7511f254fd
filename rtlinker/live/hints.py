"""What errors of linking learn from the process: who has an undefined symbol, and what C++ calls a name."""

from __future__ import annotations

from rtlinker.errors import SHOWN, RelocationError, UndefinedSymbolsError
from rtlinker.host.demangle import demangle, readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.link.scope import Source


STAND_INS = ("libunwind", "libgphobos", "libgdruntime")
"""Libraries that have names of libgcc_s and libatomic for programs of their own language, or LLVM's, only."""

SANITIZERS = {
    "__asan_": ("address", "libasan"),
    "__tsan_": ("thread", "libtsan"),
    "__hwasan_": ("hwaddress", "libhwasan"),
    "__lsan_": ("leak", "liblsan"),
    "__msan_": ("memory", ""),
    "__dfsan_": ("dataflow", ""),
}
"""How the names begin that code compiled with -fsanitize=WORD refers to, and the shared library that has them."""


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
        elif base.startswith(tuple(SANITIZERS)):
            symbol.hint = _sanitizer_hint(base, libraries.get(base, []))
        elif base.startswith("__gcov_"):
            symbol.hint = "libgcov.a has it, for code compiled with --coverage: add -l gcov"
        elif base.startswith(("llvm_gcda_", "llvm_gcov_", "__llvm_profile_")):
            symbol.hint = _coverage_hint()
        elif libraries.get(base):
            symbol.hint = _library_hint(libraries[base])
    for symbol in symbols:
        symbol.readable = demangle


def make_readable(error: RelocationError) -> None:
    """Show the symbol and the function of a relocation as people write them, where libstdc++ is loaded."""
    symbol, blank, rest = error.target.partition(" ")
    full = readable(symbol)
    if full != symbol:
        error.target = f"{full} ({symbol}){blank}{rest}"
    place, within, function = error.site.rpartition(") in ")
    error.site = place + within + readable(function)
    shown = {"target": error.target, "site": error.site}
    error.facts = tuple([(label, shown.get(label, text)) for label, text in error.facts])


def preload_hint(library: str) -> str:
    """What to do about a runtime that must be there before the program starts."""
    return f"start the program with LD_PRELOAD={library}: a sanitizer must be there from the start"


def _coverage_hint() -> str:
    """What clang's --coverage needs, which is installed where clang's own files are."""
    from pathlib import Path

    archive = "libclang_rt.profile-x86_64.a"
    patterns = ("llvm-*/lib/clang/*/lib/linux/", "clang/*/lib/linux/")
    found = sorted(str(path) for pattern in patterns for path in Path("/usr/lib").glob(pattern + archive))
    file = found[-1] if found else archive
    return f"clang's profile runtime has it, for code compiled with --coverage: add -w {file}"


def _sanitizer_hint(name: str, paths: Sequence[str]) -> str:
    word, stem = next(found for prefix, found in SANITIZERS.items() if name.startswith(prefix))
    library = next((path.rpartition("/")[2] for path in paths if stem and f"/{stem}.so" in path), None)
    if library is None and stem:
        return f"install {stem} and start the program with it in LD_PRELOAD, or compile without -fsanitize={word}"
    return preload_hint(library) if library else f"its runtime is in programs only: compile without -fsanitize={word}"


def _library_hint(names: Sequence[str]) -> str:
    ranked = sorted(names, key=lambda path: path.rpartition("/")[2].startswith(STAND_INS))
    shown = [path.rpartition("/")[2] for path in ranked]
    stem, dot, _ = shown[0].partition(".so")
    option = f"-l {stem[3:]}" if stem.startswith("lib") and dot else f"-l {ranked[0]}"
    others = f" (so do {', '.join(shown[1:3])})" if len(shown) > 1 else ""
    return f"{shown[0]} has it: add {option}{others}"
