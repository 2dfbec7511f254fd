"""Code that keeps count of destructors that threads run when they end (`thread_local` objects of C++ and of Rust).

libc's `__cxa_thread_atexit_impl` takes a destructor, an object and an address by which it finds the library that must
stay until then; linked images are no libraries to it. So images are given `register_exit` in its place: it notes the
destructor in a record that the linker can read, and registers `run_exit` with libc, which stays for good. (libc wants
an address of the caller too, and must not get NULL: before its first look-up it takes that for a known one.)

    record   0 destructor, taken out when it runs    8 object           16 destructor, kept
            24 thread (its %fs:0x10)                32 next, older one  40 1 until the destructor has returned

The words that the code reaches lie in a page of their own, behind it: no page is writable and executable.
"""

from __future__ import annotations

RECORD_SIZE = 48
PENDING, OBJECT, CODE, THREAD, NEXT, WAITING = 0, 8, 16, 24, 32, 40
"""Offsets in a record, in bytes."""

HEAD, MALLOC, REGISTER = 0, 8, 16
"""Offsets of the words: the newest record, libc's malloc and __cxa_thread_atexit_impl."""

REGISTER_EXIT = (
    ("f3 0f 1e fa", "endbr64"),
    ("57", "push %rdi"),
    ("56", "push %rsi"),
    ("48 83 ec 08", "sub $8, %rsp"),
    ("bf 30 00 00 00", "mov $48, %edi"),
    ("ff 15 {MALLOC}", "call *MALLOC(%rip)"),
    ("48 85 c0", "test %rax, %rax"),
    ("74 5a", "jz full"),
    ("48 8b 74 24 08", "mov 8(%rsp), %rsi"),
    ("48 8b 7c 24 10", "mov 16(%rsp), %rdi"),
    ("48 89 38", "mov %rdi, (%rax)"),
    ("48 89 70 08", "mov %rsi, 8(%rax)"),
    ("48 89 78 10", "mov %rdi, 16(%rax)"),
    ("64 48 8b 0c 25 10 00 00 00", "mov %fs:16, %rcx"),
    ("48 89 48 18", "mov %rcx, 24(%rax)"),
    ("48 c7 40 28 01 00 00 00", "movq $1, 40(%rax)"),
    ("48 89 c2", "mov %rax, %rdx"),
    ("48 8b 05 {HEAD}", "mov HEAD(%rip), %rax"),
    ("48 89 42 20", "again: mov %rax, 32(%rdx)"),
    ("f0 48 0f b1 15 {HEAD}", "lock cmpxchg %rdx, HEAD(%rip)"),
    ("75 f1", "jne again"),
    ("48 89 d6", "mov %rdx, %rsi"),
    ("48 8d 3d 15 00 00 00", "lea run_exit(%rip), %rdi"),
    ("48 89 fa", "mov %rdi, %rdx"),
    ("48 83 c4 18", "add $24, %rsp"),
    ("ff 25 {REGISTER}", "jmp *REGISTER(%rip)"),
    ("48 83 c4 18", "full: add $24, %rsp"),
    ("83 c8 ff", "or $-1, %eax"),
    ("c3", "ret"),
)
"""int register_exit(void (*destructor)(void *), void *object, void *handle): as __cxa_thread_atexit_impl."""

RUN_EXIT = (
    ("f3 0f 1e fa", "run_exit: endbr64"),
    ("53", "push %rbx"),
    ("48 89 fb", "mov %rdi, %rbx"),
    ("31 c0", "xor %eax, %eax"),
    ("48 87 03", "xchg %rax, (%rbx)"),
    ("48 85 c0", "test %rax, %rax"),
    ("74 0e", "jz done"),
    ("48 8b 7b 08", "mov 8(%rbx), %rdi"),
    ("ff d0", "call *%rax"),
    ("48 c7 43 28 00 00 00 00", "movq $0, 40(%rbx)"),
    ("5b", "done: pop %rbx"),
    ("c3", "ret"),
)
"""void run_exit(record *): runs the destructor, unless somebody has run it already."""


def thread_exit_code(words: int) -> tuple[bytes, int]:
    """The code, whose words lie `words` bytes from its start, and where in it `run_exit` starts."""
    code, start = bytearray(), 0
    for routine in (REGISTER_EXIT, RUN_EXIT):
        start = len(code)
        for line, _ in routine:
            head, brace, name = line.partition("{")
            code += bytes.fromhex(head)
            if brace:  # a displacement ends its instruction
                word = {"HEAD": HEAD, "MALLOC": MALLOC, "REGISTER": REGISTER}[name.rstrip("}")]
                code += (words + word - len(code) - 4).to_bytes(4, "little", signed=True)
    return bytes(code), start
