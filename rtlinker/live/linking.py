"""The linking half of a linker: what waits becomes an image, and its constructors run."""

from __future__ import annotations

from rtlinker.errors import RelocationError, UndefinedSymbolsError
from rtlinker.link.pipeline import link
from rtlinker.link.scope import Inputs, is_source
from rtlinker.live.collect import LOCK, Collector, finish_with_python
from rtlinker.live.files import LastSource
from rtlinker.live.indirect import has_ifuncs
from rtlinker.live.install import LiveImage, install, prepare
from rtlinker.live.native import Native
from rtlinker.live.pins import Pins, look_again
from rtlinker.live.place import ProcessPlace
from rtlinker.live.run import run_constructors
from rtlinker.live.scopes import ProcessScope
from rtlinker.live.startup import startup
from rtlinker.live.undo import UndoStack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.link.image import Image


class LinkingCollector(Collector):
    """Links what it has collected; `live.linker` adds looking up and unloading."""

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
        constructors, and indirect functions, wait for `start()`. Raises the errors of linking; the process is then as
        it was.
        """
        with LOCK:
            self._open()
            look_again()
            if not self._pending and not roots:
                return
            self._give_types()
            undo, live = UndoStack(), None
            try:
                live = self._make(undo, roots)
                if live is not None:
                    self._add(live)
                    if start:
                        self.start()
            except BaseException as error:
                if live is None:
                    undo.run()
                elif not live.started and not live.closed:  # an older one has failed, or an interrupt came
                    self._take_back(live)
                if live is None and isinstance(error, UndefinedSymbolsError):
                    self._hint(error)
                raise

    def _make(self, undo: UndoStack, roots: tuple[str, ...]) -> LiveImage | None:
        """Link what waits and make it live; None when nothing does. Until this returns, `undo` takes all of it back."""
        image = self._link(undo, roots)
        if not image.resolution.objects:
            undo.run()
            return None
        install(image, image.memory, undo)  # type: ignore[arg-type]  # the place reserves such memory
        return LiveImage(image, undo, startup(image), self.kept)

    def _add(self, live: LiveImage) -> None:
        self._depend(live)
        self.notes += [*live.image.notes, *self._unused(live.image)]
        live.waited, self._pending = self._pending, []
        self.images.append(live)
        finish_with_python(self)

    def _link(self, undo: UndoStack, roots: tuple[str, ...]) -> Image:
        for live in self.images:
            live.scope.used = False
        inputs = self._inputs(roots)
        try:
            return self._link_inputs(inputs, undo)
        except RelocationError as error:
            from rtlinker.live.hints import make_readable

            make_readable(error)  # now: undoing closes a libstdc++ that was opened for this link
            raise

    def _link_inputs(self, inputs: Inputs, undo: UndoStack) -> Image:
        try:
            return link(inputs, self._place(undo))
        except UndefinedSymbolsError as error:
            from rtlinker.live.runtimes import link_with_runtimes

            return link_with_runtimes(inputs, error, undo, self._place)

    def _inputs(self, roots: tuple[str, ...]) -> Inputs:
        return Inputs(
            tuple(self._pending),
            self._given(),
            tuple(self._providers),
            ProcessScope(),
            (self._last,),
            roots,
            tuple([live.scope for live in self.images if not live.closed]),
            self._process_first,
            self._engine,
        )

    def _place(self, undo: UndoStack) -> ProcessPlace:
        """Where the image goes; what it takes is given back by `undo`."""
        return ProcessPlace(undo)

    def start(self, guarded: bool = True) -> None:
        """Run the constructors of images that have not run theirs, oldest first; indirect functions are asked before.

        An image whose constructor fails is taken back, and with it those that use its names; their objects wait again.
        If not `guarded`, an exception that leaves a constructor or destructor ends the process (std::terminate).
        """
        with LOCK:
            while True:  # a constructor may have images started or taken back, too
                live = next((live for live in self.images if not live.started), None)
                if live is None:
                    return
                try:
                    self._start(live, guarded)
                except BaseException:
                    self._take_back(live)
                    raise

    def _start(self, live: LiveImage, guarded: bool) -> None:
        live.started = True
        live.calls.append(run_constructors)
        try:
            native = Native(lambda address: self.describe(address, live), self.rescue, guarded)
            if has_ifuncs(live.image):
                prepare(live.image, live.image.memory, live.undo, native)  # type: ignore[arg-type]
                live.startup = startup(live.image)  # an entry may be what a resolver has chosen
            live.finish = run_constructors(live.startup, live.undo, native)
        finally:
            live.calls.remove(run_constructors)
        live.ran = True

    def finish(self) -> None:
        """Run the destructors that have not run, newest image first; the memory stays, for threads still in it."""
        undo = UndoStack()
        for live in self.images:
            if live.finish is not None:
                undo.push(live.finish)
        undo.run()

    def describe(self, address: int, going: LiveImage | None = None) -> str | None:
        """`draw+0x12 (plot.o)`, or a library's `qsort+0x40 (libc.so.6)`; None where nothing is known.

        `going` is an image that counts although it is being unloaded.
        """
        from rtlinker.live.describe import describe

        images = self.images if going is None else [going, *self.images]
        return describe([live.image for live in images], address)

    def _free(self, live: LiveImage) -> None:
        """Run an image's destructors and free it, or keep it while there are reasons to."""
        if live in self.images:
            self.images.remove(live)
        self._pins.let_go(live)

    def _take_back(self, failed: LiveImage) -> None:
        """Free an image and those that use its names, users first; what they were linked from waits again."""
        gone = [failed]
        for live in self.images:  # oldest first: users are newer than what they use
            if live is not failed and any(used in gone for used in live.uses):
                gone.append(live)
        undo = UndoStack()
        for live in gone:
            live.closed = True
            undo.push(lambda live=live: self._free(live))  # type: ignore[misc]
        self._pending[:0] = [object for live in gone for object in live.waited if object.name in live.wanted]
        undo.run()

    @property
    def pinned(self) -> tuple[str, ...]:
        """Why memory of unloaded images is kept, a text for each reason; empty when all of it was given back."""
        return self._pins.reasons

    @property
    def unloaded(self) -> tuple[LiveImage, ...]:
        """The images that were unloaded and whose memory is still there, users before what they use."""
        return tuple(self._pins.images)

    def _depend(self, live: LiveImage) -> None:
        for other in self.images:
            if other.scope.used:
                live.uses.append(other)  # first: it is what `dependents` is taken back by
                other.dependents.add(live)

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
