"""Machine code that outlives a crash: a call that comes back when what it called dies of a signal, and the handler.

`RUN` calls a function after it has saved the registers that a function must preserve (psABI 3.2.1), noted where its
stack is, and armed the handler for the running thread. `HANDLER` is the action of the fatal signals. In the armed
thread it notes what happened, puts RUN's stack and its `landing` into the context that the kernel is going to restore
(struct ucontext_t, sys/ucontext.h), clears the direction and trap flags, and returns; RUN then returns 1. The state
before is kept on RUN's stack, so that calls may be nested.

The handler leaves a signal to whoever had it before when it comes to another thread, in a forked child, from another
process, or when a counter has changed that says how often the thread has entered Python: then the frames that would be
jumped over are Python's. The earlier handler is jumped to; where there was none the default action is restored, and a
fault happens again, a sent signal (si_code <= 0, sigaction(2)) is sent again.

`PERFORM` makes a table of system calls one after the other: installing and restoring are one call from Python each.

The code and its state are two pages, the state right behind the code: no address is patched in.
"""

from __future__ import annotations

from rtlinker.x86_64.frame_records import PLAIN_CIE, Lines, frame_record

# Code is bytes in hex beside their assembly. `start` is the first byte, `state` is start + STATE.

STATE = 4096
"""Where the state begins, in bytes from the start of the code."""

THREAD, PROCESS, STACK, COUNTER, COUNT = 0, 8, 16, 24, 32
"""In the state: the armed thread (its %fs:0x10, which is what pthread_self gives), the process's id, RUN's stack
pointer, the address of a number of 4 bytes, and that number as it was when RUN was called; 8 bytes each."""

SIGNAL, CODE, FAULT, REGISTERS = 40, 44, 48, 56
"""What happened: number and si_code (4 bytes each), si_addr, and the registers in the order of `GREGS`."""

ANSWER = 248
"""What the function that RUN called left in rax."""

DEFAULT, ACTION = 512, 544
"""The default action and ours, as the kernel's struct sigaction: handler, flags, restorer, mask, 8 bytes each."""

OWN_STACK, EARLIER_STACK, SEEN_STACK, MASK = 576, 600, 624, 648
"""stack_t (pointer, flags, size) of the stack for the handler and of others; the thread's signal mask."""

EARLIER, SEEN, ACTION_SIZE = 1024, 2048, 32
"""Per signal number up to 31: the action that was there before, and the one that was found when ours was taken away."""

INSTALL, RESTORE, CALL_SIZE = 3072, 3584, 40
"""Two tables of system calls for `PERFORM`: the number and four arguments, 8 bytes each."""

GREGS = (
    "r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp rip eflags csgsfs err trapno oldmask cr2"
).split()
"""The order of the registers in struct ucontext_t, where they begin 40 bytes in."""

RUN: Lines = (
    ("f3 0f 1e fa", "endbr64"),
    ("55", "push %rbp"),
    ("53", "push %rbx"),
    ("41 54", "push %r12"),
    ("41 55", "push %r13"),
    ("41 56", "push %r14"),
    ("41 57", "push %r15"),
    ("48 83 ec 08", "sub $8, %rsp"),
    ("0f ae 1c 24", "stmxcsr (%rsp)"),
    ("d9 7c 24 04", "fnstcw 4(%rsp)"),
    ("48 8d 1d df 0f 00 00", "lea state(%rip), %rbx"),
    ("ff 73 10", "push 16(%rbx)"),
    ("ff 33", "push (%rbx)"),
    ("48 89 63 10", "mov %rsp, 16(%rbx)"),
    ("64 48 8b 04 25 10 00 00 00", "mov %fs:0x10, %rax"),
    ("48 89 03", "mov %rax, (%rbx)"),
    ("48 89 f8", "mov %rdi, %rax"),
    ("48 89 f7", "mov %rsi, %rdi"),
    ("48 89 d6", "mov %rdx, %rsi"),
    ("48 89 ca", "mov %rcx, %rdx"),
    ("4c 89 c1", "mov %r8, %rcx"),
    ("ff d0", "call *%rax"),
    ("48 89 83 f8 00 00 00", "mov %rax, 248(%rbx)"),
    ("31 c0", "xor %eax, %eax"),
    ("", "leave:"),
    ("48 8d 1d a9 0f 00 00", "lea state(%rip), %rbx"),
    ("8f 03", "pop (%rbx)"),
    ("8f 43 10", "pop 16(%rbx)"),
    ("0f ae 14 24", "ldmxcsr (%rsp)"),
    ("d9 6c 24 04", "fldcw 4(%rsp)"),
    ("48 83 c4 08", "add $8, %rsp"),
    ("41 5f", "pop %r15"),
    ("41 5e", "pop %r14"),
    ("41 5d", "pop %r13"),
    ("41 5c", "pop %r12"),
    ("5b", "pop %rbx"),
    ("5d", "pop %rbp"),
    ("c3", "ret"),
    ("", "landing:"),
    ("db e3", "fninit"),
    ("b8 01 00 00 00", "mov $1, %eax"),
    ("eb d4", "jmp leave"),
)
"""int run(function, a, b, c, d): calls function(a, b, c, d); 0 when it returned, 1 when it died."""

