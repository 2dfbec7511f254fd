"""Calls of an image's code while it is loaded or unloaded: resolvers, constructors, destructors.

None of them has a caller in C or in Python to whom an exception could go, so what leaves one is raised by the load or
the unload itself: what a callback raised, what the code threw, and, where it is asked for, the signal it died of.
"""

from __future__ import annotations

import ctypes

from rtlinker.errors import CrashError
from rtlinker.live.collect import LOCK
from rtlinker.live.failure import run_native
from rtlinker.live.frames import guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from rtlinker.live.rescue import Death, Rescue

    Describe = Callable[[int], str | None]
    Jump = ctypes._FuncPointer


def nowhere(address: int) -> str | None:
    """Describes no address."""
    return None


class Native:
    """How code of an image is called; to be opened with `with`.

    If `rescued`, code that dies of a signal raises CrashError, in which `describe` names addresses: but only while the
    loading lock is held, since one thread at a time can be rescued. If `guarded`, an
    exception that leaves it is raised as ForeignExceptionError, and else ends the process as in any program. What a
    callback raised is raised in every case.
    """

    __slots__ = ("_describe", "_rescue", "_rescued", "guarded")

    def __init__(self, describe: Describe = nowhere, rescued: bool = False, guarded: bool = True) -> None:
        self._describe = describe
        self._rescued = rescued
        self._rescue: Rescue | None = None
        self.guarded = guarded

    def another(self) -> Native:
        """One that calls in the same way, to be opened by itself."""
        return Native(self._describe, self._rescued, self.guarded)

    def __enter__(self) -> Self:
        try:
            if self._rescued and LOCK._is_owned():  # type: ignore[attr-defined]
                from rtlinker.live.rescue import Rescue

                self._rescue = Rescue()
                self._rescue.__enter__()
            return self  # noqa: TRY300  behind the try an interrupt would find nobody who closes it
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        rescue, self._rescue = self._rescue, None
        if rescue is not None:
            rescue.close()

    def call(self, role: str, jump: Jump, *arguments: int) -> int:
        """What a ctypes function returns, a word of 64 bits; `role` says in errors what it calls: `constructor`."""
        address = _word(jump)
        if self.guarded:
            guard(jump)
        answer: int | None = run_native(self._run, f"a {role}", role, address, jump, *arguments)
        return answer or 0

    def _run(self, role: str, address: int, jump: Jump, *arguments: int) -> int | None:
        if self._rescue is None:
            answer: int | None = jump(*arguments)
            return answer
        death = self._rescue.call(_word(jump), *arguments)
        if death is not None:
            raise crash_error(death, role, address, self._describe)
        return self._rescue.answer


def _word(jump: Jump) -> int:
    """The absolute address that a ctypes function leads to: its function, or its guard."""
    return ctypes.cast(jump, ctypes.c_void_p).value or 0


def crash_error(death: Death, role: str, address: int, describe: Describe) -> CrashError:
    """The error for a function at `address` that died: which, of what, where."""
    from rtlinker.host.signal_names import CODES, signal_name

    at = death.registers["rip"]
    facts = [
        (role, describe(address) or f"{address:#x}"),
        ("at", f"{at:#x} {describe(at) or ''}".rstrip()),
    ]
    reason = CODES.get((death.signal, death.code), "raised by the program" if death.code <= 0 else "")
    if reason:
        facts.append(("reason", reason))
    if death.code > 0 and death.fault != at:
        facts.append(("fault", f"{death.fault:#x}"))
    return CrashError(death.signal, f"a {role} died of {signal_name(death.signal)}", facts, at)
