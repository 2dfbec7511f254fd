"""The frame around the pieces of `.init` and `.fini`, which together are one function each.

Objects bring pieces of straight-line code, each of which falls through into the next. crti.o and crtn.o of a C library
bring the beginning and the end of the function (gABI, Initialization and Termination Functions). Where a link has no
crti.o these bytes stand for it: the pieces find the stack aligned to 16 bytes, as after any prologue (psABI 3.2.2).
"""

from __future__ import annotations

PROLOGUE = (
    (b"\xf3\x0f\x1e\xfa", "endbr64"),
    (b"\x48\x83\xec\x08", "sub $8, %rsp"),
)
EPILOGUE = (
    (b"\x48\x83\xc4\x08", "add $8, %rsp"),
    (b"\xc3", "ret"),
)
PADDING = (b"\x90", "nop")

BEFORE = b"".join(code for code, _ in PROLOGUE)
AFTER = b"".join(code for code, _ in EPILOGUE)


def blank_function(size: int, framed: bool) -> bytes:
    """`size` bytes that do nothing, for pieces to be copied into; if `framed`, between a prologue and an epilogue."""
    inner = size - framed * (len(BEFORE) + len(AFTER))
    return (BEFORE if framed else b"") + PADDING[0] * inner + (AFTER if framed else b"")