HANDLER: Lines = (
    ("f3 0f 1e fa", "endbr64"),
    ("4c 8d 05 79 0f 00 00", "lea state(%rip), %r8"),
    ("64 48 8b 04 25 10 00 00 00", "mov %fs:0x10, %rax"),
    ("49 39 00", "cmp %rax, (%r8)"),
    ("75 6b", "jne chain"),
    ("49 8b 40 18", "mov 24(%r8), %rax"),
    ("8b 00", "mov (%rax), %eax"),
    ("41 39 40 20", "cmp %eax, 32(%r8)"),
    ("75 5f", "jne chain"),
    ("b8 27 00 00 00", "mov $39, %eax"),
    ("0f 05", "syscall"),
    ("41 39 40 08", "cmp %eax, 8(%r8)"),
    ("75 52", "jne chain"),
    ("83 7e 08 00", "cmpl $0, 8(%rsi)"),
    ("7f 05", "jg ours"),
    ("39 46 10", "cmp %eax, 16(%rsi)"),
    ("75 47", "jne chain"),
    ("", "ours:"),
    ("41 89 78 28", "mov %edi, 40(%r8)"),
    ("8b 46 08", "mov 8(%rsi), %eax"),
    ("41 89 40 2c", "mov %eax, 44(%r8)"),
    ("48 8b 46 10", "mov 16(%rsi), %rax"),
    ("49 89 40 30", "mov %rax, 48(%r8)"),
    ("48 8d 72 28", "lea 40(%rdx), %rsi"),
    ("49 8d 78 38", "lea 56(%r8), %rdi"),
    ("b9 17 00 00 00", "mov $23, %ecx"),
    ("f3 48 a5", "rep movsq"),
    ("49 8b 40 10", "mov 16(%r8), %rax"),
    ("48 89 82 a0 00 00 00", "mov %rax, 160(%rdx)"),
    ("48 8d 05 85 ff ff ff", "lea landing(%rip), %rax"),
    ("48 89 82 a8 00 00 00", "mov %rax, 168(%rdx)"),
    ("81 a2 b0 00 00 00 ff fa ff ff", "andl $~0x500, 176(%rdx)"),
    ("c3", "ret"),
    ("", "chain:"),
    ("89 f8", "mov %edi, %eax"),
    ("c1 e0 05", "shl $5, %eax"),
    ("49 8b 84 00 00 04 00 00", "mov 1024(%r8,%rax), %rax"),
    ("48 83 f8 01", "cmp $1, %rax"),
    ("77 09", "ja elsewhere"),
    ("72 09", "jb default"),
    ("83 7e 08 00", "cmpl $0, 8(%rsi)"),
    ("7f 03", "jg default"),
    ("c3", "ret"),
    ("", "elsewhere:"),
    ("ff e0", "jmp *%rax"),
    ("", "default:"),
    ("57", "push %rdi"),
    ("56", "push %rsi"),
    ("49 8d b0 00 02 00 00", "lea 512(%r8), %rsi"),
    ("31 d2", "xor %edx, %edx"),
    ("41 ba 08 00 00 00", "mov $8, %r10d"),
    ("b8 0d 00 00 00", "mov $13, %eax"),
    ("0f 05", "syscall"),
    ("5e", "pop %rsi"),
    ("5f", "pop %rdi"),
    ("83 7e 08 00", "cmpl $0, 8(%rsi)"),
    ("7f 1b", "jg again"),
    ("89 fa", "mov %edi, %edx"),
    ("b8 ba 00 00 00", "mov $186, %eax"),
    ("0f 05", "syscall"),
    ("89 c6", "mov %eax, %esi"),
    ("b8 27 00 00 00", "mov $39, %eax"),
    ("0f 05", "syscall"),
    ("89 c7", "mov %eax, %edi"),
    ("b8 ea 00 00 00", "mov $234, %eax"),
    ("0f 05", "syscall"),
    ("", "again:"),
    ("c3", "ret"),
)
"""void handler(int signal, siginfo_t *, ucontext_t *), for SA_SIGINFO."""

