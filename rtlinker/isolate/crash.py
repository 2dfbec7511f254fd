"""What is known about a thread at the moment a fatal signal was about to be delivered to it.

Taken from outside, by ptrace and /proc, while the thread is stopped: nothing in the dying process has to work. Memory
is read through /proc/PID/mem, which reports unmapped pages instead of faulting.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right

from rtlinker.facts import Fact, derived
from rtlinker.host.mappings import Mapping, read_mappings
from rtlinker.host.signal_names import (
    CODES,
    SI_KERNEL,
    SIGABRT,
    SIGBUS,
    SIGFPE,
    SIGILL,
    SIGSEGV,
    SIGSYS,
    SIGTRAP,
    signal_name,
)
from rtlinker.isolate import ptrace

FATAL = (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS)
FAULTS = (SIGSEGV, SIGBUS, SIGILL, SIGFPE)

STACK = 1 << 16
"""Bytes of stack kept, from rsp upwards."""


class Crash(Fact):
    """A thread at its fatal signal. Addresses are those of the process that died, which a fork shares with its parent.

    `code_text` says what the kernel gave as cause ('' if nothing). `fault_address` is what was accessed, None where the
    kernel does not say. `rip` is the faulting instruction, `instruction` the (up to 16) bytes there. `stack` holds the
    bytes from rsp upwards. `return_addresses` are the (stack address, value) of those words that point right behind a
    call instruction. `program` is the path of the program if the process had called exec, so that none of the parent's
    symbols apply; else ''. If the child could not be traced, only the signal is known: `rip` is None, the rest empty.
    """

    signal: int
    signal_name: str
    code_text: str = ""
    fault_address: int | None = None
    rip: int | None = None
    registers: dict[str, int] = {}  # noqa: RUF012  facts are never changed
    instruction: bytes = b""
    stack: bytes = b""
    return_addresses: tuple[tuple[int, int], ...] = ()
    mappings: tuple[Mapping, ...] = ()
    thread: int = 0
    program: str = ""

    @derived
    def stack_words(self) -> tuple[int, ...]:
        """The stack as 64-bit words, from rsp upwards."""
        return struct.unpack(f"<{len(self.stack) // 8}Q", self.stack[: len(self.stack) // 8 * 8])


def untraced_crash(number: int) -> Crash:
    """The crash of a child that was not traced: the signal's number and name."""
    return Crash(number, signal_name(number))


def take_crash(process: int, thread: int, number: int, program: str) -> Crash:
    """The state of `thread`, stopped by the signal `number` and yet to receive it. Raises OSError if it died."""
    registers = ptrace.registers_of(thread)
    _, code, address = ptrace.signal_detail(thread)
    fault = address if number in FAULTS and 0 < code < SI_KERNEL else None
    text = CODES.get((number, code), "raised by the program" if code <= 0 else "")
    mappings = read_mappings(process)
    memory = os.open(f"/proc/{process}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        instruction = _read(memory, registers["rip"], 16)
        stack = _read(memory, registers["rsp"], STACK)
        returns = _return_addresses(memory, registers["rsp"], stack, mappings)
    finally:
        os.close(memory)
    return Crash(
        number,
        signal_name(number),
        text,
        fault,
        registers["rip"],
        registers,
        instruction,
        stack,
        returns,
        mappings,
        thread,
        program,
    )


def is_resent(thread: int) -> bool:
    """Whether the signal at which `thread` stopped was sent by a program, such as a handler that raises it again."""
    return ptrace.signal_detail(thread)[1] <= 0


def _return_addresses(
    memory: int, start: int, stack: bytes, mappings: tuple[Mapping, ...]
) -> tuple[tuple[int, int], ...]:
    code = [mapping for mapping in mappings if mapping.permissions[2] == "x"]
    starts = [mapping.start for mapping in code]
    found = []
    for row, (word,) in enumerate(struct.iter_unpack("<Q", stack[: len(stack) // 8 * 8])):
        at = bisect_right(starts, word) - 1
        if at >= 0 and word < code[at].end and follows_call(_read(memory, word - 8, 8)):
            found.append((start + 8 * row, word))
    return tuple(found)


def follows_call(before: bytes) -> bool:
    """Whether these 8 bytes can end in a call: E8 with a 32-bit distance, or FF /2 with any operand (SDM 2A, CALL)."""
    if len(before) < 8:
        return False
    if before[-5] == 0xE8:
        return True
    # length of the instruction from FF on: ModRM, then SIB and displacement as ModRM says
    for length in (2, 3, 4, 6, 7):
        opcode, form = before[-length], before[1 - length]
        if opcode == 0xFF and (form >> 3) & 7 == 2 and _operand_size(form, before[2 - length]) == length - 1:
            return True
    return False


def _operand_size(form: int, base: int) -> int:
    """Bytes of a ModRM operand, the ModRM byte included; `base` is the byte after it."""
    mode, register = form >> 6, form & 7
    if mode == 3:
        return 1
    size = 2 if register == 4 else 1
    if mode == 0:
        far = register == 5 or (register == 4 and base & 7 == 5)
        return size + 4 if far else size
    return size + (1 if mode == 1 else 4)


def _read(memory: int, address: int, size: int) -> bytes:
    """Up to `size` bytes at `address`, fewer where the mapping ends, none where there is none."""
    try:
        return os.pread(memory, size, address)
    except (OSError, OverflowError):
        return b""
