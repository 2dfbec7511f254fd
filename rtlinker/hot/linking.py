"""Linking one version: a linker of its own, whose image is split where its lifetimes are.

The text of a version goes when nobody can be in it. Its body, which is everything else, stays as long as newer
versions have variables or constants there. So what memory and thread-local storage need to be taken back is kept on
two undo stacks.
"""

from __future__ import annotations

from rtlinker.api import Linker
from rtlinker.errors import LinkError, UndefinedSymbolsError
from rtlinker.facts import replace
from rtlinker.host import memory
from rtlinker.link.layout import CODE
from rtlinker.link.scope import Table
from rtlinker.live.collect import LOCK
from rtlinker.live.indirect import has_ifuncs
from rtlinker.live.install import prepare
from rtlinker.live.native import Native
from rtlinker.live.place import ProcessPlace
from rtlinker.live.run import run_constructors
from rtlinker.live.undo import UndoStack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtlinker.elf.object import Object
    from rtlinker.host.memory import Reservation
    from rtlinker.hot.module import Module
    from rtlinker.hot.scope import Neighbourhood
    from rtlinker.link.image import Image
    from rtlinker.link.resolution import Resolution
    from rtlinker.link.scope import Definition, Inputs
    from rtlinker.link.thread_block import ThreadAnswer, ThreadRequest
    from rtlinker.live.install import LiveImage
    from rtlinker.live.startup import Startup

    Rewrite = Callable[[Resolution], Resolution]
    Extra = Callable[[str], Definition | None]


FRONT = 64
"""Bytes free before the first function: Python keeps the image's own address, and nobody else shall seem to."""


class SplitPlace(ProcessPlace):
    """Reserves an image whose memory `body` gives back; the front of it, the code, can go before."""

    def __init__(self, undo: UndoStack, body: UndoStack) -> None:
        super().__init__(undo)
        self._body = body
        self.reservation: Reservation | None = None

    def reserve(self, size: int, align: int, low: bool, reach: tuple[int, ...], span: int) -> Reservation:
        """See `host.memory.Reservation.take`."""
        self.reservation = memory.Reservation(size, align)
        self._body.push(self.reservation.release)
        return self.reservation.take(low, reach, span)

    def threads(self, request: ThreadRequest) -> ThreadAnswer:
        """See `give_thread_storage`."""
        from rtlinker.live.thread_storage import give_thread_storage

        return give_thread_storage(request, self._body)


class VersionLinker(Linker):
    """Links one version of a module; what it was given waits until `build`.

    `body` takes back what stays when the text goes. After `build`, `live` is the image, whose undo stack takes the
    text back.
    """

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.kept = module.kept
        self._thunks = module.thunks
        self.body = UndoStack()
        self.live: LiveImage | None = None
        self._neighbourhood: Neighbourhood | None = None
        self._rewrite: Rewrite | None = None
        self._extra: Extra = lambda name: None
        self._reserved: SplitPlace | None = None

    @property
    def waiting(self) -> list[Object]:
        """The objects that were given and are not linked yet."""
        return self._pending

    def build(self, neighbourhood: Neighbourhood, extra: Extra, rewrite: Rewrite) -> LiveImage:
        """Link and install everything but what runs code. Raises what linking raises; nothing is left then."""
        self._neighbourhood, self._extra, self._rewrite = neighbourhood, extra, rewrite
        with LOCK:
            self._give_types()
            undo = UndoStack()
            try:
                live = self._make(undo, ())
                neighbourhood.leave()
                self._neighbourhood = self._rewrite = None  # they know the version before, and so all before that
            except BaseException as error:
                undo.run()
                self.body.run()
                if isinstance(error, UndefinedSymbolsError):
                    self._hint(error)
                raise
            if live is None:
                self.body.run()
                raise LinkError("nothing to load", hint="give at least one object")
            self.notes += live.image.notes
            self.images.append(live)
            self.live = live
            return live

    def _inputs(self, roots: tuple[str, ...]) -> Inputs:
        inputs = super()._inputs(roots)
        before = (*inputs.before, self._neighbourhood)
        return replace(inputs, before=before, rewrite=self._rewrite, front=FRONT)

    def _given(self) -> Table:
        given = super()._given()
        return _With(given, self._extra)

    def _place(self, undo: UndoStack) -> ProcessPlace:
        self._reserved = SplitPlace(undo, self.body)
        return self._reserved

    def _link(self, undo: UndoStack, roots: tuple[str, ...]) -> Image:
        image = super()._link(undo, roots)
        code = next(segment for segment in image.layout.segments if segment.name == CODE)
        reservation = self._reserved.reservation if self._reserved else None
        if reservation is not None:
            undo.push(lambda: reservation.release_front(code.size))
        return image

    def run(self, startup: Startup) -> None:
        """Ask indirect functions where they are, then run the constructors of `startup`.

        Raises what a constructor raised, CrashError if it died.
        """
        live = self.live
        assert live is not None
        live.started = True
        if has_ifuncs(live.image):
            prepare(live.image, live.image.memory, live.undo, self.native())  # type: ignore[arg-type]
        run_constructors(startup, live.undo, self.native())
        live.ran = True

    def native(self) -> Native:
        """How the version's code is called while it comes or goes: what it dies of is an error."""
        return Native(self.describe, True, True)

    def _code_of(self, value: object, prototype: str | None, name: str) -> int | None:
        """As for any linker; but a callable of one prototype is the same code for all versions."""
        if prototype is None:
            return super()._code_of(value, prototype, name)
        return self._once(
            (name, id(value), prototype), lambda: super(VersionLinker, self)._code_of(value, prototype, name)
        )

    def _code_by_declaration(self, value: object, name: str, objects: Sequence[Object]) -> int:
        """The same, by the declaration that the objects have now."""
        from rtlinker.bind.ctype import declare
        from rtlinker.dwarf.reader import read_declarations

        holding = next((each for each in objects if name.encode() in each.symbols.strings), None)
        found = read_declarations(holding.data, holding.name).function(name) if holding is not None else None
        key = name, id(value), declare(found) if found is not None else ""
        return self._once(key, lambda: super(VersionLinker, self)._code_by_declaration(value, name, objects)) or 0

    def _once(self, key: tuple[str, int, str], make: Callable[[], int | None]) -> int | None:
        if key not in self._thunks:
            self._thunks[key] = make()
        return self._thunks[key]

    def discard(self) -> None:
        """Let go of what was given, if it was not linked."""
        if self.live is None:
            self.close_libraries()

    def close_libraries(self) -> None:
        """Close the libraries that were opened for it."""
        from rtlinker.host import dynamic

        handles, self._handles = self._handles, []
        dynamic.close_libraries(handles)

    def free_text(self) -> None:
        """Take the version's text back: unwind tables, then the memory of its code."""
        if self.live is not None and not self.live.closed:
            self.live.closed = True
            self.closed = True
            self.live.undo.run()

    def free_body(self) -> None:
        """Take back what is left of the version, and the libraries that were opened for it."""
        self.body.run()
        self.close_libraries()


class _With(Table):
    """The caller's definitions, and more that stand behind them."""

    def __init__(self, given: Table, extra: Extra) -> None:
        super().__init__(given.name, {})
        self._first = given
        self._extra = extra

    def find(self, name: str, version: str | None = None) -> Definition | None:
        """The caller's, else one of the others."""
        return self._first.find(name, version) or self._extra(name)
