"""Code that calls functions of images when the program ends by C's `exit` (atexit(3)), without Python.

libc calls it among what was registered with it. What it calls is a chain of blocks, the newest image's first:

    block    pairs of 8-byte words: a function and its argument;   0 and the address of the next block, or 0, at its end

The words that the code reaches lie behind it: `CHAIN` is the first block, `EXITING` is not 0 from when it walks along.
"""

from __future__ import annotations

WORDS = {"CHAIN": 0, "EXITING": 8}
"""Offsets of the words, in bytes."""

RUN_CHAIN = (
    ("f3 0f 1e fa", "run_chain: endbr64"),
    ("53", "push %rbx"),
    ("f0 48 ff 05 {EXITING}", "lock incq EXITING(%rip)"),
    ("48 8b 3d {CHAIN}", "mov CHAIN(%rip), %rdi"),
    ("48 89 fb", "block: mov %rdi, %rbx"),
    ("48 85 db", "test %rbx, %rbx"),
    ("74 14", "jz done"),
    ("48 8b 03", "pair: mov (%rbx), %rax"),
    ("48 8b 7b 08", "mov 8(%rbx), %rdi"),
    ("48 85 c0", "test %rax, %rax"),
    ("74 ec", "jz block"),
    ("48 83 c3 10", "add $16, %rbx"),
    ("ff d0", "call *%rax"),
    ("eb ec", "jmp pair"),
    ("5b", "done: pop %rbx"),
    ("c3", "ret"),
)
"""void run_chain(void *): calls every function of the chain with its argument."""


def chain_code(words: int) -> bytes:
    """The code, whose words lie `words` bytes from its start."""
    code = bytearray()
    for line, _ in RUN_CHAIN:
        head, brace, name = line.partition("{")
        code += bytes.fromhex(head)
        if brace:  # a displacement ends its instruction
            code += (words + WORDS[name.rstrip("}")] - len(code) - 4).to_bytes(4, "little", signed=True)
    return bytes(code)
