"""Guards: machine code between Python and a native function, at which exceptions stop.

A call goes Python -> thunk -> guard -> function. Each function has a thunk of its own, 16 bytes whose data (where to go
on to, and how many words of stack arguments to take along) lie in another page, so that no page is ever writable and
executable. All thunks share one guard, which passes the arguments on as they came: registers untouched but for r10 and
r11, which a call may change (psABI 3.2.1), and a copy of the stack arguments.

What makes it a guard is its row in the unwind tables. It names a personality routine (Itanium C++ ABI, Exception
Handling, 1.6), which says yes to every exception of any language, so that the search for a handler ends here; forced
unwinding (pthread_cancel, pthread_exit) goes on. The unwinder then runs the destructors on the way and comes back to
the landing pad below, with the exception in rax, which hands it to a callback and returns zeros to the caller.

A block of memory holds all of it, at fixed distances, so that every byte is the same wherever the block lies:

    0                r--   three words: _Unwind_SetGR, _Unwind_SetIP, the callback; then the unwind tables
    CODE             r-x   guard, landing pad, personality; then the thunks
    CODE + SPAN      rw-   the data of each thunk, SPAN bytes behind it: target, number of words

The assembly stands beside its bytes; tests assemble it again and compare.
"""

from __future__ import annotations

from rtlinker.units import MIB, PAGE
from rtlinker.x86_64.frame_records import PLAIN_CIE, Lines, frame_record

CODE = PAGE
SPAN = MIB
BLOCK_SIZE = CODE + 2 * SPAN
WORDS, TABLES = 0, 32
"""Where in a block the three addresses are, and the unwind tables."""

# Instructions: bytes in hex, and assembly. `BLOCK` is the label of a block's start.
GUARD: Lines = (
    ("55", "push %rbp"),
    ("48 89 e5", "mov %rsp, %rbp"),
    ("4d 8b 53 08", "mov 8(%r11), %r10"),
    ("4d 85 d2", "test %r10, %r10"),
    ("74 0a", "je 2f"),
    # the last word first; the count is such that the copy is aligned as the arguments are (see stack_room)
    ("42 ff 74 d5 08", "1: push 8(%rbp,%r10,8)"),
    ("49 ff ca", "dec %r10"),
    ("75 f6", "jne 1b"),
    ("41 ff 13", "2: call *(%r11)"),
    ("c9", "leave"),
    ("c3", "ret"),
)
AFTER_PUSH, AFTER_MOVE, AFTER_LEAVE = 1, 4, 27
"""Bytes of the guard after which its frame is described differently."""

AFTER_LAST_LEAVE = 24
"""The same of the landing pad."""

LANDING: Lines = (
    ("f3 0f 1e fa", "endbr64"),
    ("48 89 c7", "mov %rax, %rdi"),
    ("ff 15 e7 ef ff ff", "call *BLOCK+16(%rip)"),
    ("31 c0", "xor %eax, %eax"),
    ("31 d2", "xor %edx, %edx"),
    ("0f 57 c0", "xorps %xmm0, %xmm0"),
    ("0f 57 c9", "xorps %xmm1, %xmm1"),
    ("c9", "leave"),
    ("c3", "ret"),
)

PERSONALITY: Lines = (
    ("f3 0f 1e fa", "endbr64"),
    ("b8 08 00 00 00", "mov $8, %eax"),  # _URC_CONTINUE_UNWIND
    ("40 f6 c6 08", "test $8, %sil"),  # _UA_FORCE_UNWIND
    ("75 3e", "jne 3f"),
    ("b8 06 00 00 00", "mov $6, %eax"),  # _URC_HANDLER_FOUND
    ("40 f6 c6 01", "test $1, %sil"),  # _UA_SEARCH_PHASE
    ("75 33", "jne 3f"),
    ("b8 08 00 00 00", "mov $8, %eax"),
    ("40 f6 c6 04", "test $4, %sil"),  # _UA_HANDLER_FRAME
    ("74 28", "je 3f"),
    ("53", "push %rbx"),
    ("4c 89 c3", "mov %r8, %rbx"),  # the context
    ("48 89 ca", "mov %rcx, %rdx"),  # the exception: for rax, which is register 0
    ("31 f6", "xor %esi, %esi"),
    ("4c 89 c7", "mov %r8, %rdi"),
    ("ff 15 94 ef ff ff", "call *BLOCK+0(%rip)"),
    ("48 8d 35 a9 ff ff ff", "lea landing(%rip), %rsi"),
    ("48 89 df", "mov %rbx, %rdi"),
    ("ff 15 8c ef ff ff", "call *BLOCK+8(%rip)"),
    ("b8 07 00 00 00", "mov $7, %eax"),  # _URC_INSTALL_CONTEXT
    ("5b", "pop %rbx"),
    ("c3", "3: ret"),
)

