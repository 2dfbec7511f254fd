"""The linker as custom runtimes use it, but for Python types (those are `api.Linker`'s); after GHC's rts/Linker.h.

Objects wait until `resolve`, which links all that wait into one image. Images of one linker see each other's exported
names. A failed resolve changes nothing: what waited still waits, so that a missing library can be loaded and
`resolve` called again, and `lookup` never gives an address that is not ready to be called.
"""

from __future__ import annotations

import os

from rtlinker.errors import LinkError, UndefinedSymbolsError
from rtlinker.host import dynamic
from rtlinker.link.pipeline import link
from rtlinker.link.scope import Inputs, Table, is_scope, is_source
from rtlinker.live.collect import LOCK, Collector, finish_with_python, finished
from rtlinker.live.files import LastSource
from rtlinker.live.install import LiveImage, install, retire
from rtlinker.live.pins import Pins, look_again
from rtlinker.live.place import ProcessPlace
from rtlinker.live.run import run_constructors
from rtlinker.live.scopes import ProcessScope
from rtlinker.live.startup import startup
from rtlinker.live.undo import UndoStack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rtlinker.link.image import Image
    from rtlinker.link.resolution import Pull
    from rtlinker.link.scope import Source


class LinkerCore(Collector):
    """Links objects and archives into this process; safe to use from several threads.

    `process_first`: what the process has already wins over archives, so that state never exists twice. `rescue`: a
    constructor that dies of a signal is a CrashError; false lets the signal be, for who watches from outside.
    Use as a context manager, or `close()` it, to give everything back.
    """

    def __init__(self, *, process_first: bool = False, engine: str = "auto", rescue: bool = True) -> None:
        self._process_first = process_first
        self.rescue = rescue
        self._engine = engine
        super().__init__()
        self._last = LastSource()
        self.images: list[LiveImage] = []
        self._pins = Pins()
        self.notes: list[str] = []

    def resolve(self, roots: tuple[str, ...] = (), start: bool = True) -> None:
        """Link everything loaded since the last resolve, and what archives have of it; then run its constructors.

        `roots` are names to bring in from archives although no object refers to them. With `start` false the
        constructors wait for `start()`. Raises the errors of linking; the process is then as it was.
        """
        with LOCK:
            self._open()
            look_again()
            if not self._pending and not roots:
                return
            self._give_types()
            undo = UndoStack()
            try:
                image = self._link(undo, roots)
                if not image.resolution.objects:
                    undo.run()
                    return
                install(image, image.memory, undo)  # type: ignore[arg-type]  # the place above hands out reservations
                live = LiveImage(image, undo, startup(image), self.kept)
            except UndefinedSymbolsError as error:
                undo.run()
                self._hint(error)
                raise
            except BaseException:
                undo.run()
                raise
            self._depend(live)
            self.notes += [*image.notes, *self._unused(image)]
            waited, self._pending = self._pending, []
            self.images.append(live)
            finish_with_python(self)
            try:
                if start:
                    self.start()
            except BaseException:
                self._pending[:0] = waited if live not in self.images else []
                raise

    def _link(self, undo: UndoStack, roots: tuple[str, ...]) -> Image:
        for live in self.images:
            live.scope.used = False
        inputs = Inputs(
            tuple(self._pending),
            Table("given by the caller", self._user),
            tuple(self._providers),
            ProcessScope(),
            (self._last,),
            roots,
            tuple([live.scope for live in self.images if not live.closed]),
            self._process_first,
            self._engine,
        )
        return link(inputs, ProcessPlace(undo))

    def start(self) -> None:
        """Run the constructors of images that have not run theirs; an image whose constructor fails is taken back."""
        with LOCK:
            for live in [live for live in self.images if not live.started]:
                live.started = True
                live.calls.append(run_constructors)
                try:
                    live.finish = run_constructors(live.startup, live.undo, self.describe, self.rescue)
                except BaseException:
                    live.calls.remove(run_constructors)
                    live.closed = True
                    self._free(live)
                    raise
                live.calls.remove(run_constructors)

    def finish_at_exit(self) -> None:
        """Let the images' destructors run when C's `exit` is called, after what was registered from now on."""
        from rtlinker.host.exiting import at_exit

        handler = at_exit(self.finish)
        self.kept["finish at exit", id(handler)] = handler

    def finish(self) -> None:
        """Run the destructors that have not run, newest image first; the memory stays, for threads still in it."""
        undo = UndoStack()
        for live in self.images:
            if live.finish is not None:
                undo.push(live.finish)
        undo.run()

    def describe(self, address: int) -> str | None:
        """`draw+0x12 (plot.o)`, or a library's `qsort+0x40 (libc.so.6)`; None where nothing is known."""
        from rtlinker.live.describe import describe

        return describe([live.image for live in self.images], address)

    def lookup(self, name: str) -> int | None:
        """The absolute address of a name: of an image, of an archive's member, given, or the process's; else None.

        Of a thread-local variable it is the calling thread's, as for dlsym.
        """
        with LOCK:
            self._open()
            address = self._exported(name)
            if address is not None:
                return address
            if name in self._user:
                return self._user[name].address
            if self.offered(name):
                self.resolve((name,))
                address = self._exported(name)
                if address is not None:
                    return address
            for scope in [*filter(is_scope, self._providers), ProcessScope()]:
                found = scope.find(name)
                if found is not None:
                    return found.address
        return None

    def _exported(self, name: str) -> int | None:
        for live in self.images:
            found = live.image.resolution.exported(name) if live.scope.exports(name) else None
            if found is not None:
                return live.address_of(found)
        return None

    def offered(self, name: str) -> bool:
        """Whether an archive has a member with this name that is not in an image yet."""
        return any(
            name in source.index() and not self._linked(source, name) for source in filter(is_source, self._providers)
        )

    def offers(self) -> list[str]:
        """Every name that the linker's archives have, sorted."""
        return sorted({name for source in filter(is_source, self._providers) for name in source.index()})

    def _linked(self, source: Source, name: str) -> bool:
        member = source.object_at(source.index()[name])
        return any(member is object for live in self.images for object in live.image.resolution.objects)

    def unload(self, what: str | os.PathLike[str] | bytes) -> None:
        """Take an object (by the path, name or bytes it was loaded with) or all of an archive out of the linker.

        Its names vanish at once. The memory of the image it is part of is given back, after destructors have run,
        when the last of the image's objects is unloaded and no other image uses its names. Raises LinkError when
        nothing of that name is loaded, or when a call runs in memory that would go; nothing has changed then.
        """
        with LOCK:
            self._open()
            look_again()
            name = self._name_of(what) if isinstance(what, bytes) else os.fspath(what)
            waiting = [object for object in self._pending if _is_of(object.name, name)]
            sources = [source for source in self._providers if source.name == name]
            touched = [live for live in self.images if any(_is_of(member, name) for member in live.wanted)]
            if not waiting and not sources and not touched:
                raise LinkError("nothing of that name is loaded", [("name", name)])
            wanted = {live: _wanted_without(live, name) for live in touched}
            doomed = self._unused_images(wanted)
            retire(doomed)
            self._pending = [object for object in self._pending if object not in waiting]
            self._providers = [source for source in self._providers if source not in sources]
            for live, left in wanted.items():
                live.want(left)
            undo = UndoStack()
            for live in reversed(doomed):
                undo.push(lambda live=live: self._free(live))  # type: ignore[misc]
            undo.run()

    def _name_of(self, data: bytes) -> str:
        """What an object that was loaded from these bytes is called."""
        known = [*self._pending, *(object for live in self.images for object in live.image.resolution.objects)]
        return next((object.name for object in known if object.data == data), f"<{len(data):,} bytes>")

    def _unused_images(self, wanted: dict[LiveImage, set[str]]) -> list[LiveImage]:
        """The images that nobody wants or uses once `wanted` holds, newest first: users are newer than the used."""
        unused: dict[LiveImage, None] = {}
        for live in reversed(self.images):
            if not wanted.get(live, live.wanted) and live.dependents <= unused.keys():
                unused[live] = None
        return list(unused)

    def _free(self, live: LiveImage) -> None:
        """Run an image's destructors and free it, or keep it while there are reasons to."""
        if live in self.images:
            self.images.remove(live)
        self._pins.let_go(live)

    @property
    def pinned(self) -> tuple[str, ...]:
        """Why memory of unloaded images is kept, a text for each reason; empty when all of it was given back."""
        return self._pins.reasons

    def close(self) -> None:
        """Unload everything, newest first, and let go of the libraries. Afterwards the linker cannot be used.

        Raises LinkError while a call runs in one of the images; nothing has changed then.
        """
        with LOCK:
            look_again()
            if self.closed:
                return
            retire(self.images)
            self.closed = True
            finished(self)
            undo, handles = UndoStack(), self._handles
            undo.push(lambda: self._pins.finally_do(lambda: dynamic.close_libraries(handles)))
            for live in self.images:
                undo.push(lambda live=live: self._free(live))  # type: ignore[misc]
            self.images, self._pending, self._providers, self._handles = [], [], [], []
            try:
                undo.run()
            finally:
                self.kept.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def pulls(self) -> list[Pull]:
        """Why each archive member is in an image: which symbol of which object asked for it."""
        return [pull for live in self.images for pull in live.image.resolution.pulls]

    def _depend(self, live: LiveImage) -> None:
        for other in self.images:
            if other.scope.used:
                other.dependents.add(live)
                live.uses.append(other)

    def _unused(self, image: Image) -> list[str]:
        given = len(self._pending)
        owners, objects = image.resolution.owners, image.resolution.objects
        return [
            f"{objects[owners[name]].name} defines {name}: the definition given by the caller is not used"
            for name in self._user
            if owners.get(name, given) < given
        ]

    def _hint(self, error: UndefinedSymbolsError) -> None:
        from rtlinker.live.hints import add_hints

        add_hints(error, list(filter(is_source, self._providers)))


def _wanted_without(live: LiveImage, name: str) -> set[str]:
    """The objects still wanted when `name` is not; members that were pulled for it go with it."""
    left = {member for member in live.wanted if not _is_of(member, name)}
    return set() if left <= {pull.member for pull in live.image.resolution.pulls} else left


def _is_of(member: str, name: str) -> bool:
    return member == name or (member.startswith(name + "(") and member.endswith(")"))
