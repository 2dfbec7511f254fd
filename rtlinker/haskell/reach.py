"""Which of some images the Haskell heap can still reach, after a major collection.

GHC's own linker learns this inside of the collector, which marks the objects of its list while it follows closures.
Our images are on no list of the runtime's. So the question is asked of the memory itself, while nothing runs: does any
word of a live part of the heap point into the image? A thunk, a function and a return frame each hold the address of
their code, so whatever can run the image's code is found, and a word that only looks like such an address keeps an
image longer than needed, which is harmless.

What is looked at, and where it is described:

- **blocks of the heap.** The heap consists of megablocks (1 MiB, aligned; getFirstMBlock and getNextMBlock walk them).
  Each begins with descriptors of its 4 KiB blocks: where a group of blocks starts, how far it is filled, how many
  blocks it has (rts/storage/Block.h). What lies beyond the filled part is what earlier objects left, and so is a group
  that is marked free. Of the *nursery*, where new objects go, the blocks behind the current one are empty whatever
  their descriptors say (rts/storage/GC.h, "Nursery invariants"). Stacks of Haskell threads are objects of the heap.
- **stable pointers**: a table of addresses, outside of the heap.
- **evaluated constants** of other modules and of the packages: their value may be a static closure of the image. They
  lie in writable data, and begin with the address of stg_IND_STATIC_info; the value comes next (Closures.h).

The runtime must have one capability, as it has unless it was told otherwise (`-N`): then nothing of Haskell's runs
while the heap is held. With more of them `reached` is not asked.

Not seen is what C code alone knows: the address of a foreign export, or a `FunPtr` made by a `wrapper` import whose
Haskell side is not the image's. Who keeps such an address must not unload.
"""

from __future__ import annotations

import ctypes

from rtlinker.host import libc
from rtlinker.host.mappings import read_mappings
from rtlinker.units import MIB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import numpy
    from numpy.typing import NDArray

    from rtlinker.haskell.rts import Heap, Rts
    from rtlinker.live.install import LiveImage

    Words = NDArray[numpy.uint64]
    Span = tuple[int, int]

BLOCK, MEGABLOCK = 4096, MIB
DESCRIPTOR, LINK = 64, 16
FIRST = 4
"""The first block of a megablock that is not descriptors: there are 256 of 64 bytes."""

NURSERY, CURRENT = 904, 912
"""Where a capability (GHC 9.0) has its nursery, and the nursery's current block. Elsewhere, that would be noticed."""

OPEN = 512 | 1024
"""BF_COMPACT, BF_NONMOVING: of such blocks the descriptor does not tell how far they are filled."""


def reached(heap: Heap, images: Sequence[LiveImage], others: Sequence[LiveImage]) -> set[LiveImage]:
    """Those of `images` that something may still enter. `others` are the linker's images that stay.

    The caller has just collected garbage.
    """
    spans = [_span(image) for image in images]
    parts = (*_heap(heap, spans), _stable_pointers(heap.rts))
    found = {number for words in parts for number in _hit(words, spans)}
    constant = heap.rts.host.address("stg_IND_STATIC_info")
    data = [*_library_data(), *[part for live in others for part in _data(live)]]
    while data:
        values = [value for part in data for value in _values(part, constant)]
        new = {number for value in values for number in _hit(value, spans)} - found
        found |= new
        data = [part for number in new for part in _data(images[number])]
    return {images[number] for number in found}


def _span(live: LiveImage) -> Span:
    return live.image.address, live.image.address + live.image.layout.size


