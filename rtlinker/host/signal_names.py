"""What signals are called, and what their siginfo codes mean (signal(7), sigaction(2))."""

from __future__ import annotations

SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS = 4, 5, 6, 7, 8, 11, 31
SI_KERNEL = 0x80

NAMES = (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG "
    "XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
).split()

CODES = {
    (SIGSEGV, 1): "address not mapped",
    (SIGSEGV, 2): "no permission for this access",
    (SIGSEGV, 3): "bounds check failed",
    (SIGSEGV, 4): "protection key",
    (SIGSEGV, 10): "control flow protection",
    (SIGSEGV, SI_KERNEL): "non-canonical address or privileged access",
    (SIGBUS, 1): "misaligned address",
    (SIGBUS, 2): "beyond the end of a mapped file",
    (SIGBUS, 3): "hardware error",
    (SIGBUS, SI_KERNEL): "stack access through a non-canonical address",
    (SIGILL, 1): "illegal opcode",
    (SIGILL, 2): "illegal operand",
    (SIGILL, 5): "privileged opcode",
    (SIGFPE, 1): "integer division by zero or overflow",
    (SIGFPE, 2): "integer overflow",
    (SIGFPE, 3): "floating-point division by zero",
    (SIGFPE, 4): "floating-point overflow",
    (SIGFPE, 5): "floating-point underflow",
    (SIGFPE, 6): "inexact floating-point result",
    (SIGFPE, 7): "invalid floating-point operation",
    (SIGTRAP, 1): "breakpoint",
    (SIGTRAP, 2): "single step",
    (SIGTRAP, SI_KERNEL): "breakpoint instruction",
    (SIGSYS, 1): "system call refused by seccomp",
}
"""siginfo codes (sigaction(2)). x86 reports both quotient overflow and division by zero as FPE_INTDIV."""


def signal_name(number: int) -> str:
    """`SIGSEGV` for 11; `SIGRTMIN+n` for the real-time ones, counted as glibc does from 34."""
    if 0 < number <= len(NAMES):
        return f"SIG{NAMES[number - 1]}"
    return f"SIGRTMIN+{number - 34}" if number >= 34 else f"signal {number}"
