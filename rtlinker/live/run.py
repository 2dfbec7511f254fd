"""Running an image's constructors, and its destructors once."""

from __future__ import annotations

import ctypes

from rtlinker.errors import CrashError
from rtlinker.host import dynamic, libc
from rtlinker.live.failure import run_native
from rtlinker.live.frames import guard
from rtlinker.live.startup import Startup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.host.arguments import Arguments
    from rtlinker.live.rescue import Death, Rescue
    from rtlinker.live.undo import UndoStack

    Describe = Callable[[int], str | None]
    Jump = ctypes._FuncPointer

TRIES = 1000
"""How often cleaning up after a crash is begun again when it crashes as well."""

_STARTER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_FINISHER = ctypes.CFUNCTYPE(None)
_FINALIZER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def run_constructors(
    startup: Startup, undo: UndoStack, describe: Describe, rescued: bool, guarded: bool
) -> Callable[[], None] | None:
    """Run the constructors; leave the destructors to the undo stack.

    What comes back runs the destructors, once, however often it is called; None when there are none. Functions get
    argc, argv and envp as the dynamic linker passes them (gABI, Initialization and Termination Functions).

    If `rescued`, a constructor that dies of a signal raises CrashError, in which `describe` names addresses; if
    `guarded`, an exception that leaves one is raised as ForeignExceptionError, and else ends the process as in any
    program. After either, what had been registered with atexit or __cxa_atexit has run, and the arrays' destructors
    will not.
    """
    if not startup.constructors and not startup.destructors and not startup.handle:
        return None
    finish = Destructors(startup, guarded)
    arguments = _arguments()
    undo.push(lambda: arguments)  # constructors may keep argv; undone last, it lives until destructors have run
    undo.push(finish)
    if not startup.constructors:
        return finish
    if not rescued:
        _run_all(startup, arguments, finish, describe, None)
        return finish
    from rtlinker.live.rescue import Rescue

    with Rescue() as rescue:
        _run_all(startup, arguments, finish, describe, rescue)
    return finish


def _run_all(
    startup: Startup, arguments: Arguments, finish: Destructors, describe: Describe, rescue: Rescue | None
) -> None:
    try:
        for address in startup.constructors:
            jump = _STARTER(address)
            run = _call if rescue is None else _rescued(rescue, address, describe)
            if finish.guarded:
                guard(jump)
                run_native(run, "a constructor", jump, *arguments)
            else:
                run(jump, *arguments)
    except BaseException:
        finish.abandon(rescue)
        raise


def _call(jump: Jump, *arguments: object) -> None:
    jump(*arguments)


def _rescued(rescue: Rescue, constructor: int, describe: Describe) -> Callable[..., None]:
    """What calls a jump and raises CrashError when it dies; `constructor` is the address it leads to."""

    def run(jump: Jump, count: int, argv: ctypes.Array[ctypes.c_char_p], environ: ctypes.c_void_p) -> None:
        entry = ctypes.cast(jump, ctypes.c_void_p).value or 0
        death = rescue.call(entry, count, ctypes.addressof(argv), environ.value or 0)
        if death is not None:
            raise crash_error(death, constructor, describe)

    return run


class Destructors:
    """What runs at unload or at exit, whichever is first: called a second time it does nothing."""

    __slots__ = ("_left", "guarded")

    def __init__(self, startup: Startup, guarded: bool) -> None:
        self._left: list[Startup] = [startup]
        self.guarded = guarded

    def __call__(self) -> None:
        """What was registered with atexit or __cxa_atexit, last first; then the arrays' destructors (__cxa_finalize).

        Before all that go the thread_local objects of the calling thread, as at the end of a program's first thread.
        glibc's __cxa_finalize also takes back what was registered with at_quick_exit and pthread_atfork. The first
        exception that leaves one of them is raised when all are done.
        """
        if self._left:
            self._finish(self._left.pop())

    def _finish(self, startup: Startup) -> None:
        _leave_thread(startup)
        jumps: list[tuple[Jump, tuple[int, ...]]] = [(_FINISHER(address), ()) for address in startup.destructors]
        if startup.handle:
            jumps.insert(0, (_FINALIZER(dynamic.find_symbol("__cxa_finalize") or 0), (startup.handle,)))
        failure: BaseException | None = None
        while jumps:
            jump, arguments = jumps[0]
            try:
                if self.guarded:
                    guard(jump)
                    run_native(jump, "a destructor", *arguments)
                else:
                    jump(*arguments)
                del jumps[0]
            except BaseException as error:  # the rest must still run
                failure = failure or error
                if not arguments:  # __cxa_finalize goes on, when it is called again, behind the one that threw
                    del jumps[0]
        libc.fflush(None)
        if failure is not None:
            raise failure

    def abandon(self, rescue: Rescue | None) -> None:
        """After a constructor failed: run what was registered, and nothing else, for not all was constructed.

        A function is taken off the list before it is called, so after another crash the next one is tried.
        """
        for startup in self._left:
            _leave_thread(startup)
            _finish_registered(startup.handle, rescue)
        self._left.clear()


def _leave_thread(startup: Startup) -> None:
    if startup.span is not None:
        from rtlinker.live.thread_exit import run_thread_exits

        run_thread_exits(startup.span)


def _finish_registered(handle: int, rescue: Rescue | None) -> None:
    if rescue is None:
        if handle:
            libc.__cxa_finalize(handle)
        return
    finalize = ctypes.cast(libc.__cxa_finalize, ctypes.c_void_p).value or 0
    for _ in range(TRIES if handle else 0):
        if rescue.call(finalize, handle) is None:
            return


def crash_error(death: Death, constructor: int, describe: Describe) -> CrashError:
    """The error for a constructor that died: which, of what, where."""
    from rtlinker.host.signal_names import CODES, signal_name

    at = death.registers["rip"]
    facts = [
        ("constructor", describe(constructor) or f"{constructor:#x}"),
        ("at", f"{at:#x} {describe(at) or ''}".rstrip()),
    ]
    reason = CODES.get((death.signal, death.code), "raised by the program" if death.code <= 0 else "")
    if reason:
        facts.append(("reason", reason))
    if death.code > 0 and death.fault != at:
        facts.append(("fault", f"{death.fault:#x}"))
    return CrashError(death.signal, f"a constructor died of {signal_name(death.signal)}", facts, at)


def _arguments() -> Arguments:
    """argc, argv (a copy of sys.argv, alive as long as this object) and the process's envp."""
    import sys

    from rtlinker.host.arguments import initial_arguments

    return initial_arguments([name.encode("utf-8", "surrogateescape") for name in (sys.argv or [""])])
