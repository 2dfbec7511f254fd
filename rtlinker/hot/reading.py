"""Instructions as capstone decodes them, and where addresses go that they bring into registers.

Position-independent code loads the address of a variable, and then reads or writes it: only what becomes of the address
says which. So registers that may hold one are followed along the paths through a function, until they are overwritten.
Whatever else is done with an address than reading or writing what it points to (it is stored, passed, returned) lets it
out, and the variable counts as one whose address is taken. That may say too much, never too little.
"""

from __future__ import annotations

from rtlinker.hot.instructions import CALL, INDIRECT, READ, SLOTS, TAKEN, WRITTEN, Act, Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from rtlinker.hot.instructions import Reference

    Place = tuple[int, int, str, bool]
    """Section, offset, name; and whether something was added to it."""

_ARGUMENTS = frozenset(("rdi", "rsi", "rdx", "rcx", "r8", "r9"))  # psABI 3.2.3
_KEPT = frozenset(("rbx", "rbp", "r12", "r13", "r14", "r15"))  # psABI 3.2.1: across calls
_LOADING = frozenset(("lea", "mov", "movabs"))
_COPYING = frozenset(("lea", "mov", "add"))
_SHIFTED = frozenset(("add", "sub", "inc", "dec"))
_HARMLESS = frozenset(("cmp", "test"))
_CLEARING = frozenset(("xor", "sub", "pxor"))
_ROUNDS = 1000
"""How often parts of a function are gone through again before everything held counts as let out."""


def whole(name: str) -> str:
    """The 64-bit register of a part's name: `rax` of `al`, `r8` of `r8d`."""
    if name[:1] == "r" and name[1:2].isdigit():
        return name.rstrip("dwb")
    if name[:1] in ("e", "r"):
        return "r" + name[1:]
    letters = {"al": "rax", "ah": "rax", "bl": "rbx", "bh": "rbx", "cl": "rcx", "ch": "rcx", "dl": "rdx", "dh": "rdx"}
    return letters.get(name, "r" + name.removesuffix("l"))


