"""The end of a module: its destructors run, its entries say so, its memory goes when nobody can be in it."""

from __future__ import annotations

import ctypes
from _thread import get_ident

from rtlinker.errors import LinkError
from rtlinker.host import libc
from rtlinker.hot import retire
from rtlinker.live.undo import UndoStack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.hot.module import Module
    from rtlinker.live.native import Native
    from rtlinker.live.startup import Startup

_DESTRUCTOR = ctypes.CFUNCTYPE(None)


def close_module(module: Module) -> None:
    """Close it. Raises LinkError, with nothing changed, while calls run in it or other modules refer to it."""
    domain = module.domain
    _refuse_in_use(module)
    current = module.current
    module.closed = True
    module.refuse_all()
    try:
        finish(module)
    finally:
        domain.modules.remove(module)
        lost, messages = {}, {}
        for name in current.where:
            number = domain.numbers.get(name if current.visible(name) else f"{module.name}\0{name}")
            if number is not None and current.text[0] <= domain.entries.target(number) < current.text[1]:
                other = domain.module_of(name)
                if other is not None:
                    lost[number] = other.current.functions[name]
                else:
                    messages[number] = f"{name} was called after its module {module.name} was closed"
        domain.switch({**lost, **domain.traps(messages)})
        for version in module.versions_kept:
            version.retired = version.retired or domain.epoch
        domain.closing.append(module)
        domain.sweep()


def finish(module: Module) -> None:
    """Run what runs at the end: destructors of the current version, and what was registered by any."""
    current = module.current
    if current.startup is None:
        return
    startup, current.startup = current.startup, None
    native = current.linker.native()
    first, last = startup.destructors[: startup.before], startup.destructors[startup.before :]
    undo = UndoStack()  # which is run backwards, and whatever fails
    undo.push(lambda: libc.fflush(None))
    for address in reversed(last):
        undo.push(lambda address=address: _call(native, address))  # type: ignore[misc]
    if module.registry is not None:
        undo.push(module.registry.close)
    for address in reversed(first):
        undo.push(lambda address=address: _call(native, address))  # type: ignore[misc]
    undo.push(lambda: _leave_thread(startup, native))
    undo.run()


def _call(native: Native, destructor: int) -> None:
    with native:
        native.call("destructor", _DESTRUCTOR(destructor))


def _leave_thread(startup: Startup, native: Native) -> None:
    """Destroy the calling thread's thread_local objects, as at the end of a program's first thread."""
    if startup.span is not None:
        from rtlinker.live.thread_exit import run_thread_exits

        with native:
            failures = run_thread_exits(startup.span, native)
        if failures:
            raise failures[0]


def _refuse_in_use(module: Module) -> None:
    marks = module.domain.calls.running.copy()
    own = marks.pop(get_ident(), None)  # in which this module's functions may have called, and been called
    called = [mark[0] for mark in marks.values() if mark[0].owner is module] + ([own[0]] if own else [])
    running = sorted({function.__name__ for function in called})
    if running:
        raise LinkError("module is in use", [("running", "\n".join(running))], "close it when its calls have returned")
    users = [
        other.name
        for other in module.domain.modules
        if other is not module
        and other.current.around is not None
        and module.name
        in {*other.current.around.functions.values(), *(owner for owner, _ in other.current.around.data.values())}
    ]
    if users:
        raise LinkError("module is in use", [("used by", ", ".join(users))], "close those first")


def free_closed(module: Module) -> bool:
    """Free what a closed module has left, as far as nobody can be in it; whether all of it is gone."""
    left = [version for version in module.versions_kept if not version.text_freed]
    retire.release(module, left, search=True)
    if all(version.text_freed for version in module.versions_kept):
        for version in module.versions_kept:
            version.linker.free_body()
        module.versions_kept.clear()
        module.kept.clear()
        return True
    return False
