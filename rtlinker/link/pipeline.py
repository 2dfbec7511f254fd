"""The path of a link, from objects to an image. Read this file first: every stage is one call.

All of it is pure but for `place`, which hands out the memory. At a pretended place the whole link runs without
touching the process.
"""

from __future__ import annotations

from rtlinker.arrays import arrays_for
from rtlinker.elf.constants import SHT_NOBITS
from rtlinker.facts import replace
from rtlinker.link.addresses import Addresses
from rtlinker.link.chains import CHAINS, own_function
from rtlinker.link.image import Image
from rtlinker.link.layout import lay_out
from rtlinker.link.made import OWN_MODULE
from rtlinker.link.outside import look_outside
from rtlinker.link.relocate import Overflow, overflow_error, relocate
from rtlinker.link.resolve import resolve
from rtlinker.link.scan import scan
from rtlinker.link.scope import Inputs
from rtlinker.link.thread_block import ThreadRequest, Want, answered, questions
from rtlinker.x86_64.startup import blank_function
from rtlinker.x86_64.stubs import POINTER_SIZE, stub_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.link.columns import Columns
    from rtlinker.link.image import Place
    from rtlinker.link.scan import Demand


def link(inputs: Inputs, place: Place) -> Image:
    """The image of a link, its bytes written, at an address of `place`'s choice.

    Raises the errors of each stage, all of them before the process has been changed except for the reservation,
    which is the caller's to release.
    """
    # one decision for the whole link: is numpy worth its import?
    arrays_for(sum([object.sites + len(object.symbols) for object in inputs.objects]), inputs.engine)
    decoded: dict[int, Columns] = {}
    # which objects take part, and what does each name mean?
    resolution = resolve(inputs)
    # what do the relocations ask for: slots, stubs, low memory?
    demand = scan(resolution, inputs.engine, decoded)
    # what lies outside and cannot be reached directly from where we will be?
    low = demand.low is not None
    beyond = place.beyond([known.address for known in demand.direct.values() if known.address], low)
    outside = look_outside(resolution, demand, inputs.process, beyond)
    # where does everything lie within the image?
    layout = lay_out(resolution, demand, outside)
    # where will the image be?
    near = tuple([known.address for known in demand.direct.values() if known.address not in beyond])
    memory = place.reserve(layout.size, layout.align, low, near, layout.large_from)
    addresses = Addresses(resolution, layout, outside, memory.address)
    # the bytes: around pieces of .init, then sections as they are in the files ...
    blank(addresses, memory.view)
    copy(addresses, memory.view)
    # thread-local variables: their initial values become a block that every thread has, and we learn where
    addresses = with_threads(addresses, demand, memory.view, place)
    # ... then slots and stubs, then every site
    fill(addresses, demand, memory.view)
    overflows = relocate_all(addresses, memory.view, decoded)
    if overflows:
        raise overflow_error(addresses, overflows)
    return Image(resolution, demand, layout, addresses, memory, outside.notes)


def blank(addresses: Addresses, view: memoryview) -> None:
    """Write what stands before, between and behind the pieces of .init and .fini, which fall through to each other."""
    for name in CHAINS:
        bounds = addresses.layout.bounds.get(name)
        if bounds is not None:
            start, end = bounds
            view[start:end] = blank_function(end - start, own_function(addresses.resolution, name) is None)


def copy(addresses: Addresses, view: memoryview) -> None:
    """Copy every kept section's bytes to its place; what the file does not hold stays zero."""
    for number, object in enumerate(addresses.resolution.objects):
        sections, data = object.sections, memoryview(object.data)
        places, types, offsets, sizes = (
            addresses.layout.sections[number],
            sections.types,
            sections.offsets,
            sections.sizes,
        )
        for index in sections.allocated:
            at = places[index]
            if at >= 0 and types[index] != SHT_NOBITS and sizes[index]:
                start, size = offsets[index], sizes[index]
                view[at : at + size] = data[start : start + size]


def fill(addresses: Addresses, demand: Demand, view: memoryview) -> None:
    """Write the slots, the stubs with their pointers, and __dso_handle, which holds its own address."""
    layout, base = addresses.layout, addresses.base
    for key, offset in layout.slots.items():
        _pointer(view, offset, addresses.letter_s(*demand.slots[key]) or 0)
    for key, (stub, pointer) in layout.stubs.items():
        view[stub : stub + 16] = stub_code(base + stub, base + pointer)
        _pointer(view, pointer, addresses.of_binding(addresses.meaning(*demand.stubs[key])) or 0)
    for stub, pointer in layout.ifuncs.values():  # who makes the image live asks which function it is
        view[stub : stub + 16] = stub_code(base + stub, base + pointer)
    if layout.thread_slots:
        fill_threads(addresses, demand, view)
    _pointer(view, layout.dso_handle, base + layout.dso_handle)


def with_threads(addresses: Addresses, demand: Demand, view: memoryview, place: Place) -> Addresses:
    """The addresses with all that sites want to know of thread-local variables, asked of the place.

    The block's initial values are relocated first: threads that run already get their copy at once. Raises
    RelocationError for an initial value that is itself a place in the block, which is not known yet.
    """
    block = addresses.layout.block
    if block is None and not demand.threads:
        return addresses
    initial = b""
    if block is not None:
        for number in range(len(addresses.resolution.objects)):
            here = {section for which, section in block.sections if which == number}
            overflows = relocate(addresses, number, view, here) if here else []
            if overflows:
                raise overflow_error(addresses, overflows)
        initial = bytes(view[addresses.layout.template : addresses.layout.template + block.filled])
    wants = questions(addresses.resolution, demand.threads, block)
    asked = [*wants.values()]
    if demand.threads.static:
        asked.append(Want("distance", None, 0))
    request = ThreadRequest(initial, block.size if block else 0, block.align if block else 1, tuple(asked))
    return replace(addresses, threads=answered([*wants], place.threads(request)))


def fill_threads(addresses: Addresses, demand: Demand, view: memoryview) -> None:
    """Write the slots by which code finds thread-local variables."""
    for (kind, key), offset in addresses.layout.thread_slots.items():
        if key == OWN_MODULE:
            _pointer(view, offset, addresses.threads.module if addresses.threads else 0)
        elif kind == "descriptor":
            number, symbol = demand.threads.descriptors[key]
            view[offset : offset + 16] = (addresses.thread_letter(number, symbol, "C") or 0).to_bytes(16, "little")
        elif kind == "pair":
            number, symbol = demand.threads.pairs[key]
            _pointer(view, offset, addresses.thread_letter(number, symbol, "M") or 0)
            _pointer(view, offset + POINTER_SIZE, addresses.thread_letter(number, symbol, "D") or 0)
        else:
            _pointer(view, offset, addresses.thread_letter(*demand.threads.distances[key], "T") or 0)


def _pointer(view: memoryview, offset: int, value: int) -> None:
    view[offset : offset + POINTER_SIZE] = (value & 0xFFFFFFFFFFFFFFFF).to_bytes(POINTER_SIZE, "little")


def relocate_all(addresses: Addresses, view: memoryview, decoded: dict[int, Columns]) -> list[Overflow]:
    """Apply the relocations of all kept sections: by arrays for the objects that are `decoded`, else one by one."""
    overflows: list[Overflow] = []
    for number in range(len(addresses.resolution.objects)):
        if number in decoded:
            from rtlinker.link.relocate_bulk import relocate_bulk

            overflows += relocate_bulk(addresses, number, decoded[number], view)
        else:
            overflows += relocate(addresses, number, view)
    return overflows
