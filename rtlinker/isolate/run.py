"""Running something in a forked child, so that its crash is a report and not the end of this process.

The child is a fork: it has our memory at our addresses, so whatever is linked here can be called there, and its crash
can be told in our symbols. It is traced with PTRACE_SEIZE rather than PTRACE_TRACEME: no stop at the start, no SIGTRAP
at exec, and a stop by job control can be told from a signal (ptrace(2), "Group-stop"). Signals are passed on unchanged;
the fatal ones are looked at first. Its forks run untraced, its threads are traced.

Ctrl-C reaches the child as well as us. We keep SIGINT and SIGQUIT blocked in the calling thread until the child is
reaped, then drop what the terminal sent (the child has answered it) and let others have their effect.

Waiting for several threads of the child must not reap anybody else's children, and waitpid(-1) would: so the state
change is first looked at with WNOWAIT, and taken only if it is ours.
"""

from __future__ import annotations

import os
import sys
import time

from rtlinker.facts import Fact
from rtlinker.host.signal_names import SI_KERNEL
from rtlinker.isolate import ptrace
from rtlinker.isolate.crash import FATAL, Crash, is_resent, take_crash, untraced_crash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SIGINT, SIGQUIT, SIGKILL, SIGPIPE, SIGXFSZ = 2, 3, 9, 13, 25
STOPPING = (19, 20, 21, 22)
"""SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU."""

FROM_TERMINAL = (SIGINT, SIGQUIT)
INTERNAL_ERROR = 70
UNTRACED = b"u"
OPTIONS = ptrace.O_EXITKILL | ptrace.O_TRACECLONE | ptrace.O_TRACEEXEC


class Outcome(Fact):
    """How a child ended: by `exit_code` (0 to 255) or by `signal`; the other is None.

    `crash` tells more when the signal was a fatal one of FATAL, else None. `traced` is False where ptrace was refused.
    """

    exit_code: int | None
    signal: int | None
    crash: Crash | None
    traced: bool


class _Watch:
    """What the parent knows of the child while it runs."""

    __slots__ = ("crashes", "process", "program", "strangers", "threads")

    def __init__(self, process: int) -> None:
        self.process = process
        self.threads = {process}
        self.strangers: set[int] = set()
        self.crashes: dict[int, Crash] = {}
        self.program = ""


def run_in_child(work: Callable[[], int]) -> Outcome:
    """How a forked child ended that called `work` and exited with what it returned; it has been reaped.

    The child shares standard input, output and error with us, and C's and Python's buffers are written out on both
    sides. It exits by _exit: neither Python's nor C's exit handlers run. An exception that escapes from `work` is
    printed and makes the exit code 70, except SystemExit, which means what it always means. In the child the fatal
    signals, SIGINT, SIGPIPE and SIGXFSZ have their default actions, so that Ctrl-C ends native code too.

    Should this thread be interrupted by an exception (a signal handler's, say), the child is killed and reaped first.
    Raises OSError only if there can be no child at all (fork(2)). Threads of this process do not exist in the child;
    locks they hold stay held there.
    """
    flush_all()
    ready, go = os.pipe()
    mask = ptrace.block(FROM_TERMINAL)
    try:
        process = os.fork()
        if not process:
            _run(work, ready, go, mask)
        try:
            traced = _start(process, go)
            outcome = _watch(_Watch(process)) if traced else _wait(process)
        except BaseException:
            _end(process)
            raise
    finally:
        os.close(ready)
        os.close(go)
        _answer_signals(mask)
    return outcome


def flush_all() -> None:
    """Write out what Python and C have buffered for standard output and error; a closed stream is no matter."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue
    ptrace.flush_stdio()


def _run(work: Callable[[], int], ready: int, go: int, mask: bytes) -> None:
    """The child's whole life. Does not return."""
    code = INTERNAL_ERROR
    try:
        os.close(go)
        answer = os.read(ready, 1)
        os.close(ready)
        for number in (*FATAL, SIGPIPE, SIGXFSZ):
            ptrace.set_default(number)
        if ptrace.handler_of(SIGINT) != ptrace.SIG_IGN:  # a shell's background job ignores it, and shall
            ptrace.set_default(SIGINT)
        ptrace.set_mask(mask)
        if answer == UNTRACED:
            ptrace.die_with_parent()
        if answer:  # without one the parent died
            code = _exit_code(work)
            flush_all()
    finally:
        os._exit(code)


def _exit_code(work: Callable[[], int]) -> int:
    try:
        return work() & 0xFF
    except SystemExit as wish:
        if wish.code is None or isinstance(wish.code, int):
            return (wish.code or 0) & 0xFF
        print(wish.code, file=sys.stderr)
        return 1
    except BaseException:  # the child ends here: whatever it was must be told, and told once
        sys.excepthook(*sys.exc_info())
        return INTERNAL_ERROR


def _start(process: int, go: int) -> bool:
    """Trace the child if that is allowed, and let it begin; whether it is traced."""
    try:
        ptrace.request(ptrace.SEIZE, process, None, OPTIONS)
        traced = True
    except OSError:
        traced = False
    os.write(go, b"t" if traced else UNTRACED)
    return traced


def _wait(process: int) -> Outcome:
    _, status = os.waitpid(process, 0)
    return _outcome(status, None, traced=False)