THUNK: Lines = (
    ("f3 0f 1e fa", "endbr64"),
    ("4c 8d 1d f5 ff 0f 00", "lea .-4+SPAN(%rip), %r11"),
    ("e9", "jmp guard"),  # followed by the 32-bit displacement
)
THUNK_SIZE = 16
"""Bytes per thunk, and per thunk's data, which lie in the same order."""


def _bytes(lines: Lines) -> bytes:
    return b"".join([bytes.fromhex(code) for code, _ in lines])


_GUARD, _LANDING, _PERSONALITY, _THUNK = map(_bytes, (GUARD, LANDING, PERSONALITY, THUNK))
_PERSONALITY_AT = CODE + len(_GUARD) + len(_LANDING)
FIRST_THUNK = CODE + (len(_GUARD + _LANDING + _PERSONALITY) + 15) // 16 * 16
ROUTINES = (_GUARD + _LANDING + _PERSONALITY).ljust(FIRST_THUNK - CODE, b"\xcc")
"""What a block's code begins with; int3 fills the gap."""


def thunk_code(place: int) -> bytes:
    """The 16 bytes of a thunk `place` bytes into a block: it enters the guard with the address of its data in r11."""
    return _THUNK + (CODE - place - THUNK_SIZE).to_bytes(4, "little", signed=True)


def stack_room(words: int) -> int:
    """How many words the guard has to copy so that at least `words` arrive, aligned as the arguments were.

    The arguments begin 16 bytes behind the guard's rbp, and the copy ends there: 16 bytes more than a multiple of 64
    apart keeps every alignment up to 64. What is copied too much, 56 bytes at most, is the caller's own frame.
    """
    return (words + 9) // 8 * 8 - 2 if words else 0


GUARD_CIE: Lines = (
    ("01 7a 50 52 00", "version 1, augmentation zPR"),
    ("01 78 10", "code alignment 1, data alignment -8, return address in register 16"),
    ("06 1b", "augmentation of 6 bytes: the personality's encoding, the personality"),
    ("PERSONALITY", ""),
    ("1b", "the encoding of the descriptions' addresses"),
    ("0c 07 08", ".cfi_def_cfa rsp, 8"),
    ("90 01", ".cfi_offset rip, -8"),
)
GUARD_FDE: Lines = (
    ("START SIZE", ""),
    ("00", "no augmentation data"),
    (f"{0x40 + AFTER_PUSH:02x} 0e 10 86 02", ".cfi_def_cfa_offset 16; .cfi_offset rbp, -16"),
    (f"{0x40 + AFTER_MOVE - AFTER_PUSH:02x} 0d 06", ".cfi_def_cfa_register rbp"),
    ("0a", ".cfi_remember_state"),
    (f"{0x40 + AFTER_LEAVE - AFTER_MOVE:02x} 0c 07 08", ".cfi_def_cfa rsp, 8"),
    ("41 0b", ".cfi_restore_state: the landing pad"),
    (f"{0x40 + AFTER_LAST_LEAVE:02x} 0c 07 08", ".cfi_def_cfa rsp, 8"),
)
PLAIN_FDE: Lines = (
    ("START SIZE", ""),
    ("00", "no augmentation data"),
)


def unwind_tables() -> bytes:
    """The tables of a block, to lie at TABLES: for guard and landing pad, and for the thunks; a zero word ends them."""
    made = bytearray()
    for cie, fde, start, size in (
        (GUARD_CIE, GUARD_FDE, CODE, len(_GUARD + _LANDING)),
        (PLAIN_CIE, PLAIN_FDE, FIRST_THUNK, CODE + SPAN - FIRST_THUNK),
    ):
        first = len(made)
        made += frame_record(cie, 0, (_PERSONALITY_AT, 0), TABLES + first)
        made += frame_record(fde, len(made) + 4 - first, (start, size), TABLES + len(made))
    return bytes(made) + bytes(4)
