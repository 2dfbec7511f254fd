"""ptrace(2), waitpid(2) and signal masks as this room needs them: small functions over ctypes that raise OSError.

Every ptrace request must come from the thread that attached; ctypes calls stay on the calling thread.
"""

from __future__ import annotations

import ctypes
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONT, DETACH, GETREGS = 7, 17, 12
SETOPTIONS, GETEVENTMSG, GETSIGINFO = 0x4200, 0x4201, 0x4202
SEIZE, INTERRUPT, LISTEN = 0x4206, 0x4207, 0x4208

O_TRACECLONE, O_TRACEEXEC, O_EXITKILL = 1 << 3, 1 << 4, 1 << 20
EVENT_CLONE, EVENT_EXEC, EVENT_STOP = 3, 4, 128

WALL, WNOTHREAD, WNOWAIT, WEXITED, WSTOPPED = 0x40000000, 0x20000000, 0x01000000, 4, 2
SIG_BLOCK, SIG_SETMASK = 0, 2
SIG_DFL, SIG_IGN = 0, 1

REGISTERS = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
    "fs_base gs_base ds es fs gs"
).split()
"""struct user_regs_struct (sys/user.h), 64 bits each."""

_libc: Any = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long
_libc.pthread_sigmask.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
_libc.sigtimedwait.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
_libc.sigaction.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
_libc.fflush.argtypes = [ctypes.c_void_p]
_libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong]


def request(what: int, thread: int, address: Any = None, data: Any = None) -> None:
    """One ptrace request. Raises OSError: ESRCH when the thread is gone, EPERM when tracing is not allowed."""
    if _libc.ptrace(what, thread, address, data) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def event_message(thread: int) -> int:
    """What comes with a ptrace event: the new thread's id for a clone, the former id for an exec."""
    message = ctypes.c_ulong()
    request(GETEVENTMSG, thread, None, ctypes.addressof(message))
    return message.value


def registers_of(thread: int) -> dict[str, int]:
    """All general registers of a stopped thread, by name."""
    room = ctypes.create_string_buffer(8 * len(REGISTERS))
    request(GETREGS, thread, None, ctypes.addressof(room))
    return dict(zip(REGISTERS, struct.unpack(f"<{len(REGISTERS)}Q", room.raw)))


def signal_detail(thread: int) -> tuple[int, int, int]:
    """(number, si_code, si_addr) of the signal that stopped the thread; the address has a meaning for faults only."""
    room = ctypes.create_string_buffer(128)
    request(GETSIGINFO, thread, None, ctypes.addressof(room))
    number, _, code, _, address = struct.unpack_from("<iiiiQ", room)
    return number, code, address


def block(signals: tuple[int, ...]) -> bytes:
    """The calling thread's signal mask as it was before `signals` were blocked in it."""
    before = ctypes.create_string_buffer(128)
    _libc.pthread_sigmask(SIG_BLOCK, _set_of(signals), before)
    return before.raw


def set_mask(mask: bytes) -> None:
    """Give the calling thread a signal mask that `block` returned."""
    _libc.pthread_sigmask(SIG_SETMASK, mask, None)


def take_pending(signals: tuple[int, ...]) -> list[tuple[int, int]]:
    """(number, si_code) of each of the blocked `signals` that waits for this thread; they are gone afterwards."""
    taken = []
    room = ctypes.create_string_buffer(128)
    now = struct.pack("<qq", 0, 0)
    while (number := _libc.sigtimedwait(_set_of(signals), room, now)) > 0:
        taken.append((number, struct.unpack_from("<i", room, 8)[0]))
    return taken


def handler_of(number: int) -> int:
    """The C handler of a signal: SIG_DFL, SIG_IGN or an address."""
    room = ctypes.create_string_buffer(160)
    _libc.sigaction(number, None, room)
    return int(struct.unpack_from("<Q", room)[0])


def set_default(number: int) -> None:
    """Give a signal its default action."""
    _libc.sigaction(number, bytes(160), None)


def die_with_parent() -> None:
    """Be killed when the thread that forked us ends (prctl(2), PR_SET_PDEATHSIG)."""
    _libc.prctl(1, 9)


def flush_stdio() -> None:
    """Write out what C's stdio has buffered."""
    _libc.fflush(None)


def _set_of(signals: tuple[int, ...]) -> bytes:
    """A sigset_t: bit N-1 for signal N, in 128 bytes."""
    return sum(1 << (number - 1) for number in signals).to_bytes(128, "little")
