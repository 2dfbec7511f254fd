"""Entries: the code that a function keeps its one address by, while the function behind it is replaced.

All entries of a store jump through one table of pointers, found through one word. Who replaces functions writes a new
table and then that word: one aligned store, which other processors see whole, switches any number of functions at
once. The code of an entry never changes, and the caller's frame is the jumped-to function's: unwinding sees no entry.

r11 belongs to nobody between a call and the function (psABI 3.2.3): PLT entries use it in the same way.
"""

from __future__ import annotations

ENTRY_SIZE = 32
"""Bytes per entry, which is also its alignment."""

ENTRY = (
    (b"\xf3\x0f\x1e\xfa", "endbr64"),
    (b"\x49\xbb", "movabs $word, %r11"),  # followed by the word's address, 64 bits
    (b"\x4d\x8b\x1b", "mov (%r11), %r11"),
    (b"\x41\xff\xa3", "jmp *offset(%r11)"),  # followed by the 32-bit offset in the table
    (b"\xcc" * 8, ".fill 8, 1, 0xcc"),  # never reached
)

TRAP = (
    (b"\xf3\x0f\x1e\xfa", "endbr64"),
    (b"\xb8\x01\x00\x00\x00", "mov $1, %eax"),  # write(2)
    (b"\xbf\x02\x00\x00\x00", "mov $2, %edi"),
    (b"\x48\xbe", "movabs $message, %rsi"),  # followed by the address of the text
    (b"\xba", "mov $length, %edx"),  # followed by its length, 32 bits
    (b"\x0f\x05", "syscall"),
    (b"\x48\x83\xe4\xf0", "and $-16, %rsp"),
    (b"\x48\xb8", "movabs $abort, %rax"),  # followed by the address of abort(3)
    (b"\xff\xd0", "call *%rax"),
    (b"\x0f\x0b", "ud2"),
)


def entry_code(word: int, offset: int) -> bytes:
    """The 32 bytes of an entry that jumps to the pointer `offset` bytes into the table whose address `word` holds."""
    head, load, follow, jump, *rest = (code for code, _ in ENTRY)
    return b"".join([head, load, word.to_bytes(8, "little"), follow, jump, offset.to_bytes(4, "little"), *rest])


def trap_code(message: int, length: int, abort: int) -> bytes:
    """Code that writes `length` bytes at the address `message` to standard error and calls `abort`."""
    operands = {
        "movabs $message, %rsi": message.to_bytes(8, "little"),
        "mov $length, %edx": length.to_bytes(4, "little"),
        "movabs $abort, %rax": abort.to_bytes(8, "little"),
    }
    return b"".join([code + operands.get(text, b"") for code, text in TRAP])
