"""State that changes its layout: new values from old ones, while nobody looks.

A migration is called with two `Data`, the old variable and the new one, both live: `new.value.count = old.value.count`.
It may return bytes instead, the whole new value. Calls from Python wait meanwhile, and those that run are waited for;
threads that C code started are not known to be out of the way, and are told of in the report.
"""

from __future__ import annotations

import ctypes
from _thread import allocate_lock, get_ident
from time import monotonic

from rtlinker.bind.ctype import UNSIGNED_CHAR, Array, Record, plain
from rtlinker.errors import ReloadError
from rtlinker.hot.errors import StillInUseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtlinker.bind.call import Data
    from rtlinker.hot.carry import Placed
    from rtlinker.hot.check import Check
    from rtlinker.hot.domain import Domain
    from rtlinker.hot.module import Module
    from rtlinker.live.undo import UndoStack


def by_name(old: Data, new: Data) -> None:
    """A migration that copies every field which both have under one name; what is new keeps its initial value.

    Raises SignatureError for a field whose old value does not fit its new type.
    """
    _copy(old.value, new.value, old.ctype, new.ctype)


def _copy(old: object, new: object, was: object, now: object) -> None:
    was, now = plain(was), plain(now)  # type: ignore[arg-type]
    assert isinstance(was, Record)
    assert isinstance(now, Record)
    for name, member in now.by_name.items():
        known = was.by_name.get(name)
        if known is None:
            continue
        if isinstance(plain(member.type), Record) and isinstance(plain(known.type), Record):
            _copy(getattr(old, name), getattr(new, name), known.type, member.type)
        else:
            value = getattr(old, name)
            setattr(new, name, list(value) if isinstance(plain(member.type), Array) else value)


def migrate_all(domain: Domain, checks: Sequence[Check], undo: UndoStack, timeout: float) -> None:
    """Run the migrations of a reload. Raises ReloadError, with what was raised as its cause, when one fails.

    The old values are then as they were.
    """
    close_gate(domain, undo)
    wait_for_calls(domain, checks[0].module.name, timeout)
    for check in checks:
        for migration in check.migrations:
            new = check.version.placed[migration.new.key]
            migrate_one(check.module, migration.function, migration.old, new, undo)


def close_gate(domain: Domain, undo: UndoStack) -> None:
    """Let calls from Python wait until the reload is over, however it ends."""
    lock = allocate_lock()
    lock.acquire()

    def wait() -> None:
        lock.acquire()
        lock.release()

    domain.calls.gates.append(wait)
    domain.calls.attention.insert(0, nothing)

    def open_gate() -> None:
        domain.calls.gates.remove(wait)
        domain.calls.attention.remove(nothing)
        lock.release()

    domain.opening.append(open_gate)
    undo.push(domain.open_gates)


def nothing() -> None:
    """What a call does when it returns while others wait."""


def wait_for_calls(domain: Domain, module: str, timeout: float) -> None:
    """Wait until no other thread runs a call. Raises StillInUseError when that takes too long."""
    from time import sleep

    deadline = monotonic() + timeout
    while True:
        running = domain.calls.running.copy()
        if get_ident() in running:
            raise ReloadError(
                "migrate", "state cannot change under a call", [("call", running[get_ident()][0].prototype)]
            )
        if not running:
            return
        if monotonic() > deadline:
            raise StillInUseError(module, [call_text(thread, mark) for thread, mark in running.items()])
        sleep(0.0005)


def call_text(thread: int, mark) -> str:  # type: ignore[no-untyped-def]
    """`thread worker in step() for 1.5 s`."""
    import threading

    name = next((known.name for known in threading.enumerate() if known.ident == thread), str(thread))
    return f"thread {name} in {mark[0].__name__}() for {monotonic() - mark[2]:.1f} s"


def migrate_one(module: Module, function: Callable[..., object], old: Placed, new: Placed, undo: UndoStack) -> None:
    """Make one variable's new value from its old one; undoing writes both as they were."""
    for placed in (old, new):
        before = ctypes.string_at(placed.definition.address, placed.variable.size)
        undo.push(lambda at=placed.definition.address, before=before: ctypes.memmove(at, before, len(before)))  # type: ignore[misc]
    facts = [("variable", new.variable.name)]
    try:
        answer = function(_data(module, old), _data(module, new))
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        raise ReloadError("migrate", "migration failed", [*facts, ("raised", text)]) from error
    if answer is None:
        return
    if not isinstance(answer, (bytes, bytearray, memoryview)):
        raise ReloadError(
            "migrate", "migration returned neither bytes nor None", [*facts, ("returned", repr(answer)[:60])]
        )
    if len(answer) != new.variable.size:
        sizes = [("returned", f"{len(answer)} bytes"), ("needed", f"{new.variable.size} bytes")]
        raise ReloadError("migrate", "migration returned a value of the wrong size", [*facts, *sizes])
    ctypes.memmove(new.definition.address, bytes(answer), len(answer))


def _data(module: Module, placed: Placed) -> Data:
    from rtlinker.bind.call import Data

    variable = placed.variable
    ctype = variable.ctype or Array(UNSIGNED_CHAR, variable.size)
    return Data(placed.definition.address, ctype, variable.name, module)
