"""Code that keeps the destructors that threads run when they end (`thread_local` objects of C++ and of Rust).

libc's `__cxa_thread_atexit_impl` takes a destructor, an object and an address by which it finds the loaded library that
must stay until then. Linked images are no libraries to it, and what it has taken it does not give back. So images are
given `register_exit` in its place, which notes all three in a record that the linker can read, too; a key of the
process (pthread_key_create(3)) has `run_exits` called when the thread ends, after libc's own. A forked child has one
thread, whose new ones get the stacks and the names of those that are gone: there `forget_others` frees their records.

    record   0 state   8 destructor   16 object   24 thread (%fs:16)   32 next record   40 sequence number   48 handle

The thread is 0 from when a record is free until it is filled in.

Records are never freed, so that a thread may walk the list while others add to it; free ones are used again. The words
that the code reaches lie in a page of their own, behind it: no page is writable and executable.
"""

from __future__ import annotations

RECORD_SIZE = 56
STATE, DESTRUCTOR, OBJECT, THREAD, NEXT, SEQUENCE, HANDLE = 0, 8, 16, 24, 32, 40, 48
"""Offsets in a record, in bytes."""

FREE, WAITING, BUSY = 0, 1, 2
"""States: BUSY while it is filled in, and while its destructor runs."""

WORDS = {"HEAD": 0, "COUNT": 8, "KEY": 16, "MALLOC": 24, "SETSPECIFIC": 32, "FREED": 40}
"""Offsets of the words: the newest record, the last sequence number, the key, two functions of libc, and whether a
record may be free: it is set after each one that becomes so, and cleared before all of them are looked through."""

REGISTER_EXIT = (
    ("f3 0f 1e fa", "endbr64"),
    ("57", "push %rdi"),
    ("56", "push %rsi"),
    ("52", "push %rdx"),
    ("b9 02 00 00 00", "mov $2, %ecx"),
    ("31 c0", "xor %eax, %eax"),
    ("48 87 05 {FREED}", "xchg %rax, FREED(%rip)"),
    ("48 85 c0", "test %rax, %rax"),
    ("74 2b", "jz fresh"),
    ("48 8b 15 {HEAD}", "mov HEAD(%rip), %rdx"),
    ("48 85 d2", "look: test %rdx, %rdx"),
    ("74 1f", "jz fresh"),
    ("31 c0", "xor %eax, %eax"),
    ("48 39 02", "cmp %rax, (%rdx)"),
    ("75 07", "jne past"),
    ("f0 48 0f b1 0a", "lock cmpxchg %rcx, (%rdx)"),
    ("74 06", "je found"),
    ("48 8b 52 20", "past: mov 32(%rdx), %rdx"),
    ("eb e7", "jmp look"),
    ("ff c0", "found: inc %eax"),
    ("48 89 05 {FREED}", "mov %rax, FREED(%rip)"),
    ("eb 38", "jmp fill"),
    ("bf 38 00 00 00", "fresh: mov $56, %edi"),
    ("ff 15 {MALLOC}", "call *MALLOC(%rip)"),
    ("48 89 c2", "mov %rax, %rdx"),
    ("48 85 c0", "test %rax, %rax"),
    ("74 78", "jz full"),
    ("48 c7 02 02 00 00 00", "movq $2, (%rdx)"),
    ("48 c7 42 18 00 00 00 00", "movq $0, 24(%rdx)"),
    ("48 8b 05 {HEAD}", "mov HEAD(%rip), %rax"),
    ("48 89 42 20", "again: mov %rax, 32(%rdx)"),
    ("f0 48 0f b1 15 {HEAD}", "lock cmpxchg %rdx, HEAD(%rip)"),
    ("75 f1", "jne again"),
    ("48 8b 44 24 10", "fill: mov 16(%rsp), %rax"),
    ("48 89 42 08", "mov %rax, 8(%rdx)"),
    ("48 8b 44 24 08", "mov 8(%rsp), %rax"),
    ("48 89 42 10", "mov %rax, 16(%rdx)"),
    ("48 8b 04 24", "mov (%rsp), %rax"),
    ("48 89 42 30", "mov %rax, 48(%rdx)"),
    ("64 48 8b 04 25 10 00 00 00", "mov %fs:16, %rax"),
    ("48 89 42 18", "mov %rax, 24(%rdx)"),
    ("b8 01 00 00 00", "mov $1, %eax"),
    ("f0 48 0f c1 05 {COUNT}", "lock xadd %rax, COUNT(%rip)"),
    ("48 89 42 28", "mov %rax, 40(%rdx)"),
    ("48 c7 02 01 00 00 00", "movq $1, (%rdx)"),
    ("8b 3d {KEY}", "mov KEY(%rip), %edi"),
    ("48 89 d6", "mov %rdx, %rsi"),
    ("48 83 c4 18", "add $24, %rsp"),
    ("ff 25 {SETSPECIFIC}", "jmp *SETSPECIFIC(%rip)"),
    ("48 83 c4 18", "full: add $24, %rsp"),
    ("83 c8 ff", "or $-1, %eax"),
    ("c3", "ret"),
)
"""int register_exit(void (*destructor)(void *), void *object, void *handle): as __cxa_thread_atexit_impl."""

