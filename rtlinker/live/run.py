"""Running an image's constructors, and its destructors once."""

from __future__ import annotations

import ctypes

from rtlinker.errors import CrashError
from rtlinker.host import dynamic, libc
from rtlinker.live import at_exit
from rtlinker.live.native import Native
from rtlinker.live.startup import Startup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.host.arguments import Arguments
    from rtlinker.live.native import Jump
    from rtlinker.live.undo import UndoStack

TRIES = 1000
"""How many functions that were registered may fail before the others are left alone."""

_STARTER = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_FINISHER = ctypes.CFUNCTYPE(None)
_FINALIZER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def run_constructors(startup: Startup, undo: UndoStack, native: Native) -> Destructors | None:
    """Run the constructors; leave the destructors to the undo stack.

    What comes back runs the destructors, once, however often it is called; None when there are none. Functions get
    argc, argv and envp as the dynamic linker passes them (gABI, Initialization and Termination Functions).

    Raises what `native` raises for a constructor that fails. After that, what had been registered with atexit or
    __cxa_atexit has run, and the arrays' destructors will not.
    """
    if not startup.constructors and not startup.destructors and not startup.handle:
        return None
    finish = Destructors(startup, native.another())
    if finish.block is not None:
        at_exit.register()
    arguments = _arguments()
    undo.push(lambda: arguments)  # constructors may keep argv; undone last, it lives until destructors have run
    undo.push(finish)
    if startup.constructors:
        with native:
            _run_all(startup, arguments, finish, native)
    finish.ready = True
    if finish.block is not None:
        at_exit.enlist(finish.block)
    return finish


def _run_all(startup: Startup, arguments: Arguments, finish: Destructors, native: Native) -> None:
    count, argv, environ = arguments
    words = count, ctypes.addressof(argv), environ.value or 0
    try:
        for address in startup.constructors:
            native.call("constructor", _STARTER(address), *words)
    except BaseException:
        finish.abandon(native)
        raise


class Destructors:
    """What runs at unload or at Python's end, whichever is first: called a second time it does nothing.

    `block` is the same for C's exit, which leaves it nothing to do; None when there is nothing to run for that. `died`
    says how destructors ended that did not return: what they were to take back may still be there.
    It is `ready` when all constructors have run; before, the arrays' destructors have nothing to destroy.
    """

    __slots__ = ("_left", "_native", "block", "died", "ready")

    def __init__(self, startup: Startup, native: Native) -> None:
        self.ready = False
        self.died: list[str] = []
        self.block = at_exit.Block(_pairs(startup)) if startup.destructors or startup.span else None
        self._left: list[Startup] = [startup]
        self._native = native

    def __call__(self) -> None:
        """The arrays' destructors, and among them what was registered with atexit or __cxa_atexit, last first.

        Before all that go the thread_local objects of the calling thread, as at the end of a program's first thread.
        glibc's __cxa_finalize also takes back what was registered with at_quick_exit and pthread_atfork. The first
        failure is raised when all are done: an exception that left one of them, or a CrashError for one that died.
        """
        if not self._left:
            return
        native, self._native = self._native, Native()  # which knows the image, and would keep it
        with native:
            if not self.ready:
                self.abandon(native)
            elif self.block is None or at_exit.take_out(self.block):
                self._finish(self._left.pop(), native)

    def _finish(self, startup: Startup, native: Native) -> None:
        failures = _leave_thread(startup, native)
        jumps: list[tuple[Jump, tuple[int, ...]]] = [(_FINISHER(address), ()) for address in startup.destructors]
        if startup.handle:
            jumps.insert(startup.before, (_FINALIZER(dynamic.find_symbol("__cxa_finalize") or 0), (startup.handle,)))
        while jumps and len(failures) < TRIES:
            jump, arguments = jumps[0]
            try:
                native.call("destructor", jump, *arguments)
                del jumps[0]
            except BaseException as error:  # the rest must still run
                failures.append(error)
                if not arguments:  # __cxa_finalize goes on, when it is called again, behind the one that threw
                    del jumps[0]
        libc.fflush(None)
        self.died += [failure.headline for failure in failures if isinstance(failure, CrashError)]
        if failures:
            raise failures[0]

    def abandon(self, native: Native) -> None:
        """After a constructor failed: run what was registered, and nothing else, for not all was constructed.

        What fails in there is forgotten, since the constructor's failure is what is raised. A function is taken off
        the list before it is called, so after another failure the next one is tried.
        """
        for startup in self._left:
            _leave_thread(startup, native)
            for _ in range(TRIES if startup.handle else 0):
                try:
                    native.call("destructor", _FINALIZER(dynamic.find_symbol("__cxa_finalize") or 0), startup.handle)
                    break
                except BaseException:  # noqa: S112  # the next try is the answer
                    continue
        self._left.clear()


def _pairs(startup: Startup) -> list[tuple[int, int]]:
    """What `Destructors` calls, as functions with their argument."""
    pairs = [(address, 0) for address in startup.destructors]
    if startup.handle:
        pairs.insert(startup.before, (dynamic.find_symbol("__cxa_finalize") or 0, startup.handle))
    if startup.span is not None:
        from rtlinker.live.thread_exit import run_exits_address

        pairs.insert(0, (run_exits_address(), 0))
    return pairs


def _leave_thread(startup: Startup, native: Native) -> list[BaseException]:
    """Destroy the calling thread's thread_local objects; what their destructors raised."""
    if startup.span is None:
        return []
    from rtlinker.live.thread_exit import run_thread_exits

    return run_thread_exits(startup.span, native)


def _arguments() -> Arguments:
    """argc, argv (a copy of sys.argv, alive as long as this object) and the process's envp."""
    import sys

    from rtlinker.host.arguments import initial_arguments

    return initial_arguments([name.encode("utf-8", "surrogateescape") for name in (sys.argv or [""])])
