"""What a hot module's code gives to libc for later, and the threads it starts: told, changed and counted.

A module's code is given our names in place of libc's (`definitions`), which keep a record of each call
(`hot.records`). What is registered can so be seen (`pending`), have another function put in its place (`rebind`), be
taken back (`withdraw`), and be run when the module is closed (`run`) or, as ever, when the process ends, once. A thread
counts from before it exists until it has left the module's code for good (`threads`).

Destructors of thread_local objects have records of their own (`live.thread_exit`), which are told and changed here,
too. What is not counted are threads of clone(2) and of libraries that call back (libgomp's, SIGEV_THREAD's): they are
found by `host.stacks` and `host.registered`, as for other images.
"""

from __future__ import annotations

from rtlinker.facts import Fact
from rtlinker.host import memory
from rtlinker.hot.records import Record, change, forget, records, registered, routines, run, word_at
from rtlinker.live.collect import LOCK, finish_with_python, finished
from rtlinker.live.native import Native
from rtlinker.live.thread_exit import rebind_destructor, waiting_destructors
from rtlinker.units import PAGE
from rtlinker.x86_64 import registry as code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

KINDS = {
    code.ATEXIT: "atexit",
    code.CXA_ATEXIT: "__cxa_atexit",
    code.ON_EXIT: "on_exit",
    code.QUICK_EXIT: "at_quick_exit",
    code.FORK: "pthread_atfork",
    code.PTHREAD: "pthread_create",
    code.C11_THREAD: "thrd_create",
    code.CXX_THREAD: "std::thread",
}
THREAD_EXIT = "__cxa_thread_atexit"

EXITS = frozenset((code.ATEXIT, code.CXA_ATEXIT, code.ON_EXIT))
THREADS = frozenset((code.PTHREAD, code.C11_THREAD, code.CXX_THREAD))
FUNCTIONS = (code.FUNCTION, code.SECOND, code.THIRD)
"""Of a record of pthread_atfork: what runs before the fork, after it, and after it in the child."""

ROUTINES_AT = 64
"""Where in a module's words, behind its epoch, the addresses are that its entries jump to."""

LATEST = (1 << 64) - 1


class Registration(Fact):
    """A function that something will still call: `kind` says what it was registered with.

    Addresses are absolute. `caller` is where that was called from (0 if not known), `since` when, in seconds of
    time.monotonic(), at which `epoch`. Later ones have higher sequence numbers, of each kind.
    """

    kind: str
    function: int
    argument: int
    caller: int
    since: float
    epoch: int
    sequence: int
    record: Record | None = None

    def says(self, describe: Callable[[int], str | None]) -> str:
        """`atexit handler flush`, where `describe` names an absolute address or knows nothing of it."""
        what = "destructor" if self.kind == THREAD_EXIT else "handler"
        return f"{self.kind} {what} {describe(self.function) or hex(self.function)}"


class NativeThread(Fact):
    """A thread that linked code has started and that has not left that code for good.

    `tid` is 0 until it runs. `start` is the absolute address of the function it was started with (of std::thread, the
    one that calls it), `kind` says how, `caller` from where, `since` when, in seconds of time.monotonic(). `epoch` was
    the module's when it was started, or, if it is `declared`, when it last called rtl_quiescent().
    """

    tid: int
    start: int
    kind: str
    caller: int
    since: float
    epoch: int
    declared: bool

    def may_be_in(self, start: int, end: int, replaced: int) -> bool:
        """Whether it may be in a version that lies between two addresses and was replaced when an epoch began.

        A thread of an older epoch may be anywhere in that version. One of a newer epoch may have been started by it
        while it was replaced, so that where it was started counts, unless it has said since that it has left.
        """
        return self.epoch < replaced or (start <= self.start < end and not self.declared)