def _words(start: int, end: int) -> Words:
    """The words between two addresses, which are multiples of eight; a view, nothing is copied."""
    import numpy

    return numpy.ctypeslib.as_array((ctypes.c_uint64 * ((end - start) // 8)).from_address(start))


def _hit(words: Words, spans: Sequence[Span]) -> Iterator[int]:
    """The numbers of the spans that some word points into."""
    for number, (start, end) in enumerate(spans):
        if len(words) and bool(((words - start) < end - start).any()):
            yield number


def _heap(heap: Heap, spans: Sequence[Span]) -> Iterator[Words]:
    """The words of the heap's live parts, but for megablocks in which no word points into a span anyway."""
    empty = empty_blocks(heap)
    lowest, highest = min(start for start, _ in spans), max(end for _, end in spans)
    group: Span = (0, 0)
    filled = 0
    for block in megablocks(heap.rts):
        start = block
        if block >= group[1]:
            filled, group = _big_group(block)
            start = block + FIRST * BLOCK
        whole = _words(start, block + MEGABLOCK)
        if not bool(((whole - lowest) < highest - lowest).any()):
            continue
        if block < group[1]:
            end = min(max(filled, start), block + MEGABLOCK)
            yield _words(start, end - end % 8)
        else:
            yield from [_words(*part) for part in filled_parts(block, empty)]


def megablocks(rts: Rts) -> Iterator[int]:
    """The addresses of the heap's megablocks, in ascending order."""
    state = ctypes.c_void_p()
    at = rts.calls.getFirstMBlock(ctypes.addressof(state))
    while at:
        yield at
        at = rts.calls.getNextMBlock(ctypes.addressof(state), at)


def _descriptor(megablock: int, block: int) -> tuple[int, int, int, int]:
    """Of a group of blocks: its start, the end of what is filled (all ones when it is free), flags, and its blocks."""
    at = megablock + DESCRIPTOR * block
    start, filled = (ctypes.c_uint64 * 2).from_address(at)
    flags = ctypes.c_uint16.from_address(at + 46).value
    return start, filled, flags, ctypes.c_uint32.from_address(at + 48).value


def _big_group(megablock: int) -> tuple[int, Span]:
    """If a group of several megablocks starts here: the end of what is filled, and its span. Else an empty span."""
    start, filled, flags, blocks = _descriptor(megablock, FIRST)
    inside = MEGABLOCK // BLOCK - FIRST
    if blocks <= inside:
        return 0, (0, 0)
    end = megablock + MEGABLOCK + -(-(blocks - inside) * BLOCK // MEGABLOCK) * MEGABLOCK
    if filled >= 1 << 63:
        filled = start
    elif flags & OPEN:
        filled = end
    return filled, (megablock, end)


def empty_blocks(heap: Heap) -> set[int]:
    """The addresses of the nursery's blocks behind the current one.

    The empty set, which is on the safe side, when what the capability says of its nursery does not fit together.
    """
    known = frozenset(megablocks(heap.rts))
    nursery, current = (ctypes.c_uint64.from_address(heap.capability + at).value for at in (NURSERY, CURRENT))
    if not nursery or nursery % 8 or current & -MEGABLOCK not in known:
        return set()
    descriptor, count = (ctypes.c_uint64 * 2).from_address(nursery)
    chain: list[int] = []
    while descriptor:
        if descriptor % DESCRIPTOR or descriptor & -MEGABLOCK not in known or len(chain) > count:
            return set()
        chain.append(descriptor)
        descriptor = ctypes.c_uint64.from_address(descriptor + LINK).value
    if len(chain) != count or current not in chain:
        return set()
    return {ctypes.c_uint64.from_address(each).value for each in chain[chain.index(current) + 1 :]}


def filled_parts(megablock: int, empty: Collection[int]) -> Iterator[Span]:
    """The spans that hold objects, in a megablock of small groups; not those of the blocks that are `empty`."""
    block, last = FIRST, MEGABLOCK // BLOCK
    while block < last:
        start, filled, flags, blocks = _descriptor(megablock, block)
        if not blocks:  # not the head of a group: nothing is known of it
            start, filled, blocks = megablock + block * BLOCK, 0, 1
        end = start + blocks * BLOCK
        if filled < 1 << 63 and start not in empty:
            known = start <= filled <= end and not flags & OPEN
            yield start, (filled - filled % 8 if known else end)
        block += blocks


def _stable_pointers(rts: Rts) -> Words:
    """The table of stable pointers, with what is free in it: that only points into the table itself."""
    table = ctypes.c_uint64.from_address(rts.host.address("stable_ptr_table")).value
    size = libc.malloc_usable_size(table) if table else 0
    return _words(table, table + size - size % 8)


def _data(live: LiveImage) -> Iterator[Words]:
    """The writable data of an image."""
    for segment in live.image.layout.segments:
        if segment.letters == "rw-" and segment.size:
            start = live.image.address + segment.offset
            yield _words(start, start + segment.size - segment.size % 8)


def _library_data() -> Iterator[Words]:
    """The writable data of GHC's shared libraries, where there are any."""
    for row in read_mappings():
        if row.permissions.startswith("rw") and "/libHS" in row.path:
            yield _words(row.start, row.end)


def _values(data: Words, constant: int) -> Iterable[Words]:
    """The words behind those that say that a constant begins here."""
    import numpy

    at = numpy.flatnonzero(data[:-1] == constant)
    return [data[at + 1]] if len(at) else []
