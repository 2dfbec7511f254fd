"""What the linker itself puts into an image: stubs, slots, pointers, mirrors, and a template for threads."""

from __future__ import annotations

from rtlinker.link.outside import Outside
from rtlinker.link.resolution import Key, Resolution
from rtlinker.link.scan import Demand
from rtlinker.link.thread_block import ThreadBlock, lay_out_threads
from rtlinker.x86_64.stubs import POINTER_SIZE, STUB_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Take = Callable[[int, int], int]
    """Room for a size with an alignment, in bytes; its offset in the image."""

PAIR_SIZE = 2 * POINTER_SIZE
"""Bytes of {module, offset} for __tls_get_addr, and of a TLS descriptor."""

OWN_MODULE: Key = ""
"""The key of the pair that local dynamic code uses: no symbol has an empty name."""


class Made:
    """Where each of these lies, as offsets in bytes; empty until the code and const segments are laid out."""

    def __init__(self, resolution: Resolution, demand: Demand, outside: Outside) -> None:
        self._resolution, self._demand, self._outside = resolution, demand, outside
        self.block: ThreadBlock | None = lay_out_threads(resolution)
        self.template = self.got = self.dso_handle = 0
        self.slots: dict[Key, int] = {}
        self.stubs: dict[Key, tuple[int, int]] = {}
        self.mirrors: dict[Key, int] = {}
        self.ifuncs: dict[tuple[int, int], tuple[int, int]] = {}
        self.thread_slots: dict[tuple[str, Key], int] = {}
        self._code: dict[tuple[int, int, int], int] = {}

    def place_template(self, take: Take, sections: list[list[int]]) -> None:
        """The initial values of thread-local variables, in the order of the block. Must come first in its segment."""
        if self.block is None:
            return
        self.template = take(self.block.filled, self.block.align)
        for (number, index), offset in self.block.sections.items():
            if offset < self.block.filled:
                sections[number][index] = self.template + offset

    def place_code(self, take: Take) -> None:
        """Stubs: for functions outside of the link, then for its indirect functions, one for all names of each."""
        self.stubs = {key: (take(STUB_SIZE, STUB_SIZE), 0) for key in self._demand.stubs}
        self._code = {code: take(STUB_SIZE, STUB_SIZE) for code in dict.fromkeys(self._indirect().values())}

    def place_constants(self, take: Take) -> None:
        """Slots, the stubs' pointers, the slots of thread-local variables, __dso_handle, and mirrors."""
        demand = self._demand
        self.got = take(0, POINTER_SIZE)
        self.slots = {key: take(POINTER_SIZE, POINTER_SIZE) for key in demand.slots}
        self.stubs = {key: (stub, take(POINTER_SIZE, POINTER_SIZE)) for key, (stub, _) in self.stubs.items()}
        chosen = {code: (stub, take(POINTER_SIZE, POINTER_SIZE)) for code, stub in self._code.items()}
        self.ifuncs = {symbol: chosen[code] for symbol, code in self._indirect().items()}
        if demand.threads:
            self._place_thread_slots(take)
        self.dso_handle = take(POINTER_SIZE, POINTER_SIZE)
        self.mirrors = {key: take(known.size, 32) for key, known in self._outside.mirrors.items()}

    def _place_thread_slots(self, take: Take) -> None:
        threads = self._demand.threads
        if threads.local:
            self.thread_slots["pair", OWN_MODULE] = take(PAIR_SIZE, PAIR_SIZE)
        for kind, keys, size in (
            ("pair", threads.pairs, PAIR_SIZE),
            ("distance", threads.distances, POINTER_SIZE),
            ("descriptor", threads.descriptors, PAIR_SIZE),
        ):
            for key in keys:
                self.thread_slots[kind, key] = take(size, size)

    def _indirect(self) -> dict[tuple[int, int], tuple[int, int, int]]:
        """Each indirect function with the place of its code: names of one function must have one address."""
        found = {}
        for number, symbol in self._demand.ifuncs:
            symbols = self._resolution.objects[number].symbols
            found[number, symbol] = number, symbols.section(symbol), symbols.value(symbol)
        return found