def _watch(watch: _Watch) -> Outcome:
    """Follow the child and its threads to the end."""
    while True:
        thread, status = _next_change(watch)
        if os.WIFSTOPPED(status):
            try:
                _continue(watch, thread, status)
            except OSError:  # it was killed while it was stopped; its end is reported next
                continue
        elif thread == watch.process:
            break
        else:
            watch.threads.discard(thread)
            watch.strangers.discard(thread)
    for stranger in watch.strangers:
        _let_go(stranger)
    crash = watch.crashes.get(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None
    return _outcome(status, crash, traced=True)


def _outcome(status: int, crash: Crash | None, traced: bool) -> Outcome:
    if not os.WIFSIGNALED(status):
        return Outcome(os.WEXITSTATUS(status), None, None, traced)
    number = os.WTERMSIG(status)
    return Outcome(None, number, crash or (untraced_crash(number) if number in FATAL else None), traced)


def _next_change(watch: _Watch) -> tuple[int, int]:
    """(thread, wait status) of the next state change among the child's threads. Blocks."""
    if len(watch.threads) == 1 and not watch.strangers:
        return os.waitpid(watch.process, ptrace.WALL)
    while True:
        peek = ptrace.WEXITED | ptrace.WSTOPPED | ptrace.WNOWAIT | ptrace.WALL | ptrace.WNOTHREAD
        seen = os.waitid(os.P_ALL, 0, peek)
        if seen and _is_ours(watch, seen.si_pid):
            return os.waitpid(seen.si_pid, ptrace.WALL)
        # another child of this thread has ended and waits for its owner: it would be seen again and again, so ask ours
        for thread in (*watch.threads, *watch.strangers):
            try:
                found, status = os.waitpid(thread, ptrace.WALL | os.WNOHANG)
            except ChildProcessError:  # a thread that another thread's exec has swept away
                watch.threads.discard(thread)
                continue
            if found:
                return found, status
        time.sleep(0.001)


def _is_ours(watch: _Watch, thread: int) -> bool:
    """Whether a thread is the child's, also one whose creation has not been reported yet."""
    if thread in watch.threads or thread in watch.strangers:
        return True
    if _group_of(thread) != watch.process:
        return False
    watch.threads.add(thread)
    return True


def _continue(watch: _Watch, thread: int, status: int) -> None:
    """Let a stopped thread go on, as it would have gone on untraced. Raises OSError if it died meanwhile."""
    number, event = os.WSTOPSIG(status), status >> 16
    if event == ptrace.EVENT_CLONE:
        new = ptrace.event_message(thread)
        (watch.threads if _group_of(new) in (watch.process, 0) else watch.strangers).add(new)
    elif event == ptrace.EVENT_EXEC:
        # only the calling thread survives, under the process's id
        watch.threads = {watch.process}
        watch.program = _program_of(watch.process)
    elif event == ptrace.EVENT_STOP:
        if thread in watch.strangers:
            watch.strangers.discard(thread)
            ptrace.request(ptrace.DETACH, thread)
            return
        if number in STOPPING:
            ptrace.request(ptrace.LISTEN, thread)
            return
    elif not event and number in FATAL:
        _note_crash(watch, thread, number)
    ptrace.request(ptrace.CONT, thread, None, 0 if event else number)


def _note_crash(watch: _Watch, thread: int, number: int) -> None:
    """Keep the state at a fatal signal, which may yet be caught; a handler that raises it again must not hide it."""
    earlier = watch.crashes.get(number)
    try:
        if earlier and earlier.thread == thread and is_resent(thread):
            return
        watch.crashes[number] = take_crash(watch.process, thread, number, watch.program)
    except OSError:  # a program that may not be read (setuid, say), or it was killed just now: the signal goes on
        watch.crashes.pop(number, None)


def _let_go(stranger: int) -> None:
    """Stop tracing a process that was cloned off and lives on, lest it be killed when we end."""
    try:
        ptrace.request(ptrace.INTERRUPT, stranger)
        os.waitpid(stranger, ptrace.WALL)
        ptrace.request(ptrace.DETACH, stranger)
    except OSError:
        return


def _end(process: int) -> None:
    try:
        os.kill(process, SIGKILL)
        while not os.WIFSIGNALED(os.waitpid(process, ptrace.WALL)[1]):
            pass
    except OSError:
        return


def _answer_signals(mask: bytes) -> None:
    """Undo the blocking: drop what the terminal sent to us and the child alike, let what others sent take effect."""
    pending = ptrace.take_pending(FROM_TERMINAL)
    ptrace.set_mask(mask)
    for number, code in pending:
        if code != SI_KERNEL:
            os.kill(os.getpid(), number)


def _group_of(thread: int) -> int:
    """The process a thread belongs to, 0 if it is gone."""
    try:
        file = os.open(f"/proc/{thread}/status", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        _, _, rest = os.read(file, 4096).partition(b"\nTgid:")
    except OSError:
        return 0
    finally:
        os.close(file)
    return int(rest.split(None, 1)[0]) if rest else 0


def _program_of(process: int) -> str:
    try:
        return os.readlink(f"/proc/{process}/exe")  # noqa: PTH115  pathlib costs 6 ms to import
    except OSError:
        return "another program"
