"""The linker as custom runtimes use it, but for Python types (those are `api.Linker`'s); after GHC's rts/Linker.h.

Objects wait until `resolve`, which links all that wait into one image. Images of one linker see each other's exported
names. A failed resolve changes nothing: what waited still waits, so that a missing library can be loaded and
`resolve` called again, and `lookup` never gives an address that is not ready to be called.
"""

from __future__ import annotations

import os

from rtlinker.errors import CrashError, ForeignExceptionError, LinkError
from rtlinker.host import dynamic
from rtlinker.link.scope import is_scope, is_source
from rtlinker.live.collect import LOCK, finished
from rtlinker.live.install import LiveImage, retire
from rtlinker.live.linking import LinkingCollector
from rtlinker.live.pins import look_again
from rtlinker.live.scopes import ProcessScope
from rtlinker.live.undo import UndoStack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from rtlinker.link.resolution import Pull
    from rtlinker.link.scope import Source


class LinkerCore(LinkingCollector):
    """Links objects and archives into this process; safe to use from several threads.

    `process_first`: what the process has already wins over archives, so that state never exists twice. `rescue`: a
    constructor that dies of a signal is a CrashError; false lets the signal be, for who watches from outside.
    Use as a context manager, or `close()` it, to give everything back.
    """

    def lookup(self, name: str) -> int | None:
        """The absolute address of a name: of an image, of an archive's member, given, or the process's; else None.

        C++ names are found as people write them, too, the process's own if they are more than one plain word. Raises
        LinkError when several have that name.

        Of a thread-local variable it is the calling thread's, as for dlsym. For names of images, it does not wait for
        what other threads load, but for constructors of the image itself.
        """
        self._open()
        live = self._exporter(name)
        if live is not None and live.ready:
            return self._address(live, name)
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
            mangled = self.symbol_called(name) or _symbol_of_the_process(name)
            return self.lookup(mangled) if mangled is not None else None

    def symbol_called(self, name: str) -> str | None:
        """The symbol of an image or an archive whose C++ name is `name`. Raises LinkError when there are several."""
        exported = [*self.offers(), *(symbol for live in list(self.images) for symbol in live.image.resolution.owners)]
        symbols = [symbol for symbol in exported if symbol.startswith("_Z") and symbol != name]
        if not symbols:
            return None
        from rtlinker.live.mangled import symbol_called

        return symbol_called(name, symbols)

    def _exported(self, name: str) -> int | None:
        live = self._exporter(name)
        return self._address(live, name) if live is not None else None

    def _exporter(self, name: str) -> LiveImage | None:
        return next((live for live in list(self.images) if live.scope.exports(name)), None)

    @staticmethod
    def _address(live: LiveImage, name: str) -> int | None:
        found = live.image.resolution.exported(name)
        return live.address_of(found) if found is not None else None

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

    def forget(self, name: str) -> None:
        """Take an object that waits for `resolve` out again, by its name; one that does not wait is left alone."""
        with LOCK:
            self._pending = [object for object in self._pending if not _is_of(object.name, name)]

    def _name_of(self, data: bytes) -> str:
        """What an object that was loaded from these bytes is called."""
        known = [*self._pending, *(object for live in self.images for object in live.image.resolution.objects)]
        return next((object.name for object in known if object.data == data), f"<{len(data):,} bytes>")

    def _unused_images(self, wanted: dict[LiveImage, set[str]]) -> list[LiveImage]:
        """The images that nobody wants or uses once `wanted` holds, newest first: users are newer than the used.

        A user that was unloaded and is pinned does not count: what it uses is pinned, too, until it goes.
        """
        unused: dict[LiveImage, None] = {}
        for live in reversed(self.images):
            if not wanted.get(live, live.wanted) and all(user in unused or user.pinned for user in live.dependents):
                unused[live] = None
        return list(unused)

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
        """Close; an exception on its way out goes on, with a note if closing is refused."""
        leave(self.close, error)

    def __repr__(self) -> str:
        if self.closed:
            return f"<rtlinker.{type(self).__name__}, closed>"
        images, waiting = len(self.images), len(self._pending)
        images_text = f"{images:,} image{'s' * (images != 1)}"
        return f"<rtlinker.{type(self).__name__}: {images_text}, {waiting:,} object{'s' * (waiting != 1)} waiting>"

    def pulls(self) -> list[Pull]:
        """Why each archive member is in an image: which symbol of which object asked for it."""
        return [pull for live in self.images for pull in live.image.resolution.pulls]


def leave(close: Callable[[], None], error: BaseException | None) -> None:
    """Close at the end of a `with` block. The block's own exception wins over a refusal, and tells it in a note."""
    try:
        close()
    except LinkError as refusal:
        if error is None:
            raise
        done = isinstance(refusal, (CrashError, ForeignExceptionError))  # of destructors: all else was done
        error.add_note(f"{'unloaded' if done else 'not unloaded'}: {refusal}")


def _symbol_of_the_process(name: str) -> str | None:
    """The symbol of a loaded library whose C++ name is `name`. Raises LinkError when there are several."""
    from rtlinker.live.mangled import is_cxx, symbol_called

    if not is_cxx(name):
        return None
    from rtlinker.host.loaded import dynamic_symbols, loaded_libraries

    libraries = [dynamic_symbols(library).default_rows for library in loaded_libraries()]
    return symbol_called(name, {symbol for rows in libraries for symbol in rows if symbol.startswith("_Z")})


def _wanted_without(live: LiveImage, name: str) -> set[str]:
    """The objects still wanted when `name` is not; members that were pulled for it go with it."""
    left = {member for member in live.wanted if not _is_of(member, name)}
    return set() if left <= {pull.member for pull in live.image.resolution.pulls} else left


def _is_of(member: str, name: str) -> bool:
    return member == name or (member.startswith(name + "(") and member.endswith(")"))
