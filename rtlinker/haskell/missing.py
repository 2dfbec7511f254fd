"""What to say of names that nobody has when they are GHC's: decoded, and what to install or to add."""

from __future__ import annotations

from rtlinker.errors import UndefinedSymbol, UndefinedSymbolsError, UnsupportedError
from rtlinker.haskell.names import MAIN, Name, parse_symbol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.haskell.objects import HaskellObject
    from rtlinker.haskell.packages import Package, Packages

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


def refuse_profiling(found: HaskellObject, packages: Packages) -> None:
    """Raise UnsupportedError for code compiled with -prof, with what of the libraries that it needs is missing.

    Such code needs every package compiled so, and a runtime of its own, whose closures have another layout.
    """
    if not found.profiled:
        return
    missing = [unit for unit in found.units if unit in packages.by_unit and not _is_profiled(packages.by_unit[unit])]
    facts = [("object", found.object.name), ("needs", "GHC's profiling runtime, which cannot be loaded yet")]
    if missing:
        facts.append(("missing", f"the profiling libraries of {', '.join(missing)} (Debian: ghc-prof)"))
    raise UnsupportedError("profiling", "object compiled for profiling", facts, "compile it without -prof")


def _is_profiled(package: Package) -> bool:
    """Whether the package has libraries for profiling, or none at all."""
    return not package.libraries or package.file("lib{}_p.a") is not None
