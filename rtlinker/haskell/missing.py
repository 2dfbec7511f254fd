"""What to say of names that nobody has when they are GHC's: decoded, and what to install or to add."""

from __future__ import annotations

from rtlinker.errors import LinkError, UndefinedSymbol, UndefinedSymbolsError, UnsupportedError
from rtlinker.haskell.names import MAIN, Name, parse_symbol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.haskell.objects import HaskellObject
    from rtlinker.haskell.packages import Package, Packages

CONVERTED = {"text": ((1,), (3,)), "bytestring": ((0, 10), (0, 11))}
"""Packages whose values `haskell.texts` lays out, the first version that it knows, and the next that it does not."""

RUNTIME = ("stg_", "rts_", "hs_", "STG_")
"""How names of the runtime itself begin."""


def explain_missing(error: UndefinedSymbolsError, packages: Packages) -> UndefinedSymbolsError:
    """The error with its names decoded, and for each a remedy where one is known."""
    return UndefinedSymbolsError([_explained(symbol, packages) for symbol in error.symbols], error.library)


def _explained(symbol: UndefinedSymbol, packages: Packages) -> UndefinedSymbol:
    name = parse_symbol(symbol.name)
    if name is not None:
        return UndefinedSymbol(symbol.name, symbol.referrers, f"{name}: {_remedy(name, packages)}")
    if symbol.name.startswith(RUNTIME):
        version = packages.compiler.version
        return UndefinedSymbol(symbol.name, symbol.referrers, f"a name of a runtime, and not that of GHC {version}")
    return symbol


def _remedy(name: Name, packages: Packages) -> str:
    if name.package == MAIN:
        return f"load the object of {name.module} too"
    package = packages.package_of(name)
    version = packages.compiler.version
    if package is not None:
        return f"{package.id} is installed and does not have it; compile again with GHC {version}"
    stem, dash, number = name.package.rpartition("-")
    others = [each.id for each in packages.with_module(name.module)]
    others = others or [each.id for each in packages.by_id.values() if each.name in {stem, name.package}]
    if others:
        return f"installed is {', '.join(others)}; compile again with GHC {version}"
    wanted = stem if dash and number[:1].isdigit() else name.package
    return f"install it for GHC {version} (cabal install --lib {wanted}), or load its objects too"


def refuse_unprofiled(found: Sequence[HaskellObject], packages: Packages) -> None:
    """Raise UnsupportedError for code by `ghc -prof` where a package that it needs is not installed for profiling.

    Such code needs the runtime and every package compiled so: closures have another layout. For the same reason it is
    refused together with code that was compiled without.
    """
    profiled = [one.object.name for one in found if one.profiled]
    if not profiled:
        return
    others = [one.object.name for one in found if not one.profiled]
    if others:
        facts = [("with -prof", ", ".join(profiled)), ("without", ", ".join(others))]
        raise UnsupportedError("profiling", "objects with -prof and without", facts, "compile all of them with -prof")
    units = dict.fromkeys(["rts", "base", *[unit for one in found for unit in one.units]])
    needed = packages.closure([packages.by_unit[unit] for unit in units if unit in packages.by_unit])
    missing = [package.id for package in needed if not _has_profiling(package)]
    if missing:
        facts = [("object", ", ".join(profiled)), ("without", "\n".join(missing))]
        hint = "install them for profiling (Debian: ghc-prof, libghc-*-prof), or compile without -prof"
        raise UnsupportedError("profiling", "packages are not installed for profiling", facts, hint)


def choose_version(name: str, found: Sequence[Package], there: Sequence[Package]) -> Package:
    """The version of a package whose values are converted: the newest of those found.

    Types are known without their package's version, so of two that are there nobody could tell which one a function
    wants: that is a LinkError, as is a package that is not installed. UnsupportedError for an unknown version.
    """
    if not found:
        raise LinkError("haskell package is not installed", [("package", name)])
    if len(there) > 1:
        facts = [("there", "\n".join(each.id for each in there))]
        raise LinkError("haskell package is there in two versions", facts, "convert its values in another process")
    chosen = max(found, key=lambda each: each.numbers)
    first, end = CONVERTED[name]
    if not first <= chosen.numbers < end:
        facts = [("package", chosen.id), ("known", f"{_dotted(first)} and later, but not {_dotted(end)}")]
        raise UnsupportedError("haskell package", "values of an unknown version of a package", facts)
    return chosen


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _has_profiling(package: Package) -> bool:
    """Whether the package has libraries for profiling, or none at all."""
    ending = "_thr_p" if package.unit == "rts" else "_p"
    return not package.libraries or package.file(f"lib{{}}{ending}.a") is not None
