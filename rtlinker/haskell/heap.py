"""Haskell's heap as Python sees it: closures allocated, read and kept.

A closure is a word that leads to its info table, then its fields (`haskell.shape` has the exact form). The table stands
in front of the code that the word points to: layout, closure type, the constructor's number, and for a constructor the
offset of its name, such as `ghc-prim:GHC.Types.I#` (GHC's includes/rts/storage/InfoTables.h and ClosureTypes.h). A
pointer to an evaluated constructor carries the constructor's number plus one in its low three bits. We read a value
only after its constructor's name was compared with what its type says, so that a wrong signature is an error and not
a crash.

**The collector.** It moves closures, so an address is right only until the next collection. A collection happens where
Haskell code runs, and that is in `evaluate` alone, or when nobody holds the capability. `allocate`, and
with it rts_apply, never collects: when the nursery is full it takes more blocks, and the next Haskell code pays for it
(a test builds many nurseries full and finds all of it in place). So whatever is built between entering the heap and
`evaluate` stays where it is. What must live longer is kept by a stable pointer; nothing else ever is.

**Large objects.** More than 3,276 bytes asked for at once become one large object, which the collector takes to hold
one closure. So many small closures are written in pieces below that size; only byte arrays are asked for whole.
"""

from __future__ import annotations

from array import array
from ctypes import CFUNCTYPE, c_size_t, c_ubyte, c_void_p, memmove, string_at
from threading import RLock

from rtlinker.errors import LinkError
from rtlinker.haskell.shape import BLACKHOLE, BUSY, CONSTRUCTORS, INDIRECTIONS, QUEUE, THREAD, THUNKS, Table
from rtlinker.haskell.types import signature_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rtlinker.haskell.host import Machine


PIECE = 400
"""Words asked for at once for small closures: below the runtime's limit for large objects, 409."""


class _Views(dict[int, memoryview]):
    """Number of a megabyte of the address space -> its words; only words that are there are ever read."""

    def __missing__(self, number: int) -> memoryview:
        block = (c_ubyte * 0x100000).from_address(number << 20)
        view = self[number] = memoryview(block).cast("B").cast("Q")
        return view


class _Released:
    """Within it the thread has its turn still, but not the capability."""

    __slots__ = ("_heap",)

    def __init__(self, heap: Heap) -> None:
        self._heap = heap

    def __enter__(self) -> None:
        heap = self._heap
        capability, heap.capability = heap.capability, 0
        try:
            heap.machine.unlock(capability)
        except BaseException:  # an interrupt, too: the section around this one goes on, and needs a capability
            heap.capability = heap.machine.lock()
            raise

    def __exit__(self, *_: object) -> None:
        self._heap.capability = self._heap.machine.lock()


