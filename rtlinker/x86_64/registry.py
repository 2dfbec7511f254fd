"""Code that stands between linked code and libc where functions are registered for later, so that it is known what for.

A hot module's code is given these names in place of libc's. Each call makes a record, and libc gets a routine of ours
with the record as its argument (or, where libc passes none, finds it): the routine reads the record and jumps to the
function that stands in it at that time. So the linker can tell what is still to be called, and have another function
called instead. None of it may be Python: registrations come from threads without a Python state, and are run in forked
children, in threads that end, and behind the end of Python.

    record    0 state        8 kind         16 function    24 argument   32 second    40 third     48 owner
             56 next record 64 sequence    72 caller      80 epoch      88 seconds   96 nanoseconds
            104 thread     112 its number 120 declared   128 a virtual table

`second` and `third` are the other two functions of pthread_atfork(3); of a thread, what `x86_64.registry_threads` says.
`owner` is the address of the words of the module that has registered it, the first of which is its epoch at that time;
`caller` is where the registering function was called from.

Records are never freed, so that a thread may walk the list while others add to it; free ones are used again. A record
is not free as long as libc has its address.
"""

from __future__ import annotations

from rtlinker.x86_64.frame_records import Lines
from rtlinker.x86_64.registry_exits import AT_EXIT, AT_FORK, NOTE, RUN
from rtlinker.x86_64.registry_forks import FORKS
from rtlinker.x86_64.registry_threads import THREADS

RECORD_SIZE = 176
(STATE, KIND, FUNCTION, ARGUMENT, SECOND, THIRD, OWNER, NEXT, SEQUENCE, CALLER, EPOCH, SECONDS, NANOSECONDS, THREAD,
 NUMBER, DECLARED) = range(16)  # fmt: skip
"""The words of a record, by number."""

FREE, WAITING, BUSY, SPENT, WITHDRAWN, RUNNING = range(6)
"""States: BUSY while it is filled in; SPENT has been called, WITHDRAWN never will be, and libc may still have it."""

ATEXIT, CXA_ATEXIT, ON_EXIT, QUICK_EXIT, FORK, PTHREAD, C11_THREAD, CXX_THREAD = range(1, 9)
"""Kinds of records."""

WORDS = {
    "HEAD": 0,
    "COUNT": 8,
    "FREED": 16,
    "KEY": 24,
    "MALLOC": 32,
    "CLOCK_GETTIME": 40,
    "SETSPECIFIC": 48,
    "GETSPECIFIC": 56,
    "DESCRIPTORS": 64,
}
"""Offsets of the words that the code reaches: the newest record, the last sequence number, whether a record may be
free, the key of threads, functions of libc, and for each kind the function of libc and the routine that it is given."""

CXX_START = "_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE"
"""What std::thread's constructor calls in libstdc++, which calls pthread_create itself."""

NAMES = {
    "rtl_quiescent": (0, "quiescent"),
    "atexit": (ATEXIT, "at_exit"),
    "__cxa_atexit": (CXA_ATEXIT, "at_exit"),
    "on_exit": (ON_EXIT, "at_exit"),
    "at_quick_exit": (QUICK_EXIT, "at_exit"),
    "__cxa_at_quick_exit": (QUICK_EXIT, "at_exit"),
    "pthread_atfork": (FORK, "at_fork"),
    "__pthread_atfork": (FORK, "at_fork"),
    "__register_atfork": (FORK, "at_fork"),
    "pthread_create": (PTHREAD, "new_thread"),
    "thrd_create": (C11_THREAD, "new_c11_thread"),
    CXX_START: (CXX_THREAD, "new_cxx_thread"),
}
"""What linked code calls, with the kind of the record that it makes, and the routine it gets to."""

DESCRIPTORS = {
    ATEXIT: ("__cxa_atexit", "run_exit"),
    CXA_ATEXIT: ("__cxa_atexit", "run_exit"),
    ON_EXIT: ("on_exit", "run_on_exit"),
    QUICK_EXIT: ("__cxa_at_quick_exit", "run_quick"),
    PTHREAD: ("pthread_create", "run_thread"),
    C11_THREAD: ("thrd_create", "run_thread"),
    CXX_THREAD: (CXX_START, "run_cxx"),
}
"""Of each kind, the function that is called in the end, and the routine that it is given; at_fork calls none."""

ENTRY: Lines = (
    ("f3 0f 1e fa", "endbr64"),
    ("4c 8d 1d {OWNER}", "lea OWNER(%rip), %r11"),
    ("b8 {KIND}", "mov $KIND, %eax"),
    ("ff 25 {ROUTINE}", "jmp *ROUTINE(%rip)"),
)
"""What stands for one name in one module: it enters the routine with the module's words in r11 and the kind in eax."""

ENTRY_SIZE = 32

CODE: Lines = (*NOTE, *AT_EXIT, *AT_FORK, *THREADS, *RUN, *FORKS)


def _size(line: str) -> int:
    head, brace, _ = line.partition("{")
    return len(bytes.fromhex(head)) + 4 * bool(brace)


def routine_offsets() -> dict[str, int]:
    """Where in the code each label is."""
    at, found = 0, {}
    for line, assembly in CODE:
        label, colon, _ = assembly.partition(":")
        if colon and label.isidentifier():
            found[label] = at
        at += _size(line)
    return found


def registry_code(words: int) -> bytes:
    """All routines, whose words lie `words` bytes from their start."""
    return assemble(CODE, 0, {name: words + offset for name, offset in WORDS.items()})


def entry_code(at: int, kind: int, owner: int, routine: int) -> bytes:
    """An entry at `at`; the module's words and the word with the routine's address are at the two other places."""
    code = assemble(ENTRY, at, {"OWNER": owner, "ROUTINE": routine, "KIND": kind}, frozenset(("KIND",)))
    return code.ljust(ENTRY_SIZE, b"\xcc")


def assemble(lines: Lines, at: int, places: dict[str, int], absolute: frozenset[str] = frozenset()) -> bytes:
    """Code that lies at `at`, with the displacements of `places` filled in, or, where `absolute`, their values."""
    code = bytearray()
    for line, _ in lines:
        head, brace, name = line.partition("{")
        code += bytes.fromhex(head)
        if brace:  # a displacement ends its instruction
            name = name.rstrip("}")
            value = places[name] if name in absolute else places[name] - at - len(code) - 4
            code += value.to_bytes(4, "little", signed=True)
    return bytes(code)
