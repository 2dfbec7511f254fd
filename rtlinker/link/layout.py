"""Sections, slots, stubs, mirrors and COMMON blocks to offsets in one image. Pure: it can be printed and drawn.

The image is one reservation of a few segments, each with one protection:

    code    r-x   executable sections, then the stubs
    const   r--   initial values of thread-local variables, read-only sections, data that only relocation writes
                  (.data.rel.ro, arrays of constructors), the slots, the stubs' pointers, mirrors, __dso_handle
    data    rw-   writable sections, then .bss and COMMON blocks
    large   rw-   .ldata, .lbss and large COMMON blocks, which small code never reaches directly (psABI 3.5.4)

Sections keep the order of the link. Those whose name is a C identifier stand together, because __start_X and __stop_X
bound them, and in one segment, which must allow whatever any of them needs.
"""

from __future__ import annotations

from rtlinker.elf.constants import (
    SHF_EXECINSTR,
    SHF_TLS,
    SHF_WRITE,
    SHF_X86_64_LARGE,
    SHT_FINI_ARRAY,
    SHT_INIT_ARRAY,
    SHT_NOBITS,
    SHT_PREINIT_ARRAY,
    SHT_PROGBITS,
)
from rtlinker.elf.eh_frame import without_terminator
from rtlinker.errors import UnsupportedError
from rtlinker.facts import Fact
from rtlinker.link.chains import CHAINS, own_function
from rtlinker.link.made import Made
from rtlinker.link.outside import EVERYTHING_REACHED, Outside
from rtlinker.link.resolution import Common, Key, Resolution
from rtlinker.link.scan import Demand
from rtlinker.link.thread_block import ThreadBlock
from rtlinker.units import PAGE, align_up
from rtlinker.x86_64.startup import AFTER, BEFORE

CODE, CONST, DATA, LARGE = "code", "const", "data", "large"
LETTERS = {CODE: "r-x", CONST: "r--", DATA: "rw-", LARGE: "rw-"}
"""What each segment allows once the image is live."""

RELRO = (".data.rel.ro", ".init_array", ".fini_array", ".preinit_array", ".ctors", ".dtors", ".gcc_except_table")
"""Writable by their flags, written only by relocation: ld protects these after startup (-z relro)."""

EH_FRAME = ".eh_frame"
"""Records by which exceptions and backtraces find their way (LSB 10.6.1); they lie together, a zero word behind."""

ARRAYS = {SHT_PREINIT_ARRAY: ".preinit_array", SHT_INIT_ARRAY: ".init_array", SHT_FINI_ARRAY: ".fini_array"}
"""Functions to run at the start and at the end, by the type of the section (gABI, Special Sections)."""


class Segment(Fact):
    """A part of the image with one protection. `offset` and `size` are bytes in the image, page-aligned offset."""

    name: str
    letters: str
    offset: int
    size: int


class Layout(Fact):
    """Where everything of a link lies, as offsets in bytes from the image's start.

    `sections[i][j]` is section j of object i, or -1 when it takes no memory. `stubs` gives each stub and its pointer.
    `bounds` are the start and end of what linker-defined names refer to: sections by their names, segments as
    `(data)`. `large_from` is where the large segment starts: everything below is within 2 GiB of everything else below.
    """

    sections: tuple[list[int], ...]
    commons: dict[str, int]
    slots: dict[Key, int]
    stubs: dict[Key, tuple[int, int]]
    mirrors: dict[Key, int]
    got: int
    dso_handle: int
    bounds: dict[str, tuple[int, int]]
    segments: tuple[Segment, ...]
    size: int
    align: int
    large_from: int
    ifuncs: dict[tuple[int, int], tuple[int, int]]
    """For each indirect function (object, symbol) the stub that is its address, and the stub's pointer."""
    block: ThreadBlock | None
    template: int
    """Where the initial values of the thread-local block lie."""
    thread_slots: dict[tuple[str, Key], int]
    """The words of each (`pair`, `distance` or `descriptor`, key)."""


class _Piece:
    """Sections of one segment in the making, with the order in which they are to lie."""

    __slots__ = ("align", "index", "name", "number", "order", "size")

    def __init__(self, order: tuple[object, ...], number: int, index: int, name: str, size: int, align: int) -> None:
        self.order, self.number, self.index, self.name, self.size, self.align = order, number, index, name, size, align


