"""GHC's runtime as Python calls it: started once, entered through `held`, its exceptions raised as ours.

    with rts.held() as heap:
        greet = heap.apply(address_of_a_closure, heap.text("Haskell"))
        heap.run(greet)                        # an IO action; `heap.force` evaluates a pure value

Closures are addresses and good only until the next `run` or `force`, which may move them: keep a stable pointer
(`heap.stable`) for longer. Every evaluation goes through `try`, so that an exception comes back as a value and its text
can be had; without it the runtime would only tell that the thread was killed.

**Signals.** The runtime installs no handlers: Python's stay, and run when the call into Haskell has returned.

**Threads.** With the threaded runtime any thread may call at any time: the runtime has a lock. The other one must be
entered by one thread at a time, for which there is a lock here; a callback from Haskell into Python may enter it again.
"""

from __future__ import annotations

import atexit
import ctypes
import sys
from _thread import RLock, get_ident

from rtlinker.errors import ForeignExceptionError, LinkError
from rtlinker.haskell.calls import ALL_OPTIONS, Calls, Config, field, tag
from rtlinker.host import libc
from rtlinker.live.collect import LOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.haskell.host import Host

OPTIONS = ("--install-signal-handlers=no",)
"""What the runtime is always told. Options of one's own come behind (GHC User's Guide, "Runtime system options")."""

SUCCESS = 1
STATUSES = {0: "did not finish", 2: "was killed", 3: "was interrupted", 4: "ran out of heap"}
"""rts_getSchedStatus: SchedulerStatus of RtsAPI.h."""

TRY = "base_ControlziExceptionziBase_try_closure"
ANY_EXCEPTION = "base_GHCziExceptionziType_zdfExceptionSomeException_closure"
DISPLAY = "base_GHCziExceptionziType_displayException_closure"
EVALUATE = "base_GHCziIO_evaluate_closure"
BIND = "base_GHCziBase_bindIO_closure"
UTF8 = "base_GHCziIOziEncodingziUTF8_utf8_closure"
TO_C = "base_GHCziForeign_newCString_closure"
FROM_C = "base_GHCziForeign_peekCStringLen_closure"
PAIR = "ghczmprim_GHCziTuple_Z2T_closure"
FLUSH = "base_GHCziTopHandler_flushStdHandles_closure"
LEFT, RIGHT = 1, 2
"""Constructors of Either, by the number in a pointer's low bits (GHC commentary, "pointer tagging")."""

_started: list[Rts] = []
"""The runtime of this process, once it was started."""


class Rts:
    """The runtime of a host; `start` works for one host in the life of a process."""

    def __init__(self, host: Host, options: Sequence[str] = ()) -> None:
        self.host = host
        self.calls = Calls(host)
        self.options = (*OPTIONS, *options)
        self._addresses: dict[str, int] = {}
        self._config: Config | None = None
        self._lock = None if getattr(host, "threaded", False) else RLock()
        self._holders: set[int] = set()

    @property
    def started(self) -> bool:
        """Whether it runs."""
        return self._config is not None

    def start(self) -> None:
        """Start the runtime (hs_init_ghc); a second call does nothing.

        Raises LinkError when the process has started another one: it cannot be started twice, nor stopped for one.
        """
        if not self.started:
            with LOCK:  # another thread may be starting it
                self._start()

    def _start(self) -> None:
        if self.started:
            return
        if _started:
            facts = [("there", _started[0].host.kind), ("wanted", self.host.kind)]
            raise LinkError("haskell runtime is there already", facts, "use that one, or another process")
        defaults = self.host.address("defaultRtsConfig")
        config = Config.from_buffer_copy(ctypes.string_at(defaults, ctypes.sizeof(Config)))
        config.options_enabled = ALL_OPTIONS
        config.options = " ".join(self.options).encode()
        config.keep_cafs = 1  # constants of the packages live on between calls, although nobody may refer to them
        name = (ctypes.c_char_p * 2)((sys.argv[0] if sys.argv else "python").encode("utf-8", "surrogateescape"))
        self._refresh()
        self.calls.hs_init_ghc(ctypes.byref(ctypes.c_int(1)), ctypes.byref(ctypes.pointer(name)), config)
        self._config = config
        _started.append(self)
        atexit.register(self._finish)

    def _finish(self) -> None:
        """What is left of Haskell's output goes out when Python ends; its threads end with the process."""
        if not self._holders:
            self.flush()

    def _refresh(self) -> None:
        refresh = getattr(self.host, "refresh", None)
        if refresh is not None:
            refresh()

    def held(self) -> Held:
        """The right to touch Haskell's heap, as a context manager that gives a `Heap`. Starts the runtime."""
        self.start()
        return Held(self)

    def closure(self, symbol: str) -> int:
        """The address of a static closure of the runtime or a package, which does not move."""
        if symbol not in self._addresses:
            self._addresses[symbol] = self.host.address(symbol)
        return self._addresses[symbol]

    def collect(self) -> None:
        """A major garbage collection. Not while this thread holds the heap."""
        self.start()
        self.refuse_held()
        if self._lock is None:
            self.calls.performMajorGC()
        else:
            with self._lock:
                self.calls.performMajorGC()

    def flush(self) -> None:
        """Write out what Haskell's stdout and stderr hold back."""
        if self.started:
            with self.held() as heap:
                heap.run(self.closure(FLUSH))

    def free(self, stable: int) -> None:
        """Free a stable pointer; its number may then mean another closure."""
        self.calls.hs_free_stable_ptr(stable)

    def holds(self, thread: int) -> bool:
        """Whether a thread (threading.get_ident) holds the heap."""
        return thread in self._holders

    def refuse_held(self) -> None:
        """Raises LinkError when this thread holds the heap: asking for it again would wait for ever."""
        if get_ident() in self._holders:
            raise LinkError("this thread holds the haskell heap already", (), "leave `with rts.held()` first")


