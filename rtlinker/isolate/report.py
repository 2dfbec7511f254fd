"""The text of a crash: what died, where, doing what, and who had called it.

The call chain is read off the stack without unwind tables: every word that points right behind a call instruction may
be a return address. Those that also lie on the chain of frame pointers are callers; the others are marked `?`, as the
Linux kernel does, since a word may be left over from a call that has returned.
"""

from __future__ import annotations

from rtlinker.errors import CrashError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from rtlinker.isolate.crash import Crash

    Symbolise = Callable[[int], str | None]

CALLERS = 12
"""How many possible callers a report shows."""

SHOWN_REGISTERS = (
    ("rax", "rbx", "rcx", "rdx"),
    ("rsi", "rdi", "rbp", "rsp"),
    ("r8", "r9", "r10", "r11"),
    ("r12", "r13", "r14", "r15"),
    ("rip", "eflags"),
)


def crash_report(crash: Crash, symbolise: Symbolise) -> str:
    """The report as text of several lines, `error: the called code died of SIGSEGV (address not mapped)` the first.

    `symbolise` turns an absolute address into `symbol+0x12 (file.o)`, or None if it knows nothing there. It is asked
    about addresses of the process that died; after an exec it is not asked, as no symbol of ours applies.
    """
    return f"error: {crash_error(crash, symbolise)}"


def crash_error(crash: Crash, symbolise: Symbolise) -> CrashError:
    """The same report as an exception, with the signal's number and the faulting instruction's address as fields."""
    headline = f"the called code died of {crash.signal_name}"
    if crash.code_text:
        headline += f" ({crash.code_text})"
    facts = []
    if crash.program:
        facts.append(("program", crash.program))
    if crash.rip is not None:
        facts.append(("at", _named(crash.rip, crash, symbolise)))
        if crash.instruction:
            facts.append(("instruction", instruction_text(crash.instruction, crash.rip)))
        if crash.fault_address is not None and crash.fault_address != crash.rip:
            facts.append(("fault", _accessed(crash, symbolise)))
        facts += [("registers", _register_rows(crash)), ("thread", str(crash.thread))]
        callers = caller_rows(crash, symbolise)
        if callers:
            facts.append(("callers", "\n".join(callers)))
    return CrashError(crash.signal, headline, facts, crash.rip)


def instruction_text(code: bytes, address: int) -> str:
    """The first instruction of `code`, disassembled if capstone is installed, else its bytes in hex."""
    try:
        import capstone
    except ImportError:
        return code.hex(" ")
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    for _, size, mnemonic, operands in decoder.disasm_lite(code, address, 1):
        return f"{mnemonic} {operands}".strip() + f"    {code[:size].hex(' ')}"
    return f"(no instruction)    {code.hex(' ')}"


def caller_rows(crash: Crash, symbolise: Symbolise) -> list[str]:
    """The possible callers that have a name, innermost first; `? ` before those that no frame pointer confirms."""
    confirmed = _frame_chain(crash)
    rows = []
    for place, address in crash.return_addresses:
        # one byte back, inside the call: a call that does not return can be the last instruction of its function
        text = _name_of(address - 1, crash, symbolise)
        if text and _is_boundary(text):
            rows.append("  called from Python")
            break
        if text:
            rows.append(f"{' ' if place in confirmed else '?'} {text}")
    if len(rows) > CALLERS:
        rows[CALLERS:] = [f"  and {len(rows) - CALLERS:,} more"]
    return rows


def _is_boundary(text: str) -> bool:
    """Whether a caller is where Python calls native code: what lies beyond is the interpreter's own business."""
    return "(libffi.so" in text or "(_ctypes." in text


def _frame_chain(crash: Crash) -> set[int]:
    """Stack addresses of the return addresses on the chain of frame pointers, from rbp outwards (psABI 3.2.2)."""
    returns = dict(crash.return_addresses)
    words, start = crash.stack_words, crash.registers.get("rsp", 0)
    frame = crash.registers.get("rbp", 0)
    visited: set[int] = set()
    while frame >= start and frame % 8 == 0 and (frame - start) // 8 < len(words) and frame + 8 in returns:
        visited.add(frame + 8)
        following = words[(frame - start) // 8]
        if following <= frame:
            break
        frame = following
    return visited


def _named(address: int, crash: Crash, symbolise: Symbolise) -> str:
    name = _name_of(address, crash, symbolise)
    return f"{address:#x} {name}" if name else f"{address:#x}"


def _name_of(address: int, crash: Crash, symbolise: Symbolise) -> str | None:
    """What `symbolise` says, else the mapped file and the offset in it."""
    name = None if crash.program else symbolise(address)
    if name:
        return name
    for mapping in crash.mappings:
        if mapping.start <= address < mapping.end and mapping.path:
            return f"{mapping.path.rpartition('/')[2]}+{address - mapping.start + mapping.file_offset:#x}"
    return None


def _accessed(crash: Crash, symbolise: Symbolise) -> str:
    address = crash.fault_address or 0
    text = _named(address, crash, symbolise)
    if 0 <= address < 4096:
        return f"{text} (a null pointer)"
    if -4096 <= address - crash.registers.get("rsp", 0) < 256:
        return f"{text} (at the stack pointer: the stack is used up?)"
    for mapping in crash.mappings:
        if mapping.start <= address < mapping.end:
            return f"{text} (mapped {mapping.permissions[:3]})"
    return text


def _register_rows(crash: Crash) -> str:
    return "\n".join(
        "  ".join(f"{name:<3} {crash.registers.get(name, 0):016x}" for name in names) for names in SHOWN_REGISTERS
    )