RUN_EXITS = (
    ("f3 0f 1e fa", "run_exits: endbr64"),
    ("53", "push %rbx"),
    ("48 8b 15 {HEAD}", "next: mov HEAD(%rip), %rdx"),
    ("31 db", "xor %ebx, %ebx"),
    ("48 85 d2", "walk: test %rdx, %rdx"),
    ("74 2d", "jz walked"),
    ("48 83 3a 01", "cmpq $1, (%rdx)"),
    ("75 21", "jne over"),
    ("64 48 8b 04 25 10 00 00 00", "mov %fs:16, %rax"),
    ("48 39 42 18", "cmp %rax, 24(%rdx)"),
    ("75 12", "jne over"),
    ("48 85 db", "test %rbx, %rbx"),
    ("74 0a", "jz take"),
    ("48 8b 43 28", "mov 40(%rbx), %rax"),
    ("48 39 42 28", "cmp %rax, 40(%rdx)"),
    ("72 03", "jb over"),
    ("48 89 d3", "take: mov %rdx, %rbx"),
    ("48 8b 52 20", "over: mov 32(%rdx), %rdx"),
    ("eb ce", "jmp walk"),
    ("48 85 db", "walked: test %rbx, %rbx"),
    ("74 2b", "jz done"),
    ("48 c7 03 02 00 00 00", "movq $2, (%rbx)"),
    ("48 8b 7b 10", "mov 16(%rbx), %rdi"),
    ("ff 53 08", "call *8(%rbx)"),
    ("48 c7 43 18 00 00 00 00", "movq $0, 24(%rbx)"),
    ("48 c7 03 00 00 00 00", "movq $0, (%rbx)"),
    ("b8 01 00 00 00", "mov $1, %eax"),
    ("48 89 05 {FREED}", "mov %rax, FREED(%rip)"),
    ("eb 95", "jmp next"),
    ("5b", "done: pop %rbx"),
    ("c3", "ret"),
)
"""void run_exits(void *): runs what the thread has registered, the latest first, until nothing is left."""


FORGET_OTHERS = (
    ("f3 0f 1e fa", "forget_others: endbr64"),
    ("48 8b 15 {HEAD}", "mov HEAD(%rip), %rdx"),
    ("64 48 8b 04 25 10 00 00 00", "mov %fs:16, %rax"),
    ("48 85 d2", "each: test %rdx, %rdx"),
    ("74 1b", "jz forgotten"),
    ("48 39 42 18", "cmp %rax, 24(%rdx)"),
    ("74 0f", "je own"),
    ("48 c7 42 18 00 00 00 00", "movq $0, 24(%rdx)"),
    ("48 c7 02 00 00 00 00", "movq $0, (%rdx)"),
    ("48 8b 52 20", "own: mov 32(%rdx), %rdx"),
    ("eb e0", "jmp each"),
    ("b8 01 00 00 00", "forgotten: mov $1, %eax"),
    ("48 89 05 {FREED}", "mov %rax, FREED(%rip)"),
    ("c3", "ret"),
)
"""void forget_others(void): in a forked child, where the calling thread is the only one, frees the others' records."""


def thread_exit_code(words: int) -> tuple[bytes, tuple[int, ...]]:
    """The code, whose words lie `words` bytes from its start, and where in it each of the three routines starts."""
    code, starts = bytearray(), []
    for routine in (REGISTER_EXIT, RUN_EXITS, FORGET_OTHERS):
        starts.append(len(code))
        for line, _ in routine:
            head, brace, name = line.partition("{")
            code += bytes.fromhex(head)
            if brace:  # a displacement ends its instruction
                code += (words + WORDS[name.rstrip("}")] - len(code) - 4).to_bytes(4, "little", signed=True)
    return bytes(code), tuple(starts)