class Held:
    """From rts_lock to rts_unlock; a context manager, for one thread, that gives a `Heap`."""

    __slots__ = ("_heap", "_rts")

    def __init__(self, rts: Rts) -> None:
        self._rts = rts
        self._heap: Heap | None = None

    def __enter__(self) -> Heap:
        rts = self._rts
        rts.refuse_held()
        rts._refresh()
        if rts._lock is not None:
            rts._lock.acquire()
        self._heap = Heap(rts, rts.calls.rts_lock())
        rts._holders.add(get_ident())
        return self._heap

    def __exit__(self, *_: object) -> None:
        rts = self._rts
        rts._holders.discard(get_ident())
        if self._heap is not None:
            rts.calls.rts_unlock(self._heap.capability)
            self._heap = None
        if rts._lock is not None:
            rts._lock.release()


class Heap:
    """Haskell's heap while it is held. All addresses of closures go bad with the next `run`, `force` or `text_of`."""

    __slots__ = ("_capability", "_result", "rts")

    def __init__(self, rts: Rts, capability: int) -> None:
        self.rts = rts
        self._capability = ctypes.c_void_p(capability)
        self._result = ctypes.c_void_p()

    @property
    def capability(self) -> int:
        """The capability that is held now; an evaluation may exchange it."""
        return self._capability.value or 0

    def make(self, type: str, value: object) -> int:
        """A closure for a number, a Ptr and the like: `make("Int", 3)`; the value must fit (`calls.C_TYPES`)."""
        closure: int = getattr(self.rts.calls, f"rts_mk{type}")(self.capability, value)
        return closure

    def take(self, type: str, closure: int) -> object:
        """The value of an evaluated closure of one of the types of `calls.C_TYPES`; of a Ptr None when it is null."""
        value: object = getattr(self.rts.calls, f"rts_get{type}")(closure)
        if type == "Bool":
            return bool(value)
        return chr(value) if isinstance(value, int) and type == "Char" else value

    def apply(self, function: int, *arguments: int) -> int:
        """A closure for `function` applied to arguments: not evaluated yet."""
        for argument in arguments:
            function = self.rts.calls.rts_apply(self.capability, function, argument)
        return function

    def force(self, closure: int) -> int:
        """The closure's value, evaluated to its outermost constructor. Raises what `run` does."""
        return self.run(self.apply(self.rts.closure(EVALUATE), closure), strict=False)

    def run(self, action: int, strict: bool = True) -> int:
        """Run an IO action; the closure of its result, which is evaluated if `strict`.

        Raises ForeignExceptionError for a Haskell exception, and LinkError when the runtime ended the thread.
        """
        closure = self.rts.closure
        if strict:
            action = self.apply(closure(BIND), action, closure(EVALUATE))
        either = self._evaluate(self.apply(closure(TRY), closure(ANY_EXCEPTION), action))
        if tag(either) == RIGHT:
            return field(either, 0, self.rts.host.shape)
        text = self._text_of_exception(field(either, 0, self.rts.host.shape))
        raise ForeignExceptionError("Haskell", "", text)

    def _evaluate(self, action: int) -> int:
        """Run an action that lets no exception out; its result. Here the garbage collector may run."""
        calls = self.rts.calls
        own, me = self.rts._holders, get_ident()
        own.discard(me)  # callbacks may enter: Haskell gives the capability away while it calls out
        try:
            calls.rts_evalIO(ctypes.addressof(self._capability), action, ctypes.addressof(self._result))
        finally:
            own.add(me)
        status = calls.rts_getSchedStatus(self.capability)
        if status != SUCCESS:
            raise LinkError("haskell thread ended", [("status", STATUSES.get(status, str(status)))])
        return self._result.value or 0

    def _text_of_exception(self, exception: int) -> str:
        stable = self.stable(exception)
        try:
            shown = self.apply(self.rts.closure(DISPLAY), self.rts.closure(ANY_EXCEPTION), self.closure_of(stable))
            return self.text_of(shown)
        except ForeignExceptionError as error:
            return f"(its text cannot be shown: {error.what})"
        finally:
            self.rts.free(stable)

    def text(self, text: str) -> int:
        """A closure for a String. Evaluates: other closures go bad."""
        encoded = text.encode("utf-8", "surrogatepass")
        buffer = ctypes.create_string_buffer(encoded, max(1, len(encoded)))
        pair = self.apply(
            self.rts.closure(PAIR), self.make("Ptr", ctypes.addressof(buffer)), self.make("Int", len(encoded))
        )
        return self.run(self.apply(self.rts.closure(FROM_C), self.rts.closure(UTF8), pair))

    def text_of(self, string: int) -> str:
        """A String closure as text, all of it evaluated; up to its first NUL. Other closures go bad."""
        pointer = self.run(self.apply(self.rts.closure(TO_C), self.rts.closure(UTF8), string))
        at = self.take("Ptr", pointer)
        assert isinstance(at, int)
        try:
            return ctypes.string_at(at).decode("utf-8", "replace")
        finally:
            libc.free(at)

    def stable(self, closure: int) -> int:
        """A stable pointer to a closure: it stays alive and findable until `Rts.free`."""
        return self.rts.calls.getStablePtr(closure) or 0

    def closure_of(self, stable: int) -> int:
        """Where the closure of a stable pointer is now."""
        return self.rts.calls.deRefStablePtr(stable) or 0
