"""One start of GHC's runtime in a fresh process: `python -m tests.bench.haskell_once greet|find KIND TEST.o`.

`greet`: a host of that kind, the runtime started, the object linked, its function called, the output flushed. `find`:
the archives of base and of what it needs, read and linked as far as one name asks for. Prints milliseconds to standard
error; numpy is imported before the clock starts when a fourth argument says so.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

SYMBOL = "base_SystemziIO_putStrLn_closure"
FIRST = ("ghc-prim", "ghc-bignum", "base")


def greet(kind: str, path: str) -> None:
    """From nothing to the greeting."""
    from rtlinker.haskell.host import open_host
    from rtlinker.haskell.packages import find_packages
    from rtlinker.haskell.rts import Rts

    rts = Rts(open_host(kind, find_packages()))
    rts.start()
    linker = rts.host.linker
    linker.load_object(path)
    linker.resolve()
    with rts.held() as heap:
        heap.run(heap.apply(linker.lookup("Test_maFonction_closure") or 0, heap.text("Haskell")))
    rts.flush()


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


def main(work: str, kind: str, path: str, warm: str = "") -> None:
    """Print the time."""
    from rtlinker.haskell.packages import find_packages

    find_packages()  # asking ghc where its packages are is not linking
    if warm:
        import numpy  # noqa: F401
    start = perf_counter()
    if work == "greet":
        greet(kind, str(Path(path)))
    else:
        find()
    print(f"{(perf_counter() - start) * 1e3:.3f}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
