"""Keeps loaded modules alive as long as they are loaded, and their memory until Haskell is done with it.

**Loaded**: the values of a module's constants are roots of the garbage collector (see `haskell.hooks`), and so are the
closures that it exports to C. Otherwise they would be collected between two calls from Python.

**Unloaded**: names vanish at once, and the roots are taken back. The memory stays until a major collection has shown
that nothing reaches the code: a result that is not evaluated yet, a thread, or a handle of Python's may need it. Then
the image is asked about at each later unload, or by `collect`.
"""

from __future__ import annotations

import ctypes
from _thread import get_ident

from rtlinker.haskell.hooks import CAFS, EXPORTS, KEEPER, NEW_CAF, PROFILER, REGISTER, STACKS
from rtlinker.haskell.reach import reached
from rtlinker.haskell.shape import PROFILED
from rtlinker.host import libc
from rtlinker.live.collect import LOCK
from rtlinker.live.pins import look_again

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Sequence

    from rtlinker.haskell.rts import Rts
    from rtlinker.live.install import LiveImage

HELD = "haskell's heap may reach it"
PARALLEL = "haskell runs on several capabilities: its heap cannot be looked at"
COSTS = "the profiler's cost-centre stacks may refer to it"

TRIES = 2
"""How often to collect: what a thread's stack does not use holds anything, and something else after the next time."""

ENTRIES, LISTED = 8, 32
"""In a list of foreign exports: where the number of its entries stands, and where they begin (ForeignExports.h)."""


