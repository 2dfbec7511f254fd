"""Asking for a link's thread-local block: the template is relocated, and what sites need to know comes back."""

from __future__ import annotations

from rtlinker.facts import replace
from rtlinker.link.addresses import Addresses
from rtlinker.link.relocate import overflow_error, relocate
from rtlinker.link.scan_threads import refuse_unknown_words
from rtlinker.link.thread_block import ThreadRequest, Want, answered, questions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.link.image import Place
    from rtlinker.link.scan import Demand


def with_threads(addresses: Addresses, demand: Demand, view: memoryview, place: Place) -> Addresses:
    """The addresses with all that sites want to know of thread-local variables, asked of the place.

    The block's initial values are relocated first: threads that run already get their copy at once. Raises
    RelocationError for an initial value that is itself a place in the block, which is not known yet.
    """
    block = addresses.layout.block
    initial = b""
    if block is not None:
        for number, here in block.sections_of.items():
            refuse_unknown_words(addresses.resolution.objects[number], here)
            overflows = relocate(addresses, number, view, here)
            if overflows:
                raise overflow_error(addresses, overflows)
        initial = bytes(view[addresses.layout.template : addresses.layout.template + block.filled])
    wants = questions(addresses.resolution, demand.threads, block)
    asked = [*wants.values()]
    if demand.threads.static:
        asked.append(Want("distance", None, 0))
    request = ThreadRequest(initial, block.size if block else 0, block.align if block else 1, tuple(asked))
    return replace(addresses, threads=answered([*wants], place.threads(request)))
