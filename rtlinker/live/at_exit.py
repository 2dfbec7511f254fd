"""Images' destructors when linked code ends the program with C's `exit`: see `x86_64.at_exit` for what runs them.

exit(3) runs what was registered with atexit, the last first, and then the destructors of loaded libraries, among which
images are not. So one function is registered with libc, before the constructors of the first image that has
destructors: it comes behind what images register, as ld.so's own does. Python need not be there any more when it runs.
Images whose destructors have run are not in the chain.
"""

from __future__ import annotations

import ctypes

from rtlinker.host import dynamic, libc, memory
from rtlinker.host.one_step import act, once
from rtlinker.units import PAGE
from rtlinker.x86_64.at_exit import WORDS, chain_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.host.one_step import Push

    Pair = tuple[int, int]

_REGISTER = ctypes.CFUNCTYPE(ctypes.c_int, *(ctypes.c_void_p,) * 3)
"""int __cxa_atexit(void (*function)(void *), void *argument, void *library)."""

_pages: list[memory.Reservation] = []
"""The code, and behind it its words; they stay for the life of the process."""

_registered: list[int] = []
"""What registering the code gave, once it was done."""

_blocks: list[Block] = []
"""Those of the chain, the newest last."""


class Block:
    """What is called for one image, in order: functions with their argument."""

    __slots__ = ("_words", "listed")

    def __init__(self, pairs: Sequence[Pair]) -> None:
        words = [word for pair in pairs for word in pair]
        self._words = (ctypes.c_uint64 * (len(words) + 2))(*words, 0, 0)
        self.listed = False

    @property
    def address(self) -> int:
        """The absolute address of its first pair."""
        return ctypes.addressof(self._words)

    def lead_to(self, following: int) -> None:
        """Have the block at an absolute address follow in the chain; 0 ends it."""
        self._words[-1] = following


def register() -> None:
    """Have C's `exit` run the chain, after what is registered with it from now on. Raises MemoryError."""
    pages = once(_pages, _make)
    if not _registered:
        function = _REGISTER(dynamic.find_symbol("__cxa_atexit") or 0)
        if act(_registered, function, pages.address, None, None):
            _registered.clear()
            raise MemoryError("no memory for what is done at exit")


def enlist(block: Block) -> None:
    """Put a block at the start of the chain; `register` was called before."""
    block.listed = True
    _blocks.append(block)
    block.lead_to(_blocks[-2].address if len(_blocks) > 1 else 0)
    _word("CHAIN").value = block.address


def take_out(block: Block) -> bool:
    """Take a block out of the chain; whether its functions are the caller's to run, since no `exit` is under way."""
    if not block.listed:
        return True
    if block in _blocks:
        at = _blocks.index(block)
        following = _blocks[at - 1].address if at else 0
        if at + 1 < len(_blocks):
            _blocks[at + 1].lead_to(following)
        else:
            _word("CHAIN").value = following
        libc.pthread_self()  # letting go of the GIL orders the two: a store may be overtaken by a load
        if exiting():
            return False
        _blocks.remove(block)
    block.listed = False
    return True


def exiting() -> bool:
    """Whether C's `exit` has begun to run images' destructors: their memory must stay."""
    return bool(_pages) and _word("EXITING").value != 0


def _make(push: Push) -> memory.Reservation:
    pages = memory.Reservation(2 * PAGE, PAGE)
    push(pages.release)
    pages.take(low=False)
    code = chain_code(PAGE)
    pages.view[: len(code)] = code
    pages.protect(0, PAGE, "r-x")
    return pages


def _word(name: str) -> ctypes.c_uint64:
    return ctypes.c_uint64.from_address(_pages[0].address + PAGE + WORDS[name])
