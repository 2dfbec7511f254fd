"""Calls that outlive a crash: code of an image runs, dies of a fatal signal, and the process goes on.

While a Rescue is open the fatal signals have a handler of ours and the running thread has a stack for it, so that
running out of stack is survived too (sigaction(2), sigaltstack(2)). What was there before is put back afterwards,
except where the code itself has installed another handler and did not die.

What cannot be undone: locks that the dead code held, and what it had half written.
"""

from __future__ import annotations

import ctypes
import os
from _weakref import ref

from rtlinker.facts import Fact
from rtlinker.host import libc, memory
from rtlinker.host.one_step import act, once
from rtlinker.live.collect import LOCK
from rtlinker.live.frames import add_table, withdraw_table
from rtlinker.units import PAGE
from rtlinker.x86_64 import rescue as code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rtlinker.host.one_step import Push

SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV = 4, 6, 7, 8, 11
DEADLY = (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT)

SA_SIGINFO, SA_RESTORER, SA_ONSTACK, SA_RESTART, SA_NODEFER = 0x4, 0x04000000, 0x08000000, 0x10000000, 0x40000000
RT_SIGACTION, RT_SIGPROCMASK, SIGALTSTACK = 13, 14, 131
"""Numbers of system calls."""

SIG_SETMASK = 2
THREAD_STATE_WORDS = 64
"""Of 4 bytes, from the start of a PyThreadState, among which its counter is looked for."""

NEVER = 0xFFFFFFFF
"""What the counter is not."""

STACK_SIZE = 64 * 1024
"""For the handler, and for the earlier one that it may pass a signal to."""


class Death(Fact):
    """How a call ended: signal, its code (si_code), the address it is about (si_addr), and the registers by name."""

    signal: int
    code: int
    fault: int
    registers: dict[str, int]


