"""Hot reload: what a call pays for it, and how long a reload takes, with nobody calling and with eight threads calling.

Calls are compared with the same calls of code that stays. A reload is compared with closing a shared library of the
same code and opening another, once linked beforehand and once with gcc's link, which an object needs to become one;
neither keeps state, lets calls go on meanwhile, nor compares types.
"""

from __future__ import annotations

import _ctypes
import ctypes
import subprocess
import threading
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import rtlinker
from rtlinker import hot

from . import inputs, peers
from .measure import Contender, Group, compete

CALLED = "int called(int x) { return x + 1; }\n"
CALLING = "int called(int); long turns(long count) { long n = 0; while (count--) n = called((int)n); return n; }\n"
NATIVE, PYTHON = 5_000_000, 10_000
"""Calls in one piece of work."""

FUNCTIONS, LAST = 200, "f199"
THREADS = 8

EDITS = {
    "a number": ("default: return 71 +", "default: return 72 +"),
    "a statement": ("default: return", "default: if (x == 77) abort();\n return"),
}
"""What becomes of the first `default: return`, in one version and in the other."""


def run(directory: Path, quick: bool) -> Iterator[Group]:
    """Native calls, calls from Python, then reloads for each way of compiling and each edit."""
    rounds = 3 if quick else 9
    yield _native(directory, rounds, NATIVE // 10 if quick else NATIVE)
    yield _from_python(directory, rounds)
    for flags in (["-g0"], ["-g"]):
        for edit in EDITS if flags == ["-g"] else list(EDITS)[:1]:
            for threads in (0, THREADS):
                yield _reloads(directory, rounds, flags, edit, threads)


def _native(directory: Path, rounds: int, count: int) -> Group:
    flags = ("-O2", "-fPIC", "-g0")
    called = inputs.compile_c(directory, "called", CALLED, *flags)
    calling = inputs.compile_c(directory, "calling", CALLING, *flags)
    first = hot.load(called, into=(domain := hot.Domain()))
    entered = hot.load(calling, into=domain).function("turns", "long(long)")
    joined = directory / "joined.o"
    subprocess.run(["ld", "-r", called, calling, "-o", joined], check=True)
    plain = rtlinker.load(joined)
    direct = plain.function("turns", "long(long)")
    library = directory / "called.so"
    subprocess.run(["gcc", "-shared", called, calling, "-o", library], check=True)
    shared = ctypes.CDLL(str(library))
    shared.turns.argtypes, shared.turns.restype = [ctypes.c_long], ctypes.c_long
    contenders = [
        Contender("hot: through an entry", lambda: void(entered(count))),
        Contender("rtlinker: direct", lambda: void(direct(count))),
        Contender("dlopen: through the PLT", lambda: void(shared.turns(count))),
    ]
    group = compete("hot", f"{count:,} calls from one object to another", contenders, rounds, _more(contenders, count))
    assert first.version == 1
    return group


def _from_python(directory: Path, rounds: int) -> Group:
    path = inputs.compile_c(directory, "one", CALLED, "-O2", "-fPIC", "-g")
    module = hot.load(path, into=hot.Domain())
    plain = rtlinker.load(path)
    raw = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(module.address("called"))
    turns = range(PYTHON)

    def protected() -> None:
        for _ in turns:
            module.called(1)

    def ours() -> None:
        for _ in turns:
            plain.called(1)

    def bare() -> None:
        for _ in turns:
            raw(1)

    contenders = [
        Contender("hot: module.called(1)", protected, turn=5),
        Contender("ctypes with argtypes", bare, turn=5),
        Contender("rtlinker: library.called(1)", ours, turn=5),
    ]
    return compete("hot", f"{PYTHON:,} calls from Python", contenders, rounds, _more(contenders, PYTHON))


def _more(contenders: list[Contender], count: int) -> Iterator[str]:
    """What a call costs more, from the least time of each, once they were measured."""
    first, *others = [min(contender.times) * 1e6 / count for contender in contenders]
    for contender, other in zip(contenders[1:], others):
        yield f"least times: {first:.2f} ns a call, {first - other:+.2f} ns against {contender.name}"


def _reloads(directory: Path, rounds: int, flags: list[str], edit: str, threads: int) -> Group:
    objects = _versions(directory, [*flags, "-O2", "-fPIC", "-fdata-sections"], edit)
    module = hot.load(objects[0], name="edited", into=hot.Domain())
    called = module.function(LAST, "int(int)")
    turn = cycle([objects[1], objects[0]])

    def reload() -> None:
        module.reload(next(turn))
        called(3)

    libraries = []
    for path in objects:
        libraries.append(path.with_suffix(".so"))
        subprocess.run(["gcc", "-shared", path, "-o", libraries[-1]], check=True)
    contenders = [
        Contender("hot: module.reload()", reload, turn=2),
        Contender("dlclose + dlopen, linked before", _opened(libraries), turn=2),
        *peers.shared(directory, objects[0], LAST, 3, {"gcc -shared + dlopen": peers.LINKERS["gcc -shared + dlopen"]}),
        *peers.llvm(objects[0], LAST, 3, trial=5)[-1:],
    ]
    who = f"{threads} threads calling" if threads else "nobody calling"
    title = f"reload of {FUNCTIONS} functions, {flags[0]}, {edit} changed, {who} ({inputs.describe(objects[0])})"
    with_threads = _Callers(called, threads)
    try:
        return compete("hot", title, contenders, rounds)
    finally:
        with_threads.end()


def _versions(directory: Path, flags: list[str], edit: str) -> list[Path]:
    """Two objects of one source file, as it is and edited."""
    made = []
    source = inputs.functions(FUNCTIONS)
    for number, change in enumerate(EDITS[edit]):
        path = inputs.compile_c(directory, "edited", source.replace("default: return", change, 1), *flags)
        made.append(path.rename(directory / f"edited{flags[0]}-{edit.rsplit(maxsplit=1)[-1]}-{number}.o"))
    return made


def _opened(libraries: list[Path]) -> Callable[[], None]:
    turn = cycle(libraries)
    held: list[ctypes.CDLL] = [ctypes.CDLL(str(next(turn)))]

    def run() -> None:
        _ctypes.dlclose(held.pop()._handle)
        held.append(ctypes.CDLL(str(next(turn))))
        held[0][LAST](3)

    return run


class _Callers:
    """Threads that call a function without pause until `end`."""

    def __init__(self, called: Callable[[int], object], count: int) -> None:
        self._called = called
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        while not self._stop.is_set():
            self._called(3)

    def end(self) -> None:
        """Let them end."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


def void(_: object) -> None:
    """No time of its own: the caller's clock counts."""