class Heap:
    """The heap behind a Machine; see above for how long its addresses are right."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.capability = 0
        self.views = _Views()
        self.tables: dict[int, Table] = {}
        self.names: dict[tuple[str, ...], int] = {}
        self.turn = RLock()
        word = c_size_t
        call = CFUNCTYPE
        self._allocate = call(word, c_void_p, word)(machine.address("allocate"))
        self._pinned = call(word, c_void_p, word, word, word)(machine.address("allocatePinned"))
        self._apply = call(word, c_void_p, c_void_p, c_void_p)(machine.address("rts_apply"))
        self._stable = call(word, c_void_p)(machine.address("getStablePtr"))
        self._at_stable = call(word, c_void_p)(machine.address("deRefStablePtr"))
        self._free_stable = call(None, c_void_p)(machine.address("hs_free_stable_ptr"))
        self._bytes_info = machine.address("stg_ARR_WORDS_info")
        self.header = machine.shape.header
        self._name_distance = machine.shape.name_distance
        # whose costs Python's closures are: the runtime's own; the second word is the heap profiler's, which is off
        self._profile = [machine.address("CCS_SYSTEM"), 0] if self.header > 1 else []

    # the capability

    def __enter__(self) -> Heap:
        """Hold the capability: one thread at a time, and not a second time within itself unless it was released."""
        self.turn.acquire()
        if self.capability:
            self.turn.release()
            raise LinkError("this thread is at work in the haskell heap already")
        try:
            self.capability = self.machine.lock()
        except BaseException:  # an interrupt, too: `with` does not come to its end
            self.turn.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        capability, self.capability = self.capability, 0
        try:
            self.machine.unlock(capability)
        finally:
            self.turn.release()

    def released(self) -> _Released:
        """Let go of the capability for a while, within a held section: Python may then call Haskell again."""
        return _Released(self)

    def evaluate(self, closure: int, io: bool = False) -> int:
        """The closure evaluated, or what an IO action returned. Every other address is wrong afterwards."""
        try:
            return self.machine.evaluate(closure, io)
        finally:
            self.capability = self.machine.capability()

    def forced(self, stable: int) -> int:
        """The address of what a kept closure evaluates to; evaluates only what is not evaluated yet."""
        at = self.settled(self.kept(stable))
        return at or self.settled(self.evaluate(self.kept(stable)))

    # names

    def closure(self, package: str, module: str, name: str) -> int:
        """A static closure of an installed package."""
        return self._locate(package, module, name, "closure")

    def constructor(self, package: str, module: str, name: str) -> int:
        """The info pointer of a constructor with fields."""
        return self._locate(package, module, name, "con_info")

    def _locate(self, *name: str) -> int:
        found = self.names.get(name)
        if found is None:
            found = self.names[name] = self.machine.locate(*name)
        return found

    # reading

    def word(self, at: int) -> int:
        """The word at an address."""
        return self.views[at >> 20][at >> 3 & 0x1FFFF]

    def field(self, at: int, number: int) -> int:
        """One field of a closure, the first has number 0."""
        return self.word(at + 8 * (self.header + number))

    def infos(self, places: Iterable[int]) -> list[int]:
        """The info pointers of several closures."""
        return self._words(places, 0)

    def fields(self, places: Iterable[int], number: int) -> list[int]:
        """One field of each of several closures, the first has number 0."""
        return self._words(places, self.header + number)

    def _words(self, places: Iterable[int], index: int) -> list[int]:
        views, offset = self.views, 8 * index
        return [views[(at + offset) >> 20][(at + offset) >> 3 & 0x1FFFF] for at in places]

    def table(self, info: int) -> Table:
        """What the info table of a closure says."""
        table = self.tables.get(info)
        if table is None:
            kind = self.word(info - 8) & 0xFFFFFFFF
            name = ""
            if kind in CONSTRUCTORS:
                distance = (self.word(info - self._name_distance) & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
                name = string_at(info + distance).decode().partition(":")[2]
            table = self.tables[info] = Table(kind, name)
        return table

    def settled(self, pointer: int) -> int:
        """The address of the evaluated closure that a pointer leads to; 0 when it is not evaluated."""
        while not pointer & 7:
            kind = self.table(self.word(pointer)).kind
            if kind in THUNKS or kind == BUSY:
                return 0
            if kind == BLACKHOLE:
                target = self.field(pointer, 0)
                if not target & 7 and self.table(self.word(target)).kind in (THREAD, QUEUE):
                    return 0
                pointer = target
            elif kind in INDIRECTIONS:
                pointer = self.field(pointer, 0)
            else:
                return pointer
        return pointer & -8

    def bytes_at(self, array_at: int, offset: int, size: int) -> bytes:
        """Bytes out of a ByteArray#."""
        return string_at(self.content_of(array_at) + offset, size)

    def size_of(self, array_at: int) -> int:
        """How many bytes a ByteArray# has."""
        return self.field(array_at, 0)

    def content_of(self, array_at: int) -> int:
        """Where the bytes of a ByteArray# are."""
        return array_at + 8 * (self.header + 1)

    # building

    def allocate(self, words: int) -> int:
        """Room for that many words; it must be filled before anything is evaluated."""
        at: int = self._allocate(self.capability, words)
        return at

    def objects(self, info: int, columns: Sequence[Sequence[int]], tag: int) -> list[int]:
        """One closure for each row of the columns of fields; tagged pointers."""
        header = [info, *self._profile]
        count, size = len(columns[0]), len(columns) + len(header)
        step = PIECE // size
        found: list[int] = []
        for start in range(0, count, step):
            rows = min(step, count - start)
            block = array("Q", [*header, *[0] * len(columns)]) * rows
            for index, column in enumerate(columns, len(header)):
                block[index::size] = array("Q", column[start : start + rows])
            at = self.allocate(rows * size)
            memmove(at, block.buffer_info()[0], rows * size * 8)
            found += range(at + tag, at + tag + rows * size * 8, size * 8)
        return found

    def cons(self, elements: Sequence[int]) -> int:
        """A list of closures."""
        header = [self.constructor("ghc-prim", "GHC.Types", ":"), *self._profile]
        tail = self.closure("ghc-prim", "GHC.Types", "[]") + 1
        size = len(header) + 2
        step = PIECE // size
        for start in reversed(range(0, len(elements), step)):
            part = elements[start : start + step]
            block = array("Q", [*header, 0, 0]) * len(part)
            at = self.allocate(len(block))
            block[size - 2 :: size] = array("Q", part)
            following = range(at + 8 * size + 2, at + 8 * len(block), 8 * size)
            block[size - 1 :: size] = array("Q", [*following, tail])
            memmove(at, block.buffer_info()[0], 8 * len(block))
            tail = at + 2
        return tail

    def byte_array(self, content: bytes, pinned: bool = False) -> int:
        """A ByteArray# with that content; a pinned one never moves."""
        header = array("Q", [self._bytes_info, *self._profile, len(content)])
        words = len(header) + (len(content) + 7) // 8
        at = self._pinned(self.capability, words, 16, 0) if pinned else self.allocate(words)
        memmove(at, header.buffer_info()[0], 8 * len(header))
        memmove(self.content_of(at), content, len(content))
        return at

    def apply(self, function: int, *arguments: int) -> int:
        """A thunk of a function applied to arguments."""
        for argument in arguments:
            function = self._apply(self.capability, function, argument)
        return function

    # keeping

    def keep(self, pointer: int) -> int:
        """A stable pointer: the closure lives, and can be found, until `drop`."""
        stable: int = self._stable(pointer)
        return stable

    def kept(self, stable: int) -> int:
        """Where a kept closure is now. Raises LinkError for the 0 that a closed handle has."""
        if not stable:
            raise LinkError(
                "haskell handle is closed", hint="ask the module for it again; unloading closes all of its own"
            )
        at: int = self._at_stable(stable)
        return at

    def drop(self, stable: int) -> None:
        """Let go of a kept closure; needs no capability."""
        self._free_stable(stable)


def check_constructors(heap: Heap, places: Iterable[int], expected: Iterable[str], kind: str) -> dict[int, str]:
    """Info pointer -> constructor's name, of all closures at those places; SignatureError for any other constructor."""
    allowed = tuple(expected)
    found = {info: heap.table(info).name for info in set(heap.infos(places))}
    for info, name in found.items():
        if name not in allowed:
            shown = name or f"a closure of type {heap.table(info).kind}"
            raise signature_error("the value is not of the signature's type", [("signature", kind), ("found", shown)])
    return found
