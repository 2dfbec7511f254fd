"""GHC's code by rtlinker in a fresh process: `python -m tests.bench.haskell_once WORK KIND TEST.o [PHONY ...]`.

Prints milliseconds to standard error. The work is one of:

- greet: rtlinker's modules imported, a host of that kind (shared, static), the runtime started, the object linked, its
  function called, the output flushed.
- packages: the package objects and the object, loaded and resolved; the runtime's names are phony and nothing is run.
- find: the archives of base and of what it needs, read and linked as far as one name asks for.
- reload: what one cycle of unloading, collecting, loading and finding the function again takes, of ROUNDS in a runtime
  that is there.
"""

from __future__ import annotations

import sys
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtlinker.haskell.rts import Rts

SYMBOL, FUNCTION = "base_SystemziIO_putStrLn_closure", "Test_maFonction_closure"
FIRST = ("ghc-prim", "ghc-bignum", "base")
ROUNDS = 300


def started(kind: str) -> Rts:
    """A runtime that runs."""
    from rtlinker.haskell.host import open_host
    from rtlinker.haskell.packages import find_packages
    from rtlinker.haskell.rts import Rts

    rts = Rts(open_host(kind, find_packages()))
    rts.start()
    return rts


def greet(kind: str, path: str) -> None:
    """From nothing to the greeting."""
    rts = started(kind)
    linker = rts.host.linker
    linker.load_object(path)
    linker.resolve()
    with rts.held() as heap:
        heap.run(heap.apply(linker.lookup(FUNCTION) or 0, heap.text("Haskell")))
    rts.flush()


def packages(path: str, phony: list[str]) -> float:
    """The package objects and one more; when the clock began, rtlinker's modules are imported."""
    import rtlinker.link.name_table
    import rtlinker.link.native  # noqa: F401
    from rtlinker.haskell.packages import find_packages
    from rtlinker.live.linker import LinkerCore

    from .hsbase_once import LOW

    linker, known = LinkerCore(), find_packages()
    for number, name in enumerate(phony):
        linker.define(name, LOW + 64 * number)
    start = perf_counter()
    for unit in FIRST:
        linker.load_object(known.unit(unit).object or "", installed=True)
    linker.load_object(path)
    linker.resolve(start=False)
    if linker.images[0].image.address_of(FUNCTION) is None:
        raise SystemExit(f"{FUNCTION} was not found")
    return start


def find() -> None:
    """The archives, and one name of them with all that it needs, of the runtime, too."""
    from rtlinker.haskell.hooks import CHANGERS, ENVIRON, LIBC, SURROUNDINGS
    from rtlinker.haskell.packages import find_packages
    from rtlinker.host import dynamic
    from rtlinker.live.linker import LinkerCore

    packages, linker = find_packages(), LinkerCore()
    for name in (*CHANGERS, ENVIRON):
        linker.define(LIBC + name, dynamic.find_symbol(name) or 0)
    linker.load_object(SURROUNDINGS.written(), "surroundings")
    for library in ("libgmp.so.10", "libffi.so.8"):
        linker.load_library(library)
    for unit in FIRST:
        linker.load_archive(packages.unit(unit).archive or "")
    linker.load_archive(packages.unit("rts").file("lib{}_thr.a") or "")
    if linker.lookup(SYMBOL) is None:
        raise SystemExit(f"{SYMBOL} was not found")


def reload(kind: str, path: str) -> float:
    """Milliseconds of one cycle."""
    rts = started(kind)
    linker = rts.host.linker
    linker.load_object(path)
    linker.resolve()
    start = perf_counter()
    for _ in range(ROUNDS):
        linker.unload(path)
        rts.collect()
        linker.load_object(path)
        linker.resolve()
        if linker.lookup(FUNCTION) is None:
            raise SystemExit(f"{FUNCTION} was not found")
    return (perf_counter() - start) * 1e3 / ROUNDS


def main(work: str, kind: str, path: str, *phony: str) -> None:
    """Print the time."""
    from rtlinker.haskell.packages import find_packages

    find_packages()  # asking ghc where its packages are is not linking
    start = perf_counter()
    if work == "greet":
        greet(kind, path)
    elif work == "packages":
        start = packages(path, [*phony])
    elif work == "find":
        find()
    taken = reload(kind, path) if work == "reload" else (perf_counter() - start) * 1e3
    print(f"{taken:.3f}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
