"""The path of a link, from objects to an image. Read this file first: every stage is one call.

All of it is pure but for `place`, which hands out the memory. At a pretended place the whole link runs without
touching the process.
"""

from __future__ import annotations

from rtlinker.arrays import arrays_for
from rtlinker.elf.constants import SHT_NOBITS
from rtlinker.link.addresses import Addresses
from rtlinker.link.image import Image
from rtlinker.link.layout import lay_out
from rtlinker.link.outside import look_outside
from rtlinker.link.relocate import Overflow, overflow_error, relocate
from rtlinker.link.resolve import resolve
from rtlinker.link.scan import scan
from rtlinker.link.scope import Inputs
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
    # the bytes: sections as they are in the files, then slots and stubs, then every site
    copy(addresses, memory.view)
    fill(addresses, demand, memory.view)
    overflows = relocate_all(addresses, memory.view, decoded)
    if overflows:
        raise overflow_error(addresses, overflows)
    return Image(resolution, demand, layout, addresses, memory, outside.notes)


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
    _pointer(view, layout.dso_handle, base + layout.dso_handle)


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
