"""Where the threads of this process are: who is in given pieces of code, and will return to them.

A thread that waits in a system call tells its stack pointer and instruction pointer (/proc/PID/task/TID/syscall,
proc(5)), and so does the calling one. What it will return to lies above its stack pointer, so every word there that
points into a span counts, one that was left over too. Nothing is stopped or traced for that.

What is not seen: a thread that runs tells nothing, and may be anywhere (`running`); a process that is not dumpable, or
that a seccomp filter keeps from /proc, tells nothing of any other thread (`unknown`). Of a thread that has left its
stack for another one (swapcontext(3), a coroutine) only the stack it is on is seen; what waits on the others is found
by `roots.pointers_into`, which looks at all memory. An alternate signal stack is different: the frame that the kernel
has put on it tells where the interrupted stack is, and that is looked at, too.

The registers of running threads could be had by a signal of ours to each (tgkill(2)). That is not done: a signal
disturbs whom it comes to. System calls that SA_RESTART does not restart (poll, nanosleep, semop: signal(7)) fail with
EINTR where the program did not expect any signal, the frame needs up to 11 KiB of a stack that may be a coroutine's of
4 KiB, and what it tells is true for one instant. Threads that run are waited for instead, or counted where they come
from: calls from Python by epochs, native threads by `hot.registry`.
"""

from __future__ import annotations

import os
from _thread import get_native_id

from rtlinker.facts import Fact, derived
from rtlinker.host import libc
from rtlinker.host.mappings import Mapping, read_mappings
from rtlinker.host.own_memory import Room
from rtlinker.host.pointers import WORD, Span, Spans
from rtlinker.units import MIB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MOST = 64 * MIB
"""Bytes of a thread's stack that are read; of a thread that has more, nothing is known."""

SYS_EXIT = 60
"""The system call that a thread does not return from."""

RED_ZONE = 128
"""Bytes below the stack pointer that a function may use (psABI 3.2.2)."""

SELECTORS = (0x002B000000000033).to_bytes(WORD, "little")
"""In a signal's frame: cs, gs, fs, ss of a 64-bit thread, which mark it (struct ucontext_t, sys/ucontext.h)."""

LINK_AT, SP_AT = 184 - 8, 184 - 160
"""How far uc_link and the interrupted rsp lie before those."""

MOST_FRAMES = 8
"""Signals that interrupt each other on different stacks: more are not followed."""


class SeenThread(Fact):
    """A thread at one moment, as far as it can be seen from outside.

    `state` is `blocked`, `calling` (the thread that asks), `running` or `unknown`; of the last two no more is known.
    `pc` and `sp` are absolute addresses. `inside`: the pc is in one of the spans. `returns` are the addresses in the
    spans that it may return to, innermost first: words on its stack behind a call instruction. `others` are words
    there that point elsewhere into the spans: what a signal interrupted, a function a thread was started with, or
    something left over. The name is what pthread_setname_np(3) gave it. All of it may be out of date by the time one
    reads it.
    """

    tid: int
    name: str
    state: str
    pc: int | None = None
    sp: int | None = None
    inside: bool = False
    returns: tuple[int, ...] = ()
    others: tuple[int, ...] = ()

    @derived
    def may_be_in(self) -> bool:
        """Whether it may be in the spans; only of a blocked or calling thread this can be denied."""
        return self.state in {"running", "unknown"} or self.inside or bool(self.returns) or bool(self.others)

    def says(self, describe: Callable[[int], str | None]) -> str:
        """`thread 4711 (worker) in step+0x2a`, where `describe` names an absolute address or knows nothing of it."""
        who = f"thread {self.tid} ({self.name})" if self.tid else self.name
        if not self.inside and not self.returns and not self.others:
            return f"{who} may be in it: {self.state}" if self.may_be_in else f"{who} is not in it"
        at = self.pc if self.inside else (*self.returns, *self.others)[0]
        how = "in" if self.inside else "returns to" if self.returns else "refers to"
        return f"{who} {how} {describe(at or 0) or hex(at or 0)}"


UNSEEN = SeenThread(0, "other threads", "unknown")
"""Stands for all of them where /proc may not be listed."""


def threads_seen(spans: Iterable[Span]) -> tuple[SeenThread, ...]:
    """Every thread of the process, and what of it points into the spans: pieces of memory, by absolute addresses."""
    try:
        threads = os.listdir("/proc/self/task")  # noqa: PTH208
    except OSError:
        return *look_at([get_native_id()], spans), UNSEEN
    return look_at(threads, spans)


def look_at(threads: Sequence[str | int], spans: Iterable[Span]) -> tuple[SeenThread, ...]:
    """The same of some threads, by their numbers; those that have ended are left out."""
    look = _Look(Spans(spans))
    return tuple([seen for seen in [look.at(str(thread)) for thread in threads] if seen is not None])


def unused_stack(threads: Iterable[SeenThread]) -> tuple[Span, ...]:
    """What lies below the stack pointers of blocked and calling threads: full of old pointers that nobody reads.

    Only of stacks with a guard page below, so that all of the mapping is known to be stack, and of the main thread's.
    """
    found, mappings = [], read_mappings()
    for thread in threads:
        at = next((at for at, each in enumerate(mappings) if each.start <= (thread.sp or 0) < each.end), 0)
        mapping, below = mappings[at], mappings[at - 1]
        guarded = below.end == mapping.start and below.permissions.startswith("---")
        if thread.sp and (guarded or mapping.path == "[stack]"):
            found.append((mapping.start, max(mapping.start, thread.sp - RED_ZONE)))
    return tuple(found)


TID_AT = 0x2D0
"""Where struct pthread of glibc on x86-64 has the thread's number, which the kernel makes 0 when it ends."""

