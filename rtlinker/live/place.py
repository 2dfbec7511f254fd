"""Where images of this process go."""

from __future__ import annotations

from rtlinker.host import dynamic, memory
from rtlinker.units import GIB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.host.memory import Reservation
    from rtlinker.live.undo import UndoStack

EXPECTED_REACH = 3 * GIB // 2
"""How far from the C library an address may be to be counted on as reachable before the image has its own address."""


class ProcessPlace:
    """Reserves memory of this process and leaves giving it back on the undo stack."""

    def __init__(self, undo: UndoStack) -> None:
        self._undo = undo

    def reaches(self, address: int, low: bool) -> bool:
        """Whether an image will reach the address: the low 2 GiB, or the neighbourhood of the C library."""
        if low:
            return address < memory.LOW_END
        anchor = dynamic.find_symbol("dlsym") or 0
        return abs(address - anchor) < EXPECTED_REACH

    def reserve(self, size: int, align: int, low: bool, reach: tuple[int, ...]) -> Reservation:
        """See `host.memory.reserve`."""
        reservation = memory.reserve(size, align, low, reach)
        self._undo.push(reservation.release)
        return reservation
