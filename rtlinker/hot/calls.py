"""Calls from Python into hot modules: which are under way, since which commit.

A call writes down the epoch before it jumps, and the jump reads the table after that. So a call that is noted under an
epoch may run versions that were current then, or newer ones, never older ones; a version that was replaced at epoch
e can be entered no more by calls that noted e. Only the outermost call of a thread is noted: what it calls, through
callbacks and back, runs inside of it.
"""

from __future__ import annotations

import os
from _thread import get_ident
from time import monotonic

from rtlinker.bind.call import Function
from rtlinker.hot.errors import ClosedModuleError, StaleSignatureError, SymbolRemovedError
from rtlinker.live.collect import LOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.bind.ctype import FunctionType
    from rtlinker.bind.home import Owner

    Mark = tuple["HotFunction", int, float]


class Calls:
    """The calls of one domain that run, by thread: the function, the epoch it was entered at, and when.

    `epoch` counts commits. `gates` has something to wait with while calls must wait.
    """

    def __init__(self) -> None:
        self.running: dict[int, Mark] = {}
        self.epoch = [0]
        self.gates: list[Callable[[], object]] = []
        os.register_at_fork(after_in_child=self._forget_others)

    def _forget_others(self) -> None:
        mine = self.running.get(get_ident())
        self.running.clear()
        if mine is not None:
            self.running[get_ident()] = mine
        if not LOCK._is_owned():  # type: ignore[attr-defined]
            self.gates.clear()  # whoever would open them is not in the child

    def before(self, epoch: int) -> dict[int, Mark]:
        """The calls that were entered before an epoch began, by thread."""
        return {thread: mark for thread, mark in list(self.running.items()) if mark[1] < epoch}


class HotFunction(Function):
    """A function of a hot module, in its newest version whenever it is called; one object and one address for good.

    `raw` is the bare ctypes function: quicker, and its calls do not keep old code from being freed. Calling one that
    a reload has removed raises SymbolRemovedError, one whose signature was changed StaleSignatureError, and any of a
    closed module ClosedModuleError.
    """

    def __init__(self, address: int, type: FunctionType, name: str, owner: Owner, calls: Calls) -> None:
        super().__init__(address, type, name, owner)
        self._calls = calls
        self._domain = calls.running, calls.epoch, calls.gates  # one attribute to look up at each call
        self._refusal: Callable[[], Exception] | None = None

    def __call__(self, *arguments: object, **named: object) -> object:
        """Call the newest version."""
        noted, epoch, gates = self._domain
        thread = get_ident()
        if thread in noted:
            return self._run(arguments, named)
        noted[thread] = self, epoch[0], monotonic()
        try:
            if gates:
                self._wait(noted, thread)
            call = self._call  # behind the waiting: a reload may have changed it
            if named or call is None:
                return self._run(arguments, named)
            return call(arguments)
        finally:
            del noted[thread]

    def _run(self, arguments: tuple[object, ...], named: dict[str, object]) -> object:
        if self._refusal is not None:
            raise self._refusal()
        if named:
            arguments = self._positional(arguments, named)
        return (self._call or self._prepare())(arguments)

    def _wait(self, noted: dict[int, Mark], thread: int) -> None:
        """Stand aside while state is being changed; noted again, since the epoch may be another."""
        gates, since = self._calls.gates, noted[thread][2]
        while gates:
            gate = gates[0]
            try:
                noted.pop(thread, None)
                gate()
            finally:  # without a call: an interrupt would leave nothing for __call__ to take back
                noted[thread] = self, self._calls.epoch[0], since

    @property
    def raw(self) -> object:
        """The ctypes function, without checks and without protection; see the class."""
        if self._refusal is not None:
            raise self._refusal()
        self._prepare()
        from rtlinker.bind.plan import Plan

        return Plan(self.address, self.ctype, self.__name__, self.owner).jump

    def refuse(self, refusal: Callable[[], Exception]) -> None:
        """From now on calls raise what `refusal` makes."""
        self._refusal = refusal
        self._call = None

    def allow(self) -> None:
        """Calls are in order again: the function came back."""
        self._refusal = None

    def retype(self, ctype: FunctionType) -> None:
        """The same function, described otherwise: debug information came, went, or renamed a parameter."""
        from rtlinker.bind.ctype import declare

        if ctype != self.ctype:
            self.ctype = ctype
            self.__doc__ = declare(ctype, self.__name__)
            self._call = None


def removed(module: str, name: str, version: int, last: int) -> Callable[[], Exception]:
    """A refusal for a function that is gone."""
    return lambda: SymbolRemovedError(module, name, version, last)


def stale(name: str, old: str, new: str) -> Callable[[], Exception]:
    """A refusal for a function that takes other arguments now."""
    return lambda: StaleSignatureError(name, old, new)


def closed(module: str, name: str) -> Callable[[], Exception]:
    """A refusal for a function whose module was closed."""
    return lambda: ClosedModuleError(module, name)