def lay_out(resolution: Resolution, demand: Demand, outside: Outside = EVERYTHING_REACHED, front: int = 0) -> Layout:
    """Offsets for all that the link needs in memory, behind `front` bytes that stay free.

    Raises UnsupportedError for a section that is to be writable and executable at once.
    """
    pieces = _pieces(resolution)
    cursor = _Cursor(resolution)
    made = Made(resolution, demand, outside)
    for segment in (CODE, CONST, DATA, LARGE):
        cursor.open(segment)
        if segment == CODE:
            cursor.take(front, 1)
        elif segment == CONST:
            made.place_template(cursor.take, cursor.sections)
        cursor.place(pieces[segment])
        if segment == CODE:
            made.place_code(cursor.take)
        elif segment == CONST:
            made.place_constants(cursor.take)
        else:
            cursor.place_commons(_commons(resolution, segment))
        cursor.close()
    size = cursor.at or PAGE
    cursor.bounds["(image)"] = 0, cursor.segments[-2].offset + cursor.segments[-2].size
    return Layout(
        tuple(cursor.sections), cursor.commons, made.slots, made.stubs, made.mirrors, made.got, made.dso_handle,
        cursor.bounds, tuple(cursor.segments), align_up(size, PAGE), cursor.align, cursor.segments[-1].offset,
        made.ifuncs, made.block, made.template, made.thread_slots,
    )  # fmt: skip


def _commons(resolution: Resolution, segment: str) -> list[Common]:
    """The COMMON blocks of a segment."""
    large = segment == LARGE
    return [block for block in resolution.commons_in_order if block.large == large and not block.thread]


class _Cursor:
    """The end of what has been placed so far."""

    def __init__(self, resolution: Resolution) -> None:
        self.sections = [[-1] * len(object.sections) for object in resolution.objects]
        self.commons: dict[str, int] = {}
        self.bounds: dict[str, tuple[int, int]] = {}
        self.segments: list[Segment] = []
        self.at = 0
        self.align = PAGE
        self.opened = (DATA, 0)

    def open(self, segment: str) -> None:
        """Begin a segment on a page of its own."""
        self.at = align_up(self.at, PAGE)
        self.opened = segment, self.at

    def close(self) -> None:
        """End the segment that is open."""
        name, start = self.opened
        self.segments.append(Segment(name, LETTERS[name], start, self.at - start))
        self.bounds.setdefault(f"({name})", (start, self.at))

    def take(self, size: int, align: int) -> int:
        """Room for `size` bytes; its offset."""
        at = self.at = align_up(self.at, align)
        self.at += size
        self.align = max(self.align, align)
        return at

    def place(self, pieces: list[_Piece]) -> None:
        """Sections in their order; what bounds a name is kept on the way."""
        name, _ = self.opened
        pieces.sort(key=lambda piece: piece.order)
        bounds, filled, last = self.bounds, False, ""
        for piece in pieces:
            if last == EH_FRAME != piece.name:
                self.take(4, 1)  # the zero that ends a list of frame descriptions
            last = piece.name
            at = self.take(piece.size, piece.align)
            if piece.number >= 0:
                self.sections[piece.number][piece.index] = at
            if piece.name:
                start = bounds.get(piece.name, (at, at))[0]
                bounds[piece.name] = start, self.at
            if piece.order[0] == _ZEROES and not filled and name == DATA:
                bounds["(data)"], filled = (self.opened[1], at), True
                bounds["(bss)"] = at, at
        if last == EH_FRAME:
            self.take(4, 1)
        if name == DATA and not filled:
            bounds["(data)"] = self.opened[1], self.at
            bounds["(bss)"] = self.at, self.at

    def place_commons(self, blocks: list[Common]) -> None:
        """COMMON blocks, which are zero like .bss and follow it."""
        for block in blocks:
            self.commons[block.name] = self.take(block.size, max(block.align, 1))


_PLAIN, _GROUPED, _ZEROES = 0, 1, 2


