"""The path of a link, from objects to an image. Read this file first: every stage is one call.

All of it is pure but for `place`, which hands out the memory. At a pretended place the whole link runs without
touching the process.
"""

from __future__ import annotations

from rtlinker.engines import is_native, prepare
from rtlinker.link.addresses import Addresses
from rtlinker.link.fill import blank, copy, fill
from rtlinker.link.image import Image
from rtlinker.link.layout import lay_out
from rtlinker.link.outside import look_outside
from rtlinker.link.relocate import Overflow, overflow_error, relocate
from rtlinker.link.resolve import resolve
from rtlinker.link.scan import scan
from rtlinker.link.scope import Inputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.link.image import Place


def link(inputs: Inputs, place: Place) -> Image:
    """The image of a link, its bytes written, at an address of `place`'s choice.

    Raises the errors of each stage. The process has been changed by then only through `place`: memory, and a block of
    thread-local variables, which are the caller's to give back.
    """
    # which objects take part, and what does each name mean?
    resolution = resolve(inputs)
    # what does the owner of the link want to mean something else: entries of functions, variables that live on?
    if inputs.rewrite is not None:
        resolution = inputs.rewrite(resolution)
    # one decision for the whole link: are the loops of machine code worth getting ready?
    prepare(sum([object.sites for object in resolution.objects]), inputs.engine)
    # what do the relocations ask for: slots, stubs, low memory?
    demand = scan(resolution, inputs.engine)
    # what lies outside and cannot be reached directly from where we will be?
    low = demand.low is not None
    beyond = place.beyond([known.address for known in demand.direct.values() if known.address], low)
    outside = look_outside(resolution, demand, inputs.process, beyond)
    # where does everything lie within the image?
    layout = lay_out(resolution, demand, outside, inputs.front)
    # where will the image be?
    near = tuple([known.address for known in demand.direct.values() if known.address not in beyond])
    memory = place.reserve(layout.size, layout.align, low, near, layout.large_from)
    addresses = Addresses(resolution, layout, outside, memory.address)
    # the bytes: around pieces of .init, then sections as they are in the files ...
    blank(addresses, memory.view)
    copy(addresses, memory.view)
    # thread-local variables: their initial values become a block that every thread has, and we learn where
    if layout.block is not None or demand.threads:
        from rtlinker.link.threads import with_threads

        addresses = with_threads(addresses, demand, memory.view, place)
    # ... then slots and stubs, then every site
    fill(addresses, demand, memory.view)
    overflows = relocate_all(addresses, memory.view, inputs.engine)
    if overflows:
        raise overflow_error(addresses, overflows)
    return Image(resolution, demand, layout, addresses, memory, outside.notes)


def relocate_all(addresses: Addresses, view: memoryview, engine: str) -> list[Overflow]:
    """Apply the relocations of all kept sections: those of many records by the native engine, else one by one."""
    overflows: list[Overflow] = []
    known: dict[int, int] = {}
    for number, object in enumerate(addresses.resolution.objects):
        if is_native(object.sites, engine):
            from rtlinker.link.native import relocate_native

            overflows += relocate_native(addresses, number, view, known)
        else:
            overflows += relocate(addresses, number, view)
    return overflows