RESTORER: Lines = (
    ("b8 0f 00 00 00", "mov $15, %eax"),
    ("0f 05", "syscall"),
)
"""Where the kernel lets a handler return to: rt_sigreturn(2)."""

PERFORM: Lines = (
    ("f3 0f 1e fa", "endbr64"),
    ("49 89 f8", "mov %rdi, %r8"),
    ("49 89 f1", "mov %rsi, %r9"),
    ("", "following:"),
    ("49 8b 00", "mov (%r8), %rax"),
    ("49 8b 78 08", "mov 8(%r8), %rdi"),
    ("49 8b 70 10", "mov 16(%r8), %rsi"),
    ("49 8b 50 18", "mov 24(%r8), %rdx"),
    ("4d 8b 50 20", "mov 32(%r8), %r10"),
    ("0f 05", "syscall"),
    ("49 83 c0 28", "add $40, %r8"),
    ("49 ff c9", "dec %r9"),
    ("75 e2", "jne following"),
    ("c3", "ret"),
)
"""void perform(table, count): system calls of which no result is looked at."""

CODE_LINES = RUN + HANDLER + RESTORER + PERFORM
CODE_BYTES = bytes.fromhex(" ".join([code for code, _ in CODE_LINES]))


def _size(*parts: Lines) -> int:
    return sum(len(bytes.fromhex(code)) for part in parts for code, _ in part)


HANDLER_AT = _size(RUN)
RESTORER_AT = _size(RUN, HANDLER)
PERFORM_AT = _size(RUN, HANDLER, RESTORER)
"""Where each begins, in bytes from the start of the code; RUN is at 0."""

_AFTER = (
    ("push %rbp", "0e 10 86 02", ".cfi_def_cfa_offset 16; .cfi_offset rbp, -16"),
    ("push %rbx", "0e 18 83 03", ".cfi_def_cfa_offset 24; .cfi_offset rbx, -24"),
    ("push %r12", "0e 20 8c 04", ".cfi_def_cfa_offset 32; .cfi_offset r12, -32"),
    ("push %r13", "0e 28 8d 05", ".cfi_def_cfa_offset 40; .cfi_offset r13, -40"),
    ("push %r14", "0e 30 8e 06", ".cfi_def_cfa_offset 48; .cfi_offset r14, -48"),
    ("push %r15", "0e 38 8f 07", ".cfi_def_cfa_offset 56; .cfi_offset r15, -56"),
    ("sub $8, %rsp", "0e 40", ".cfi_def_cfa_offset 64"),
    ("push 16(%rbx)", "0e 48", ".cfi_def_cfa_offset 72"),
    ("push (%rbx)", "0e 50 0a", ".cfi_def_cfa_offset 80; .cfi_remember_state"),
    ("pop (%rbx)", "0e 48", ".cfi_def_cfa_offset 72"),
    ("pop 16(%rbx)", "0e 40", ".cfi_def_cfa_offset 64"),
    ("add $8, %rsp", "0e 38", ".cfi_def_cfa_offset 56"),
    ("pop %r15", "0e 30 cf", ".cfi_def_cfa_offset 48; .cfi_restore r15"),
    ("pop %r14", "0e 28 ce", ".cfi_def_cfa_offset 40; .cfi_restore r14"),
    ("pop %r13", "0e 20 cd", ".cfi_def_cfa_offset 32; .cfi_restore r13"),
    ("pop %r12", "0e 18 cc", ".cfi_def_cfa_offset 24; .cfi_restore r12"),
    ("pop %rbx", "0e 10 c3", ".cfi_def_cfa_offset 16; .cfi_restore rbx"),
    ("pop %rbp", "0e 08 c6", ".cfi_def_cfa_offset 8; .cfi_restore rbp"),
    ("ret", "0b", ".cfi_restore_state"),
)
"""How RUN's frame is described behind each of these instructions: what it calls can be unwound to who called it."""

TABLE_AT = (len(CODE_BYTES) + 7) // 8 * 8
"""Where the unwind table lies, in bytes from the start of the code."""


def unwind_table() -> bytes:
    """The table of RUN, to lie at TABLE_AT; a zero word ends it."""
    lines: list[tuple[str, str]] = [("START SIZE", ""), ("00", "no augmentation data")]
    described = {text: (row, directive) for text, row, directive in _AFTER}
    at = known = 0
    for code, text in RUN:
        at += len(bytes.fromhex(code))
        if text in described:
            row, directive = described[text]
            lines.append((f"{0x40 + at - known:02x} {row}", directive))
            known = at
    first = frame_record(PLAIN_CIE, 0, (0, 0), TABLE_AT)
    return first + frame_record(tuple(lines), len(first) + 4, (0, HANDLER_AT), TABLE_AT + len(first)) + bytes(4)
