"""Relaxations: a load of an address from the GOT that becomes the address itself (psABI B.2).

A GOTPCRELX relocation promises that its site is the displacement of one of a few known instructions. Where the target
is within 2 GiB, the instruction can be rewritten to do without the slot. Nothing else moves: the rewritten instruction
is as long as the old one. Three forms are rewritten; others (test, add, cmp ...) keep their slot, which is always
right.

    mov  foo@GOTPCREL(%rip), %reg    8b /r          becomes  lea  foo(%rip), %reg     8d /r
    call *foo@GOTPCREL(%rip)         ff 15          becomes  addr32 call foo          67 e8
    jmp  *foo@GOTPCREL(%rip)         ff 25          becomes  jmp foo; nop             e9 .. 90

In the last form the displacement begins one byte earlier, so the site moves and the value grows by one.
"""

from __future__ import annotations

from rtlinker.facts import Fact


class Relaxation(Fact):
    """How one instruction is rewritten. Positions are in bytes relative to the site.

    `opcode` stands at site - 2 and matches where `opcode & mask == value` (two bytes, little-endian); `head` and
    `tail` are what is written at site - 2 and after the moved displacement; `shift` is how far the displacement moves.
    """

    name: str
    mask: int
    value: int
    head: bytes
    tail: bytes
    shift: int


MOV_TO_LEA = Relaxation("mov to lea", 0xC7FF, 0x058B, b"\x8d", b"", 0)
CALL = Relaxation("call through the GOT to call", 0xFFFF, 0x15FF, b"\x67\xe8", b"", 0)
JMP = Relaxation("jmp through the GOT to jmp", 0xFFFF, 0x25FF, b"\xe9", b"\x90", -1)

RELAXATIONS = (MOV_TO_LEA, CALL, JMP)

RELAXED_ADDEND = -4
"""Only a displacement that ends its instruction is relaxed; any other addend points into the slot's neighbours."""


def match_relaxation(opcode: int) -> Relaxation | None:
    """The relaxation for the two bytes before the site (little-endian), or None."""
    for relaxation in RELAXATIONS:
        if opcode & relaxation.mask == relaxation.value:
            return relaxation
    return None
