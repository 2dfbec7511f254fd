"""The bytes that are in an image before its sites are relocated: sections, slots, stubs."""

from __future__ import annotations

from rtlinker.elf.constants import SHT_NOBITS
from rtlinker.link.addresses import Addresses
from rtlinker.link.chains import CHAINS, own_function
from rtlinker.link.made import OWN_MODULE
from rtlinker.x86_64.startup import blank_function
from rtlinker.x86_64.stubs import POINTER_SIZE, stub_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.link.scan import Demand


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


def fill_threads(addresses: Addresses, demand: Demand, view: memoryview) -> None:
    """Write the slots by which code finds thread-local variables."""
    for (kind, key), offset in addresses.layout.thread_slots.items():
        if key == OWN_MODULE:
            _pointer(view, offset, _local_module(addresses, demand))
        elif kind == "descriptor":
            number, symbol = demand.threads.descriptors[key]
            view[offset : offset + 16] = (addresses.thread_letter(number, symbol, "C") or 0).to_bytes(16, "little")
        elif kind == "pair":
            number, symbol = demand.threads.pairs[key]
            _pointer(view, offset, addresses.thread_letter(number, symbol, "M") or 0)
            _pointer(view, offset + POINTER_SIZE, addresses.thread_letter(number, symbol, "D") or 0)
        else:
            _pointer(view, offset, addresses.thread_letter(*demand.threads.distances[key], "T") or 0)


def _local_module(addresses: Addresses, demand: Demand) -> int:
    """The module in whose block local dynamic code looks."""
    threads, elsewhere = addresses.threads, demand.threads.elsewhere
    if threads is None:
        return 0
    return threads.module if elsewhere is None else threads.pairs[elsewhere][0]


def _pointer(view: memoryview, offset: int, value: int) -> None:
    view[offset : offset + POINTER_SIZE] = (value & 0xFFFFFFFFFFFFFFFF).to_bytes(POINTER_SIZE, "little")
