"""State that changes its layout: new values from old ones, while nobody looks.

A migration is called with two `Data`, the old variable and the new one, both live: `new.value.count = old.value.count`.
It may return bytes instead, the whole new value. Calls from Python wait meanwhile, and those that run are waited for;
threads that C code started are not known to be out of the way, and are told of in the report.
"""

from __future__ import annotations

import ctypes
from _thread import allocate_lock, get_ident
from time import monotonic

from rtlinker.bind.ctype import UNSIGNED_CHAR, Array, Base, Pointer, Record, plain, size_of
from rtlinker.errors import ReloadError, SignatureError
from rtlinker.hot.errors import StillInUseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtlinker.bind.call import Data
    from rtlinker.bind.ctype import CType
    from rtlinker.hot.carry import Placed
    from rtlinker.hot.check import Check
    from rtlinker.hot.domain import Domain
    from rtlinker.hot.module import Module
    from rtlinker.live.undo import UndoStack


def by_name(old: Data, new: Data) -> None:
    """A migration that copies every field which both have under one name; what is new keeps its initial value.

    Elements of arrays are copied by their number, pointers as they are. Raises SignatureError for a value that does not
    fit its new type, an array that has become shorter, and a union that changed.
    """
    was, now = plain(old.ctype), plain(new.ctype)
    if isinstance(was, Record) and isinstance(now, Record):
        _copy_record(old, new, was, now)
    elif isinstance(was, Array) and isinstance(now, Array):
        _copy_array(old, new, was, now)
    elif isinstance(was, Pointer) and isinstance(now, Pointer):
        ctypes.memmove(new.address, old.address, 8)
    else:
        new.value = old.value


def _copy_record(old: Data, new: Data, was: Record, now: Record) -> None:
    if "union" in {was.kind, now.kind}:
        from rtlinker.bind.abi import layout_changes

        if was.kind != now.kind or layout_changes(was, now):
            raise SignatureError("a union changed", new.__doc__ or "", "copy what is alive in it yourself")
        ctypes.memmove(new.address, old.address, old.size or 0)
        return
    for name, member in now.by_name.items():
        known = was.by_name.get(name)
        if known is None:
            continue
        if member.bit_size is not None or known.bit_size is not None:
            setattr(new.value, name, getattr(old.value, name))
        else:
            by_name(_part(old, known.type, known.offset, name), _part(new, member.type, member.offset, name))


def _copy_array(old: Data, new: Data, was: Array, now: Array) -> None:
    if (was.count or 0) > (now.count or 0):
        raise SignatureError("an array became shorter", new.__doc__ or "", f"it had {was.count} elements")
    before, after = size_of(was.element) or 0, size_of(now.element) or 0
    if plain(was.element) == plain(now.element) and isinstance(plain(was.element), Base):
        ctypes.memmove(new.address, old.address, old.size or 0)
        return
    for at in range(was.count or 0):
        name = f"{new.__name__}[{at}]"
        by_name(_part(old, was.element, at * before, name), _part(new, now.element, at * after, name))


def _part(whole: Data, ctype: CType, offset: int, name: str) -> Data:
    from rtlinker.bind.call import Data

    return Data(whole.address + offset, plain(ctype), name, whole.owner)


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
    gates, closed = domain.calls.gates, True

    def wait() -> None:
        lock.acquire()
        lock.release()

    def open_gate() -> None:  # as often as it is called, from wherever it was interrupted
        nonlocal closed
        gates[:] = [gate for gate in gates if gate is not wait]
        if closed:
            closed = False
            lock.release()

    undo.push(domain.open_gates)
    domain.opening.append(open_gate)
    gates.append(wait)


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