class Keeper:
    """Links and unloads the objects of modules for one runtime; made before any of them is linked."""

    def __init__(self, rts: Rts) -> None:
        self.rts = rts
        self._linker = rts.host.linker
        self._unreached: set[LiveImage] = set()
        self._exported: dict[int, list[int]] = {}
        with LOCK:
            self._linker.load_object(KEEPER.written(), "rtlinker's keeper of haskell modules")
            instead = {"newCAF": NEW_CAF, "registerForeignExports": REGISTER}
            if rts.host.shape is PROFILED:
                self._linker.load_object(PROFILER.written(), "rtlinker's part of the profiling runtime")
                instead["registerCcsList"] = STACKS
            self._linker.resolve()  # constructors of nobody else wait: this is the first thing linked
            self._constants = self._word(CAFS)
            self._exports = self._word(EXPORTS)
            for name, ours in instead.items():
                self._linker.define(name, self._linker.lookup(ours))

    def _word(self, name: str) -> ctypes.c_uint64:
        return ctypes.c_uint64.from_address(self._linker.lookup(name) or 0)

    def link(self) -> list[LiveImage]:
        """Link the objects that wait in the host's linker; the images that came of it. Their constructors wait.

        Raises the errors of linking.
        """
        with LOCK:
            self.rts.host.refuse_redefined(self._linker._pending)
            before = {*self._linker.images}
            self._linker.resolve(start=False)
            new = [live for live in self._linker.images if live not in before]
            for live in new:
                live.holds.append(self._holds)
            return new

    def start(self) -> None:
        """Run the constructors of what was linked. Starts the runtime if an object exports closures to C."""
        with LOCK:
            self._linker.start()
            self._adopt_exports()

    def _adopt_exports(self) -> None:
        """Make the closures roots that new objects export to C."""
        if self._exports.value:
            self.rts.start()
        while self._exports.value:
            at = self._exports.value
            self._exports.value = ctypes.c_uint64.from_address(at).value
            count = ctypes.c_int32.from_address(at + ENTRIES).value
            entries = (ctypes.c_uint64 * count).from_address(at + LISTED)
            self._exported[at] = [self.rts.calls.getStablePtr(entry) for entry in entries]

    def replace(self, old: Collection[str], new: Sequence[tuple[bytes, str]]) -> None:
        """Link new objects (bytes and name) in the place of old ones, whose names they may define; all or nothing.

        The old ones are unloaded afterwards: what still needs their code keeps it. Without old ones constructors wait
        for `start`. Raises the errors of linking, and those of constructors.
        """
        with LOCK:
            olds = [live for live in self._linker.images if not live.wanted.isdisjoint(old)]
            seen = [(live, live.wanted, {*live.scope.hidden}) for live in olds]
            try:
                for live in olds:
                    live.want(live.wanted - {*old})
                for data, name in new:
                    self._linker.load_object(data, name)
                self.link()
            except BaseException:  # an interrupt, too: what waits would join the next link
                for _, name in new:
                    self._linker.forget(name)
                raise
            finally:
                for live, wanted, hidden in seen:
                    live.wanted, live.scope.hidden = wanted, hidden
            if old:
                try:
                    self.start()
                except BaseException:  # whatever a constructor raised: the old ones stay, so the new ones go
                    self.unload(*[name for _, name in new])
                    raise
                self.unload(*old)

    def unload(self, *names: str | os.PathLike[str]) -> None:
        """Take objects out of the linker, by path, users before what they use; free what nothing reaches.

        Raises LinkError when nothing of a name is loaded.
        """
        with LOCK:
            for name in names:
                self._linker.unload(name)
            self.collect()

    @property
    def kept(self) -> tuple[str, ...]:
        """Why memory of unloaded modules is still there, a text for each reason; empty when it was given back."""
        return self._linker.pinned

    def collect(self) -> None:
        """Collect garbage if there are unloaded modules, and free those that nothing reaches any more.

        Does nothing while this thread holds the heap: the next call does it then.
        """
        with LOCK:
            waiting = [live for live in self._linker.unloaded if self._holds in live.holds]
            if not waiting or not self.rts.started or self.rts.holds(get_ident()):
                look_again()
                return
            with self.rts.held():
                self._release(waiting)
            if not self._blind():
                self._unreached = {*waiting} - self._reached(waiting)
            look_again()
            self._unreached.clear()

    def _reached(self, waiting: list[LiveImage]) -> set[LiveImage]:
        """Those of the images that Haskell still reaches."""
        others = [live for live in self._linker.images if live not in waiting]
        alive = {*waiting}
        for _ in range(TRIES):
            self.rts.collect()
            with self.rts.held() as heap:
                alive &= reached(heap, [*alive], others)
            if not alive:
                break
        return alive

    def _holds(self, live: LiveImage) -> list[str]:
        """The reason to keep an unloaded image (see `live.pins`)."""
        if live in self._unreached or not self.rts.started:
            return []
        return [self._blind() or HELD]

    def _blind(self) -> str:
        """Why what Haskell reaches cannot be told; empty where it can."""
        if self.rts.host.shape is PROFILED:
            return COSTS
        # with one capability nothing of Haskell's runs while Python holds the heap
        one = ctypes.c_uint32.from_address(self.rts.host.address("n_capabilities")).value == 1
        return "" if one else PARALLEL

    def _release(self, images: Collection[LiveImage]) -> None:
        """Take the roots of images back: of their constants, and of what they export."""
        spans = [(live.image.address, live.image.address + live.image.layout.size) for live in images]

        def theirs(address: int) -> bool:
            return any(start <= address < end for start, end in spans)

        for record, stable in self._take_records(theirs):
            self.rts.free(stable)
            libc.free(record)
        for at in [at for at in self._exported if theirs(at)]:
            for stable in self._exported.pop(at):
                self.rts.free(stable)

    def _take_records(self, theirs: Callable[[int], bool]) -> list[tuple[int, int]]:
        """Unchain the records of constants; (record, stable pointer) of each. Nothing runs that could add one."""
        taken = []
        link = self._constants
        while link.value:
            record = link.value
            following, constant, stable = (ctypes.c_uint64 * 3).from_address(record)
            if theirs(constant):
                link.value = following
                taken.append((record, stable))
            else:
                link = ctypes.c_uint64.from_address(record)
        return taken