def _pieces(resolution: Resolution) -> dict[str, list[_Piece]]:
    """Every kept section that takes memory, by segment; each with its sort key."""
    pieces: dict[str, list[_Piece]] = {CODE: [], CONST: [], DATA: [], LARGE: []}
    together: dict[str, list[_Piece]] = {}
    allowed: dict[str, int] = {}
    for number, object in enumerate(resolution.objects):
        sections, discarded = object.sections, resolution.discarded[number]
        names, types, flags = sections.names, sections.types, sections.flags
        sizes, aligns = sections.sizes, sections.aligns
        for index in sections.allocated:
            if index in discarded or flags[index] & SHF_TLS:
                continue
            name, flag, kind = names[index], flags[index], types[index]
            if flag & SHF_WRITE and flag & SHF_EXECINSTR:
                raise _writable_code(object.name, name)
            align = aligns[index] or 1
            if name.isidentifier():
                piece = _Piece((_GROUPED, name, number), number, index, name, sizes[index], align)
                together.setdefault(name, []).append(piece)
                allowed[name] = allowed.get(name, 0) | flag
            elif name == EH_FRAME:
                # one list without gaps: its records have sizes that are multiples of 4
                frames = _GROUPED, name, number, index
                size = without_terminator(object, index)
                pieces[CONST].append(_Piece(frames, number, index, name, size, min(align, 4)))
            elif name in CHAINS and flag & SHF_EXECINSTR:
                chain = _GROUPED, name, number, index
                pieces[CODE].append(_Piece(chain, number, index, name, sizes[index], align))
            elif (array := array_of(name, kind)) is not None:
                group = _GROUPED, array, priority(name), number, index
                pieces[CONST].append(_Piece(group, number, index, array, sizes[index], align))
            else:
                plain = _ZEROES if kind == SHT_NOBITS else _PLAIN, number, index
                pieces[segment_of(name, flag)].append(_Piece(plain, number, index, "", sizes[index], align))
    pieces[CODE] += _frames_of_chains(resolution, pieces[CODE])
    for name, members in together.items():
        if allowed[name] & SHF_WRITE and allowed[name] & SHF_EXECINSTR:
            raise _writable_code(resolution.objects[members[0].number].name, name)
        pieces[segment_of(name, allowed[name])] += members
    return pieces


def _frames_of_chains(resolution: Resolution, code: list[_Piece]) -> list[_Piece]:
    """A prologue before the pieces of .init and .fini, and an epilogue after them, where no object brings its own."""
    chains = {piece.name for piece in code if piece.name in CHAINS}
    frames = []
    for name in chains:
        if own_function(resolution, name) is None:
            frames.append(_Piece((_GROUPED, name, -1), -1, 0, name, len(BEFORE), 16))
            frames.append(_Piece((_GROUPED, name, len(resolution.objects)), -1, 0, name, len(AFTER), 1))
    return frames


def segment_of(name: str, flags: int) -> str:
    """The segment of a section with this name and these flags."""
    if flags & SHF_X86_64_LARGE and not flags & SHF_EXECINSTR:
        return LARGE
    if flags & SHF_EXECINSTR:
        return CODE
    if flags & SHF_WRITE and not (
        name.startswith(RELRO) and any(name == part or name.startswith(part + ".") for part in RELRO)
    ):
        return DATA
    return CONST


def array_of(name: str, kind: int) -> str | None:
    """The array of functions that a section is a part of; None for other sections.

    ld goes by names only: clang's assembler leaves what is declared by hand without a type of its own.
    """
    if kind == SHT_PROGBITS and "_array" in name:
        return next((array for array in ARRAYS.values() if name == array or name.startswith(array + ".")), None)
    return ARRAYS.get(kind)


def priority(name: str) -> int:
    """The order of `.init_array.00101` among its like; the plain section comes last (ld, SORT_BY_INIT_PRIORITY)."""
    tail = name.rpartition(".")[2]
    return int(tail) if tail.isdecimal() else 1 << 32


def _writable_code(file: str, section: str) -> UnsupportedError:
    return UnsupportedError(
        "writable code",
        "section is writable and executable at once",
        [("file", file), ("section", section)],
        "nothing in this process may be both; split the section into code and data",
    )
