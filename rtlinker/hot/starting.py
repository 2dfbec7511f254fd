"""The first steps of a new version: constructors and its load hook, before anybody can call it.

What they wrote to variables that live on is taken back when one of them fails.
"""

from __future__ import annotations

import ctypes

from rtlinker.errors import ReloadError
from rtlinker.live.native import Native
from rtlinker.live.startup import Startup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.hot.module import Module
    from rtlinker.hot.options import Options
    from rtlinker.hot.version import Version
    from rtlinker.live.undo import UndoStack

HOOK = "__rtl_on_load"
"""What a module may define to be asked before each of its versions becomes current; see hot/rtlinker.h."""


class Load(ctypes.Structure):
    """`struct rtl_load` of rtlinker.h: what a load hook is told."""

    _fields_ = (("version", ctypes.c_int), ("previous", ctypes.c_int), ("module", ctypes.c_char_p))


_HOOK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


class Starting:
    """Constructors and load hook of one version."""

    def __init__(self, module: Module, version: Version, options: Options) -> None:
        self._module = module
        self._version = version
        self._options = options

    def run(self, undo: UndoStack) -> None:
        """Run them. Raises what a constructor raises, ReloadError when the hook says no or the policy is unclear."""
        version, linker = self._version, self._version.linker
        assert linker.live is not None
        full = version.startup = linker.live.startup
        first = not self._module.versions_kept
        chosen = full.constructors if first else self._chosen(full)
        hook = version.functions.get(HOOK)
        if not first and (chosen or hook):
            undo.push(_Snapshot(self._module, version).restore)
        undo.push(lambda: self._module.withdraw(version))
        linker.run(Startup(chosen, (), 0, 0, None))
        if hook:
            self._ask(hook)

    def _chosen(self, startup: Startup) -> tuple[int, ...]:
        """The constructors that a reload runs."""
        policy = self._options.constructors
        if policy == "run" or not startup.constructors:
            return startup.constructors
        if policy == "skip":
            return ()
        from rtlinker.hot.constructors import to_run

        return to_run(self._version, startup.constructors)

    def _ask(self, hook: int) -> None:
        previous = self._module.versions_kept[-1].number if self._module.versions_kept else 0
        told = Load(self._version.number, previous, self._module.name.encode())
        native = Native(self._version.linker.describe, True, True)
        with native:
            answer = ctypes.c_int(native.call("load hook", _HOOK(hook), ctypes.addressof(told))).value
        if answer:
            facts = [("module", self._module.name), ("returned", str(answer))]
            raise ReloadError("start", "load hook refused the new version", facts)


class _Snapshot:
    """The bytes of the variables that a version shares with older ones; of thread-local ones, the thread's own."""

    def __init__(self, module: Module, version: Version) -> None:
        places = [
            (module.place_of(old), old.variable.size)
            for _, old in (version.carried.kept if version.carried else ())
            if old.variable.kind != "virtual"
        ]
        self._bytes = [(address, ctypes.string_at(address, size)) for address, size in places]

    def restore(self) -> None:
        """Write back what is not as it was."""
        for address, content in self._bytes:
            if ctypes.string_at(address, len(content)) != content:
                ctypes.memmove(address, content, len(content))