class Reading:
    """One function's instructions, and the addresses that registers may hold before each place that is jumped to."""

    def __init__(self, code: Code, section: int, capstone: Any) -> None:
        self._code = code
        self._section = section
        self._rows = code.references(section)
        self._x86 = capstone.x86
        self._call = capstone.CS_GRP_CALL
        self._jump = capstone.CS_GRP_JUMP
        self._write = capstone.CS_AC_WRITE
        self._read = capstone.CS_AC_READ
        self._before: dict[int, set[tuple[str, Place]]] = {}
        self._held: set[tuple[str, Place]] = set()
        self._constants = False
        self._again: list[int] = []

    def acts(self, instructions: list[Any]) -> dict[Act, None]:
        """What the instructions of one function do, each act once."""
        found: dict[Act, None] = {}
        starts = {instruction.address: number for number, instruction in enumerate(instructions)}
        for instruction in instructions:
            if self._target(instruction) in starts:
                self._before.setdefault(instruction.operands[0].imm, set())
        found.update(dict.fromkeys(self._run(instructions)))
        for _ in range(_ROUNDS):
            if not self._again:
                return found
            found.update(dict.fromkeys(self._run(instructions[starts[self._again.pop()] :])))
        every = {place for held in self._before.values() for _, place in held}  # too tangled to follow
        return found | dict.fromkeys(Act(TAKEN, *place) for place in every)

    def _run(self, instructions: list[Any]) -> Iterator[Act]:
        """Go through instructions in their order, with what is known to be held where others jump to."""
        self._held = set()
        for instruction in instructions:
            before = self._before.get(instruction.address)
            if before is not None:
                before |= self._held
                self._held = {*before}
            yield from self._one(instruction)
        for _, place in self._held:
            yield Act(TAKEN, *place)

    def _one(self, instruction: Any) -> Iterator[Act]:
        at, size = instruction.address, instruction.size
        found = [(site, self._rows[site]) for site in range(at, at + size) if site in self._rows]
        if instruction.group(self._call) or instruction.group(self._jump):
            yield from self._jumps(instruction, found)
            return
        named: list[Place] = []
        for site, reference in found:
            place = (*self._code.place(reference, at + size - site), False)
            self._constants = self._constants or self._code.is_constant(place[0])
            kind, spread = self._done(instruction, site, reference)
            if kind == TAKEN:
                named.append(place)
            else:
                yield Act(kind, *place[:3], spread)
        if not found:  # the assembler resolves addresses within a section itself
            named += [
                (self._section, at + size + operand.mem.disp, "", False)
                for operand in instruction.operands
                if operand.type == self._x86.X86_OP_MEM and instruction.reg_name(operand.mem.base) == "rip"
            ]
        yield from self._follow(instruction)
        yield from self._hold(instruction, named)
        if instruction.mnemonic.startswith("ret"):
            self._held.clear()

    def _target(self, instruction: Any) -> int | None:
        """Where a jump leads whose distance is in the code, or None."""
        if not instruction.group(self._jump) or not instruction.operands:
            return None
        operand = instruction.operands[0]
        patched = any(site in self._rows for site in range(instruction.address, instruction.address + instruction.size))
        return None if patched or operand.type != self._x86.X86_OP_IMM else int(operand.imm)

    def _done(self, instruction: Any, site: int, reference: Reference) -> tuple[str, bool]:
        """What is done with the place that a relocation names, and whether an index is added to it."""
        if (
            reference[0] in SLOTS
            or instruction.mnemonic == "lea"
            or site - instruction.address != instruction.disp_offset
        ):
            return TAKEN, False
        for operand in instruction.operands:
            if operand.type == self._x86.X86_OP_MEM:
                base = instruction.reg_name(operand.mem.base) if operand.mem.base else ""
                spread = bool(operand.mem.index) or base not in ("", "rip")
                writes = operand.access & self._write or not operand.access
                return WRITTEN if writes else READ, spread
        return TAKEN, False

    def _jumps(self, instruction: Any, found: list[tuple[int, Reference]]) -> Iterator[Act]:
        """What a call or jump does: where it leads, or that nobody knows, and what goes with it."""
        at, size = instruction.address, instruction.size
        operand: Any = instruction.operands[0] if instruction.operands else None
        target = self._target(instruction)
        inner = None if target is None else self._before.get(target)
        if target is not None and inner is not None:  # within the function
            if not self._held <= inner:
                inner |= self._held
                self._again.append(target)
            if instruction.mnemonic == "jmp":
                self._held = set()
            return
        places = [(reference[0], self._code.place(reference, at + size - site)) for site, reference in found]
        act = Act(INDIRECT, -1, 0, "")
        if operand is not None and operand.type == self._x86.X86_OP_IMM:
            act = Act(CALL, *(places[0][1] if places else (self._section, operand.imm, "")))
        elif any(rule in SLOTS for rule, _ in places):
            act = Act(CALL, *next(place for rule, place in places if rule in SLOTS))
        elif not instruction.group(self._call):
            constant = any(self._code.is_constant(place[0]) for _, place in places)
            if constant or (not places and self._constants):  # by a table of labels: every path may go on with it
                for _, place in self._held:
                    yield Act(TAKEN, *place)
                self._held = set()
                return
        yield from self._leaves(instruction, act.name if act.section == 0 else "")
        yield act

    def _leaves(self, instruction: Any, name: str) -> Iterator[Act]:
        """What becomes of held addresses when another function is entered: arguments are passed, the rest is lost."""
        for register, place in self._held:
            if register in _ARGUMENTS:
                yield Act(TAKEN, *place, to=name if register == "rdi" else "")
        calls = instruction.group(self._call)
        if calls:
            self._held = {(register, place) for register, place in self._held if register in _KEPT}
        elif instruction.mnemonic == "jmp":
            self._held = set()

    def _follow(self, instruction: Any) -> Iterator[Act]:
        """What an instruction does with the addresses that registers hold."""
        if not self._held:
            return
        mnemonic = instruction.mnemonic
        reads, writes = ({whole(instruction.reg_name(each)) for each in some} for some in instruction.regs_access())
        operands = [self._register(instruction, operand) for operand in instruction.operands]
        cleared = mnemonic in _CLEARING and len(operands) == 2 and operands[0] == operands[1]
        quiet = cleared or mnemonic in _HARMLESS | _SHIFTED
        after: set[tuple[str, Place]] = set()
        for register, place in self._held:
            pointing = [operand for operand in instruction.operands if register in self._bases(instruction, operand)]
            source = register in operands[1:] and not cleared
            copied = bool(operands and operands[0]) and mnemonic in _COPYING
            if copied and (source or (pointing and mnemonic == "lea")):
                after.add((operands[0], (*place[:3], place[3] or mnemonic != "mov")))
            elif (
                (source and mnemonic not in _HARMLESS)
                or (register in reads and not pointing and not quiet)
                or (mnemonic.startswith("ret") and register == "rax")
            ):
                yield Act(TAKEN, *place)
            if pointing and mnemonic != "lea":
                writing = any(operand.access & self._write or not operand.access for operand in pointing)
                spread = place[3] or any(operand.mem.index for operand in pointing)
                yield Act(WRITTEN if writing else READ, *place[:3], spread)
            if mnemonic in _SHIFTED and register in writes and not cleared:
                after.add((register, (*place[:3], True)))
            elif register not in writes:
                after.add((register, place))
        self._held = after

    def _hold(self, instruction: Any, named: list[Place]) -> Iterator[Act]:
        """Keep an address that an instruction brings into a register; what goes elsewhere is let out."""
        target = self._register(instruction, instruction.operands[0]) if instruction.operands else ""
        for place in named:
            if target and instruction.mnemonic in _LOADING and len(named) == 1:
                self._held.add((target, place))
            else:
                yield Act(TAKEN, *place)

    def _register(self, instruction: Any, operand: Any) -> str:
        return whole(instruction.reg_name(operand.reg)) if operand.type == self._x86.X86_OP_REG else ""

    def _bases(self, instruction: Any, operand: Any) -> set[str]:
        """The registers that an operand in memory is addressed with."""
        if operand.type != self._x86.X86_OP_MEM:
            return set()
        return {whole(instruction.reg_name(each)) for each in (operand.mem.base, operand.mem.index) if each}