class _Machine:
    """The code and its state, made once in a process; a later image may have kept the handler's address."""

    def __init__(self, push: Push) -> None:
        pages, self.stack = memory.Reservation(2 * PAGE, PAGE), memory.Reservation(STACK_SIZE, PAGE)
        push(pages.release)
        push(self.stack.release)
        pages.take(low=False)
        self.stack.take(low=False)
        pages.view[: len(code.CODE_BYTES)] = code.CODE_BYTES
        table = code.unwind_table()
        pages.view[code.TABLE_AT : code.TABLE_AT + len(table)] = table
        pages.protect(0, PAGE, "r-x")
        push(lambda: withdraw_table(pages.address + code.TABLE_AT))
        add_table(pages.address + code.TABLE_AT)
        self.handler = pages.address + code.HANDLER_AT
        self.state = pages.address + code.STATE
        self.words = (ctypes.c_uint64 * (PAGE // 8)).from_address(self.state)
        self.mark = self.handler.to_bytes(8, "little")
        self.known = bytes(code.SEEN - code.EARLIER)
        self.run = ctypes.CFUNCTYPE(ctypes.c_int, *(ctypes.c_void_p,) * 5)(pages.address)
        self.perform = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)(pages.address + code.PERFORM_AT)
        self.installed: list[int] = []
        self.python = _python()
        self.entered_at = self._find_counter()
        flags = SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_RESTART | SA_NODEFER
        self.put(code.ACTION, self.handler, flags, pages.address + code.RESTORER_AT, 0)
        self.put(code.OWN_STACK, self.stack.address, 0, STACK_SIZE)
        at, action, size = self.state, self.state + code.ACTION, code.ACTION_SIZE
        install = [
            (RT_SIGPROCMASK, SIG_SETMASK, 0, at + code.MASK, 8),
            (SIGALTSTACK, at + code.OWN_STACK, at + code.EARLIER_STACK, 0, 0),
            *[(RT_SIGACTION, number, action, at + code.EARLIER + number * size, 8) for number in DEADLY],
        ]
        restore = [
            (SIGALTSTACK, at + code.EARLIER_STACK, at + code.SEEN_STACK, 0, 0),
            *[
                (RT_SIGACTION, number, at + code.EARLIER + number * size, at + code.SEEN + number * size, 8)
                for number in DEADLY
            ],
        ]
        self.put(code.INSTALL, *[word for call in install for word in call])
        self.put(code.RESTORE, *[word for call in restore for word in call])

    def put(self, offset: int, *values: int) -> None:
        """Write words of the state."""
        self.words[offset // 8 : offset // 8 + len(values)] = [*values]

    def _find_counter(self) -> int | None:
        """Where in its PyThreadState CPython counts how often a thread has entered Python (PyGILState_Ensure).

        The place differs between versions, so we look at which number grows; None when that is not plain, and then
        nothing is rescued.
        """
        words = (ctypes.c_int32 * THREAD_STATE_WORDS).from_address(self.python.PyGILState_GetThisThreadState())
        before = words[:]
        entered = self.python.PyGILState_Ensure()
        during = words[:]
        self.python.PyGILState_Release(entered)
        numbers = enumerate(zip(before, during, words[:]))
        found = [4 * place for place, (first, second, third) in numbers if second == first + 1 and third == first]
        return found[0] if len(found) == 1 else None

    def install(self) -> None:
        """Make ours the handlers and the stack of this thread."""
        counter = self.state + code.DEFAULT  # a zero
        if self.entered_at is not None:
            counter = self.python.PyGILState_GetThisThreadState() + self.entered_at
        self.words[code.COUNTER // 8] = counter
        self.counter = ctypes.c_uint32.from_address(counter)
        self.words[code.PROCESS // 8] = os.getpid()
        act(self.installed, self.perform, self.state + code.INSTALL, 2 + len(DEADLY))
        found = ctypes.string_at(self.state + code.EARLIER, code.SEEN - code.EARLIER)
        if self.mark in found:  # somebody put back a handler that was ours: what was before that still counts
            for place in _places(code.EARLIER):
                if self.words[place // 8] == self.handler:
                    before = self.known[place - code.EARLIER :][: code.ACTION_SIZE]
                    ctypes.memmove(self.state + place, before, code.ACTION_SIZE)
            found = ctypes.string_at(self.state + code.EARLIER, code.SEEN - code.EARLIER)
        self.known = found

    def restore(self, died: bool) -> None:
        """Put back what was there before; if the code did not die, what it has installed itself stays."""
        if self.installed:
            self.perform(self.state + code.RESTORE, 1 + len(DEADLY))
            if not died:
                self._let_stay()
            self.installed.clear()  # last: restoring twice does no harm

    def _let_stay(self) -> None:
        """Install again what the code itself has installed."""
        if ctypes.string_at(self.state + code.SEEN, code.INSTALL - code.SEEN).count(self.mark) != len(DEADLY):
            for number, place in zip(DEADLY, _places(code.SEEN)):
                if self.words[place // 8] != self.handler:
                    libc.syscall(RT_SIGACTION, number, self.state + place, 0, 8)
        if self.words[code.SEEN_STACK // 8] != self.stack.address:
            libc.syscall(SIGALTSTACK, self.state + code.SEEN_STACK, 0, 0, 0)


def _python() -> ctypes.PyDLL:
    """CPython's own functions."""
    library = ctypes.PyDLL(None)
    library.PyGILState_GetThisThreadState.restype = ctypes.c_void_p
    return library


def _places(table: int) -> list[int]:
    """Where in the state the deadly signals' actions are, of a table that has one for each number."""
    return [table + number * code.ACTION_SIZE for number in DEADLY]


_machines: list[_Machine] = []


class Rescue:
    """Open it with `with`, while the loading lock is held; may be opened inside of another one's call.

    `answer` is what the last call that did not die left in rax.
    """

    __slots__ = ("__weakref__", "_died", "_machine", "_outermost", "answer")

    def __enter__(self) -> Self:
        self._machine = once(_machines, _Machine)
        self._died = False
        self.answer = 0
        self._outermost = not _open_rescues
        try:
            _open_rescues[id(self)] = ref(self)
            if self._outermost:
                self._machine.install()
            return self  # noqa: TRY300  behind the try an interrupt would find nobody who closes it
        except BaseException:
            self.close()
            raise

    def call(self, function: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0) -> Death | None:
        """Call the function at an absolute address with these arguments; None when it returned, else how it died."""
        machine = self._machine
        words, outer = machine.words, machine.words[code.COUNT // 8]
        words[code.COUNT // 8] = machine.counter.value if machine.entered_at is not None else NEVER
        died = machine.run(function, a, b, c, d)
        words[code.COUNT // 8] = outer
        if not died:
            self.answer = words[code.ANSWER // 8]
            return None
        self._died = True
        libc.syscall(RT_SIGPROCMASK, SIG_SETMASK, machine.state + code.MASK, 0, 8)
        both = words[code.SIGNAL // 8]
        number, reason = both & 0xFFFFFFFF, ctypes.c_int32(both >> 32).value
        registers = dict(zip(code.GREGS, words[code.REGISTERS // 8 : code.REGISTERS // 8 + len(code.GREGS)]))
        return Death(number, reason, words[code.FAULT // 8], registers)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Put back what was there before, if it is the outermost; nothing when it is not open."""
        if id(self) not in _open_rescues:
            return
        if self._outermost:
            self._machine.restore(self._died)
        elif self._died:
            for known in _open_rescues.values():
                outer = known()
                if outer is not None:
                    outer._died = True
        _open_rescues.pop(id(self), None)

    __del__ = close  # an interrupt may come before __exit__ has begun


_open_rescues: dict[int, ref[Rescue]] = {}
"""Those in use by their id, outermost first; all belong to the thread that holds the loading lock."""


def _forget_others() -> None:
    """In a forked child the rescues of another thread are over; their handler is found there by the next one."""
    if _open_rescues and not LOCK._is_owned():  # type: ignore[attr-defined]
        _machines[0].put(code.THREAD, 0)  # a new thread may get the name of the one that is gone
        _open_rescues.clear()


os.register_at_fork(after_in_child=_forget_others)
