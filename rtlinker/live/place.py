"""Where images of this process go."""

from __future__ import annotations

from rtlinker.host import dynamic, memory
from rtlinker.units import GIB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from rtlinker.host.memory import Reservation
    from rtlinker.link.thread_block import ThreadAnswer, ThreadRequest
    from rtlinker.live.undo import UndoStack

EXPECTED_REACH = 3 * GIB // 2
"""How far from the C library an address may be to be counted on as reachable before the image has its own address."""


class ProcessPlace:
    """Reserves memory of this process and leaves giving it back on the undo stack."""

    def __init__(self, undo: UndoStack) -> None:
        self._undo = undo

    def beyond(self, addresses: Collection[int], low: bool) -> Collection[int]:
        """Those that an image will not reach: in the low 2 GiB if `low`, else near all of them, or the C library."""
        if low:
            return {address for address in addresses if address >= memory.LOW_END}
        if not addresses or max(addresses) - min(addresses) < EXPECTED_REACH:
            return ()
        anchor = dynamic.find_symbol("dlsym") or 0
        return {address for address in addresses if abs(address - anchor) >= EXPECTED_REACH}

    def reserve(self, size: int, align: int, low: bool, reach: tuple[int, ...], span: int) -> Reservation:
        """See `host.memory.Reservation.take`."""
        reservation = memory.Reservation(size, align)
        self._undo.push(reservation.release)
        return reservation.take(low, reach, span)

    def threads(self, request: ThreadRequest) -> ThreadAnswer:
        """See `give_thread_storage`."""
        from rtlinker.live.thread_storage import give_thread_storage

        return give_thread_storage(request, self._undo)
