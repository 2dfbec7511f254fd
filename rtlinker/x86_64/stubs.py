"""Stubs: the few bytes of code that reach a far target through a pointer nearby.

The code of a stub never changes; where it goes is a pointer in another page, so no page is ever writable and
executable. `endbr64` keeps stubs valid targets of indirect jumps where control-flow enforcement is on.
"""

from __future__ import annotations

STUB_SIZE = 16
"""Bytes per stub, which is also its alignment."""

POINTER_SIZE = 8
"""Bytes per slot and per stub pointer."""

STUB = (
    (b"\xf3\x0f\x1e\xfa", "endbr64"),
    (b"\xff\x25", "jmp *pointer(%rip)"),  # followed by the 32-bit displacement
    (b"\x66\x0f\x1f\x44\x00\x00", "nopw 0x0(%rax,%rax,1)"),
)

_HEAD = STUB[0][0] + STUB[1][0]
_TAIL = STUB[2][0]
_END_OF_JUMP = len(_HEAD) + 4


def stub_code(stub: int, pointer: int) -> bytes:
    """The 16 bytes of a stub at address `stub` that jumps to what the 8 bytes at address `pointer` hold.

    The two must be within 2 GiB; the layout keeps all of an image that near.
    """
    return _HEAD + (pointer - stub - _END_OF_JUMP).to_bytes(4, "little", signed=True) + _TAIL