DESCRIPTOR_IN = 64 * 1024
"""Bytes below the end of a thread's stack in which its descriptor is; static thread-local blocks lie there, too."""

DESCRIPTOR_ALIGN = 64


def ended_stacks() -> tuple[Span, ...]:
    """The stacks that glibc keeps of threads that have ended, for new ones: what is left on them nobody reads.

    Such a stack ends with the thread's descriptor, which begins with its own address (psABI 3.3.2, %fs:0) and has it
    again 16 bytes on. Empty where descriptors do not look as expected.
    """
    own: int = libc.pthread_self()
    room = Room()
    if int.from_bytes(room.read(own + TID_AT, 4), "little") != get_native_id():
        return ()
    try:
        alive = {int(thread) for thread in os.listdir("/proc/self/task")}  # noqa: PTH208
    except OSError:
        return ()
    found: list[Span] = []
    before: Mapping | None = None
    for mapping in read_mappings():
        below, before = before, mapping
        if below is None or below.end != mapping.start or not below.permissions.startswith("---") or mapping.path:
            continue
        at = _descriptor(room, max(mapping.start, mapping.end - DESCRIPTOR_IN), mapping.end)
        if at and int.from_bytes(room.read(at + TID_AT, 4), "little") not in alive:
            found.append((mapping.start, at))
    return tuple(found)


def _descriptor(room: Room, start: int, end: int) -> int:
    """The address of a thread's descriptor between two addresses, 0 when there is none."""
    count, words = room.fill(start, end - start), room.words
    for at in range(-start % DESCRIPTOR_ALIGN, count - TID_AT, DESCRIPTOR_ALIGN):
        if words[at // WORD] == words[at // WORD + 2] == start + at:
            return start + at
    return 0


def task_text(thread: str, file: str) -> str | None:
    """What a file of /proc says of a thread; None when the thread has ended. Raises OSError when it may not be read."""
    try:
        opened = os.open(f"/proc/self/task/{thread}/{file}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(opened, 4096).decode("utf-8", "replace").strip()
        finally:
            os.close(opened)
    except (FileNotFoundError, ProcessLookupError):
        if os.path.exists(f"/proc/self/task/{thread}"):  # noqa: PTH110
            raise  # a kernel without the file
        return None


class _Look:
    """One look at threads, which shares what all of them need."""

    def __init__(self, spans: Spans) -> None:
        self.spans = spans
        self.room = Room()
        self.own = str(get_native_id())
        self.maps: tuple[Mapping, ...] | None = None

    def at(self, thread: str) -> SeenThread | None:
        """What is seen of a thread; None when it has ended."""
        tid, name = int(thread), ""
        try:
            name = task_text(thread, "comm") or "a thread"
            text = task_text(thread, "syscall")
            if not text or text == "running":
                return SeenThread(tid, name, "running") if text else None
            call, *_, last, at = text.split()
            stack, pc = int(last, 16), int(at, 16)
            if call == str(SYS_EXIT) or not stack:
                return None
            words = self._words(stack)
            if thread != self.own and task_text(thread, "syscall") != text:
                return SeenThread(tid, name, "running")  # what was read is of different moments
        except OSError:  # no permission, or a kernel without the file
            return SeenThread(tid, name or "a thread", "unknown")
        if words is None:
            return SeenThread(tid, name, "unknown")
        returns = tuple([word for word in words if self._follows_call(word)])
        others = tuple([word for word in words if word not in returns])
        state = "calling" if thread == self.own else "blocked"
        return SeenThread(tid, name, state, pc, stack, self.spans.holds(pc), returns, others)

    def _words(self, stack: int) -> list[int] | None:
        """The words from a stack pointer on that point into the spans, each once; None when that is not known."""
        found: dict[int, None] = {}
        stacks = [stack]
        for first in stacks:
            top = self._top(first)
            if not top or top - first > MOST:
                return None
            for at in range(first & -WORD, top, self.room.size):
                count = self.room.fill(at, min(top - at, self.room.size))
                for _, word in sorted(self.spans.find(self.room, count)):
                    found.setdefault(word)
                stacks += self._interrupted(at, count, stacks) if len(stacks) < MOST_FRAMES else ()
        return list(found)

    def _interrupted(self, start: int, count: int, known: list[int]) -> Iterator[int]:
        """The stack pointers that frames of signals in the room keep, where they are on other stacks."""
        at = self.room.bytes.find(SELECTORS, 0, count)
        frames = []
        while at >= 0:
            frames.append(start + at)
            at = self.room.bytes.find(SELECTORS, at + 1, count)
        for frame in frames:
            words = memoryview(Room(LINK_AT).read(frame - LINK_AT, LINK_AT)).cast("Q")
            if len(words) == LINK_AT // WORD and not words[0]:
                stack = words[(LINK_AT - SP_AT) // WORD]
                if self._top(stack) not in {0, *map(self._top, known)}:
                    yield stack

    def _top(self, stack: int) -> int:
        """The end of the mapping that a stack pointer is in, 0 when it is in none."""
        for known in (self.maps, None):
            self.maps = known or read_mappings()
            for mapping in self.maps:
                if mapping.start <= stack < mapping.end:
                    return mapping.end
        return 0  # not in a stack that has grown or come since, either

    def _follows_call(self, address: int) -> bool:
        return follows_call(self.room.read(address - 7, 7))


def follows_call(code: bytes) -> bool:
    """Whether code ends with a call: `call rel32`, or `call` of a register or of memory in any of its lengths."""
    if len(code) < 7:
        return False
    return code[-5] == 0xE8 or any(code[-n] == 0xFF and code[1 - n] & 0x38 == 0x10 for n in (2, 3, 4, 6, 7))
