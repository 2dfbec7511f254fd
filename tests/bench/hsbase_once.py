"""One link of HSbase in a fresh process: `python -m tests.bench.hsbase_once ENGINE COMPANION ... TARGET`.

The engine is auto or scalar. Prints milliseconds of load_object and of resolve.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

from rtlinker import Linker, UndefinedSymbolsError

LOW = 0x1000_0000
"""Where the phony definitions start: GHC's code reaches its runtime in 32 bits, so they must be low."""


def phony_names(paths: list[Path]) -> list[str]:
    """The names of GHC's runtime that the objects refer to and nobody here defines, and `environ`.

    GHC's code reads `environ` in 32 bits, for which there is no safe copy; a link that is to run would define it, too.
    """
    with Linker() as linker:
        for path in paths:
            linker.load_object(path)
        try:
            linker.resolve(start=False)
        except UndefinedSymbolsError as error:
            return [*(symbol.name for symbol in error.symbols), "environ"]
    return []


def prepared(paths: list[Path], phony: list[str], engine: str = "auto") -> Linker:
    """A linker with the phony names defined and the companions resolved."""
    linker = Linker(engine=engine)
    for number, name in enumerate(phony):
        linker.define(name, LOW + 64 * number)
    for path in paths:
        linker.load_object(path)
    linker.resolve(start=False)
    return linker


def timed(linker: Linker, target: Path) -> tuple[float, float]:
    """Milliseconds of load_object and of resolve for the target."""
    start = perf_counter()
    linker.load_object(target)
    loaded = perf_counter()
    linker.resolve(start=False)
    return (loaded - start) * 1e3, (perf_counter() - loaded) * 1e3


def main(engine: str, names: list[str]) -> None:
    """Print the times."""
    *companions, target = map(Path, names)
    linker = prepared(companions, sys.stdin.read().split(), engine)
    print(*timed(linker, target))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
