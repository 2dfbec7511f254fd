"""Images that were unloaded and cannot be freed yet, because something may still enter their code.

Their names are gone and their destructors have run; their memory, their unwind tables and the callbacks they call stay.
They are looked at again when anything is loaded or unloaded, and go when nothing holds them any more.
"""

from __future__ import annotations

from rtlinker.live import at_exit
from rtlinker.live.registrations import registered
from rtlinker.live.undo import UndoStack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rtlinker.live.install import LiveImage
    from rtlinker.live.thread_exit import Span

SIGNALS = frozenset("sigaction __sigaction signal bsd_signal sysv_signal __sysv_signal ssignal sigset".split())
"""Functions that make a function of the image a handler of a signal."""

THREADS = frozenset(
    "pthread_create thrd_create clone __clone timer_create "
    "_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE".split()
)
"""Functions that make a function of the image run in a thread of its own; the last is std::thread's constructor."""


def ending(live: LiveImage) -> list[str]:
    """What has become of its destructors: C's `exit` runs them now, or they died before they had taken all back."""
    if live.finish is None:
        return []
    return [*(["C's exit runs its destructors"] if at_exit.exiting() else []), *live.finish.died]


def handled_signals(live: LiveImage) -> list[str]:
    """Signals that the image's code would still be called for."""
    if not _refers_to(live, SIGNALS):
        return []
    from rtlinker.host.signal_handlers import signals_handled_in

    start = live.image.address
    return [f"handles {name}" for name in signals_handled_in(start, start + live.image.layout.size)]


def running_threads(live: LiveImage) -> list[str]:
    """Threads that may still run in the image's code."""
    if not _refers_to(live, THREADS):
        return []
    from rtlinker.host.threads import TRIES, threads_in

    code = live.image.layout.segments[0]
    start = live.image.address + code.offset
    tries = 1 if live.pinned else TRIES
    return [f"thread {name} may run in it" for name in threads_in(start, start + code.size, tries)]


def waiting_in(images: Iterable[LiveImage]) -> dict[Span, int]:
    """How many threads will destroy thread_local objects of each image, by where it is, in one look at all of them."""
    spans = [live.startup.span for live in images if live.startup.span is not None]
    if not spans:
        return {}
    from rtlinker.live.thread_exit import waiting_threads

    return waiting_threads(spans)


def destroying_threads(live: LiveImage, waiting: dict[Span, int]) -> list[str]:
    """Threads that will destroy the image's thread_local objects when they end."""
    threads = waiting.get(live.startup.span, 0) if live.startup.span is not None else 0
    return [f"{threads} thread{'s' * (threads > 1)} will destroy thread_local objects of it"] if threads else []


def used(live: LiveImage) -> list[str]:
    """Images that are kept and use names of this one."""
    return [
        f"{other.image.resolution.objects[0].name} uses it, and is kept" for other in live.dependents if other.pinned
    ]


def reasons(live: LiveImage, waiting: dict[Span, int]) -> list[str]:
    """Every reason why an image whose destructors have run must not be freed yet; see `waiting_in`."""
    asked = [*ending(live), *used(live), *(text for hold in live.holds for text in hold(live))]
    if not any(index.undefined for index in live.image.resolution.indexes):  # it told nobody of itself
        return asked
    own = [*handled_signals(live), *running_threads(live), *destroying_threads(live, waiting)]
    return [*own, *registered(live), *asked]


def _refers_to(live: LiveImage, names: Iterable[str]) -> bool:
    return any(not index.undefined.keys().isdisjoint(names) for index in live.image.resolution.indexes)


class Pins:
    """The images of one linker that are kept, users before what they use, and what must outlive all of them."""

    def __init__(self) -> None:
        self.images: list[LiveImage] = []
        self._last = UndoStack()

    def let_go(self, live: LiveImage) -> None:
        """Run an image's destructors, then free it, or keep it with its callbacks while there are reasons to."""
        undo = UndoStack()
        undo.push(lambda: self._free_or_keep(live))
        if live.finish is not None:
            undo.push(live.finish)
        undo.run()

    def _free_or_keep(self, live: LiveImage) -> None:
        live.pinned = reasons(live, waiting_in([live]))
        if live.pinned:
            live.kept = dict(live.kept)
            self.images.append(live)
            _pins.setdefault(self)
        else:
            _free(live)

    def finally_do(self, inverse: Callable[[], object]) -> None:
        """Take back what the images rely on, once none is left."""
        if self.images:
            self._last.push(inverse)
        else:
            inverse()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why images are kept."""
        return tuple([reason for live in self.images for reason in live.pinned])

    def look_again(self, waiting: dict[Span, int]) -> None:
        """Free the images that nothing holds any more."""
        for live in list(self.images):
            live.pinned = reasons(live, waiting)
            if not live.pinned:
                self.images.remove(live)
                _free(live)
        if not self.images:
            _pins.pop(self, None)
            self._last.run()


_pins: dict[Pins, None] = {}
"""Those that hold images; they outlive their linkers."""


def look_again() -> None:
    """Free what was kept and need not be any longer."""
    if not _pins:
        return
    waiting = waiting_in([live for pins in _pins for live in pins.images])
    for pins in list(_pins):
        pins.look_again(waiting)


def _free(live: LiveImage) -> None:
    for other in live.uses:
        other.dependents.discard(live)
    live.undo.run()
