"""The finished image: bytes at an address, and how to ask it where things are."""

from __future__ import annotations

from rtlinker.facts import Fact
from rtlinker.link.addresses import Addresses
from rtlinker.link.layout import Layout
from rtlinker.link.resolution import Common, InObject, Resolution
from rtlinker.link.scan import Demand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Protocol

    from rtlinker.link.thread_block import ThreadAnswer, ThreadRequest

    class Memory(Protocol):
        """Where an image is made: `view` is its writable bytes, which will run at `address` (absolute)."""

        address: int
        view: memoryview

    class Place(Protocol):
        """A way to get memory: of this process, or pretended."""

        def beyond(self, addresses: Collection[int], low: bool) -> Collection[int]:
            """Those of the addresses that an image placed here will not reach with 32 bits; `low` as in `reserve`."""

        def reserve(self, size: int, align: int, low: bool, reach: tuple[int, ...], span: int) -> Memory:
            """`size` zero bytes at a multiple of `align`, in the low 2 GiB if `low`, near `reach`.

            Only the first `span` bytes have to be near all of it.

            Raises MemoryError where there is no such place.
            """

        def threads(self, request: ThreadRequest) -> ThreadAnswer:
            """Gives every thread a block, and answers where thread-local variables are.

            Raises ThreadStorageError where there is no room.
            """


class Image(Fact):
    """A link whose bytes are written. Nothing has been protected, registered or run yet."""

    resolution: Resolution
    demand: Demand
    layout: Layout
    addresses: Addresses
    memory: Memory
    notes: tuple[str, ...]

    @property
    def address(self) -> int:
        """The absolute address of the image's first byte."""
        return self.addresses.base

    def address_of(self, name: str) -> int | None:
        """The absolute address of a name that the link defines and that is not local; None when it has none."""
        found = self.resolution.find(name)
        return None if found is None else self.addresses.of_binding(found)

    def thread_place_of(self, found: InObject | Common) -> tuple[int, int] | None:
        """Module and offset of a thread-local variable of the link, as __tls_get_addr takes them; None for others."""
        block, threads = self.layout.block, self.addresses.threads
        offset = block.offset_of(self.resolution, found) if block else None
        return None if offset is None or threads is None else (threads.module, offset)

    def place_of(self, where: InObject) -> int | None:
        """The absolute address of one definition of the link."""
        return self.addresses.of_place(where)