class Registry:
    """The registrations and threads of one hot module, which it owns until `close`.

    What is pending when Python ends is run then, while callbacks still work; what is registered later, by C's exit.
    """

    def __init__(self) -> None:
        with LOCK:
            self._routines = routines()
            _release_unused()
        self._place = memory.reserve(2 * PAGE, PAGE, low=False)
        self.words = self._place.address + PAGE
        self._entries: dict[str, int] = {}
        for number, (name, (kind, routine)) in enumerate(code.NAMES.items()):
            at, slot = number * code.ENTRY_SIZE, PAGE + ROUTINES_AT + 8 * number
            entry = code.entry_code(at, kind, PAGE, slot)
            self._place.view[at : at + len(entry)] = entry
            word_at(self._place.address + slot).value = self._routines.at[routine]
            self._entries[name] = self._place.address + at
        self._place.protect(0, PAGE, "r-x")
        self.closed = False
        finish_with_python(self)

    def definitions(self, wanted: Container[str] | None = None) -> dict[str, int]:
        """Names, and the absolute addresses that linked code is to get for them before libc's; or the `wanted` ones.

        `rtl_quiescent` is among them: int rtl_quiescent(void) says that the calling thread, if the module's code has
        started it, has left the code of all older versions. What std::thread calls is there if the process has
        libstdc++, which is opened when `wanted` has the name (`x86_64.registry.CXX_START`).
        """
        names = {name: at for name, at in self._entries.items() if wanted is None or name in wanted}
        if code.CXX_START in names:
            self._routines.find_cxx(needed=wanted is not None)
        return {name: at for name, at in names.items() if self._routines.is_known(code.NAMES[name][0])}

    def set_epoch(self, epoch: int) -> None:
        """What is registered and started from now on is of this epoch."""
        word_at(self.words).value = epoch

    def pending(self, start: int = 0, end: int = LATEST) -> tuple[Registration, ...]:
        """What would still call a function, or pass on an argument, between two absolute addresses, oldest first.

        Behind that come destructors of thread_local objects there, if one has asked for less than all memory: they
        are not kept by module.
        """
        found = []
        for record in records(self.words):
            if record.state == code.WAITING and record.kind not in THREADS:
                found += [each for each in _registrations(record) if _touches(each, start, end)]
        found.sort(key=lambda each: each.sequence)
        if (start, end) != (0, LATEST):
            for sequence, function, argument in waiting_destructors((start, end)):
                found.append(Registration(THREAD_EXIT, function, argument, 0, 0.0, 0, sequence))
        return tuple(found)

    def rebind(self, old: int, new: int) -> int:
        """Have the function at one absolute address called instead of another; how many registrations that changed."""
        changed = 0
        for record in records(self.words):
            if record.state == code.WAITING and record.kind not in THREADS:
                words = FUNCTIONS if record.kind == code.FORK else FUNCTIONS[:1]
                changed += sum(change(record, word, new) for word in words if record.words[word] == old)
        return changed + rebind_destructor(old, new)

    def withdraw(self, registrations: Iterable[Registration]) -> None:
        """Take back what nobody shall call any more, all three functions of a pthread_atfork if one is among them.

        What has been called since is left alone, and so are destructors of thread_local objects, which run when their
        threads end or, for the calling thread, when the image is unloaded.
        """
        for registration in registrations:
            record = registration.record
            if record is not None and change(record, code.STATE, code.WITHDRAWN):
                forget(record)

    def run(self, which: Iterable[Registration] | None = None) -> None:
        """Call what waits for the end of the process, or those of it, the latest first, each once.

        That is what was registered with atexit, __cxa_atexit and on_exit (with status 0), by what runs here, too. An
        exception that leaves one does not keep the others; the first is raised when all are done.
        """
        chosen = None if which is None else {each.sequence for each in which}
        failures: list[BaseException] = []
        native, made, waiting = Native(), -1, []
        while True:
            if made != registered():  # by what ran last
                made, waiting = registered(), self._exits(chosen)
            if not waiting:
                break
            latest = waiting.pop()
            try:
                run(latest, native)
            except BaseException as error:
                failures.append(error)
            forget(latest)
        if failures:
            raise failures[0]

    def _exits(self, chosen: Container[int] | None) -> list[Record]:
        """What waits for the end of the process, or those of these numbers, oldest first."""
        return [
            record
            for record in _in_order(self.words)
            if record.state == code.WAITING and record.kind in EXITS and (chosen is None or record.sequence in chosen)
        ]

    def finish(self) -> None:
        """Call all of it."""
        self.run()

    def threads(self) -> tuple[NativeThread, ...]:
        """The threads that the module's code has started and that may still be in it, oldest first."""
        return tuple([_thread(record) for record in _in_order(self.words) if record.kind in THREADS])

    def close(self) -> None:
        """Run what waits for the end of the process, and take back the rest; none of it runs ever again.

        No code of the module may run afterwards, but in threads that have left it already. Raises what `run` raises,
        when all is done.
        """
        if self.closed:
            return
        self.closed = True
        finished(self)
        try:
            self.run()
        finally:
            self.withdraw(self.pending())
            with LOCK:
                _closed.append(self)
                _release_unused()

    def release(self) -> bool:
        """Free the entries of a closed module, if no thread of it is left; whether that is so."""
        if self.threads():
            return False
        self._place.release()
        return True


_closed: list[Registry] = []
"""Those whose threads still refer to their words."""


def _release_unused() -> None:
    _closed[:] = [registry for registry in _closed if not registry.release()]


def native_threads() -> tuple[NativeThread, ...]:
    """Those of all modules."""
    return tuple([_thread(record) for record in _in_order(None) if record.kind in THREADS])


def _in_order(owner: int | None) -> list[Record]:
    return sorted(records(owner), key=lambda record: record.sequence)


def _thread(record: Record) -> NativeThread:
    words = record.words
    return NativeThread(
        words[code.NUMBER],
        words[code.FUNCTION],
        KINDS[record.kind],
        words[code.CALLER],
        record.since,
        words[code.EPOCH],
        bool(words[code.DECLARED]),
    )


def _registrations(record: Record) -> list[Registration]:
    """One for each function of a record."""
    words = record.words
    functions = FUNCTIONS if record.kind == code.FORK else FUNCTIONS[:1]
    has_argument = record.kind in {code.CXA_ATEXIT, code.ON_EXIT}
    return [
        Registration(
            KINDS[record.kind],
            words[word],
            words[code.ARGUMENT] if has_argument else 0,
            words[code.CALLER],
            record.since,
            words[code.EPOCH],
            record.sequence,
            record,
        )
        for word in functions
        if words[word]
    ]


def _touches(registration: Registration, start: int, end: int) -> bool:
    return start <= registration.function < end or start <= registration.argument < end
