"""Machine code for the three loops over all symbols and all relocations of an object.

A large object has hundreds of thousands of records, and Python takes 0.2 us for the least of what it does with one.
These loops take some nanoseconds. They do what is plain, and stop at everything else: a symbol whose number is not
known yet, a value that does not fit, a rule with other letters, a record that lies. The stop names the record; who
called deals with it as with any single record, and goes on behind it. So what is special stands in Python only, once,
and the order of the records is kept. Nothing is taken from the file unchecked: a symbol is below the count, a site
within its section.

A loop is called with the address of its *job*, words of 64 bits, and returns 0 at the end and 1 when it stopped:

              place                 scan                     relocate
    job[0]    first record          table, moved on          table, moved on
    job[1]    behind the last       behind the last table    behind the last table
    job[2]    section addresses     out: the record          the record, moved on
    job[3]    how many sections     how many symbols         how many symbols
    job[4]    numbers, written      rules seen, by symbol    numbers
    job[5]    UNKNOWN               WIDTHS                   ROWS
    job[6]                          rules seen, of all       UNKNOWN

A *table* is five words: its first record, the end of the last one, where in memory its section's bytes are, the
address that they will have, the section's size. *Numbers* are four words for each symbol: S, L, S for a direct site,
and the address of the slot; place writes the first three of what the object defines itself. *Rules seen* is a bit for
each rule.

The records are Elf64_Sym and Elf64_Rela (gABI). The assembly stands beside its bytes; tests assemble it again and
compare.
"""

from __future__ import annotations

from struct import pack

from rtlinker.x86_64.frame_records import Lines
from rtlinker.x86_64.rules import RULES, WORD64, Rule

UNKNOWN = -0x5EED_0000_0000_0001
"""What stands for a number that is not known; a number that happens to be it is dealt with as unknown."""

KINDS = 64
"""A power of two above every rule's number, and the bits of a word."""

S, L, DIRECT, SLOT = range(4)
"""The numbers of a symbol, in their order."""


def number_of(rule: Rule) -> int | None:
    """Which number of its symbol a rule adds to the addend; None for a rule that the loop leaves to others."""
    letters = [letter for letter, _ in rule.of_symbol]
    if rule.field.width not in {4, 8} or any(sign < 0 for _, sign in rule.of_symbol):
        return None
    if letters == ["S"]:
        return DIRECT if rule.direct else S
    return {("L",): L, ("G", "GOT"): SLOT}.get(tuple(letters))


def _row(kind: int) -> bytes:
    """A rule as the loop reads it: lowest, highest, offset of its number, then width (0: not done), P, opcode."""
    rule = RULES.get(kind)
    number = None if rule is None else number_of(rule)
    if rule is None or number is None:
        return bytes(32)
    lowest, highest = (0, 0) if rule.field is WORD64 else (rule.field.lowest, rule.field.highest)
    return pack("<qqQBBB5x", lowest, highest, 8 * number, rule.field.width, rule.from_site, rule.relaxable)


ROWS = b"".join([_row(kind) for kind in range(KINDS)])
WIDTHS = bytes([RULES[kind].field.width if kind in RULES else 255 for kind in range(KINDS)])
"""How many bytes each rule writes; 255 where there is no such rule."""

PLACE: Lines = (
    ("f3 0f 1e fa", "endbr64"),
    ("48 8b 37", "mov (%rdi), %rsi"),  # records
    ("4c 8b 4f 10", "mov 16(%rdi), %r9"),
    ("4c 8b 57 18", "mov 24(%rdi), %r10"),
    ("4c 8b 47 20", "mov 32(%rdi), %r8"),
    ("4c 8b 5f 28", "mov 40(%rdi), %r11"),
    ("48 3b 77 08", "place_next: cmp 8(%rdi), %rsi"),
    ("74 42", "je place_done"),
    ("0f b7 46 06", "movzwl 6(%rsi), %eax"),  # st_shndx
    ("4c 89 da", "mov %r11, %rdx"),
    ("3d f1 ff 00 00", "cmp $0xfff1, %eax"),  # SHN_ABS
    ("74 17", "je place_absolute"),
    ("4c 39 d0", "cmp %r10, %rax"),
    ("73 16", "jae place_store"),
    ("49 8b 0c c1", "mov (%r9,%rax,8), %rcx"),
    ("4c 39 d9", "cmp %r11, %rcx"),
    ("74 0d", "je place_store"),
    ("48 8b 56 08", "mov 8(%rsi), %rdx"),  # st_value
    ("48 01 ca", "add %rcx, %rdx"),
    ("eb 04", "jmp place_store"),
    ("48 8b 56 08", "place_absolute: mov 8(%rsi), %rdx"),
    ("49 89 10", "place_store: mov %rdx, (%r8)"),
    ("49 89 50 08", "mov %rdx, 8(%r8)"),
    ("49 89 50 10", "mov %rdx, 16(%r8)"),
    ("4d 89 58 18", "mov %r11, 24(%r8)"),
    ("48 83 c6 18", "add $24, %rsi"),
    ("49 83 c0 20", "add $32, %r8"),
    ("eb b8", "jmp place_next"),
    ("c3", "place_done: ret"),
)
SCAN: Lines = (
    ("f3 0f 1e fa", "endbr64"),
    ("4c 8b 07", "mov (%rdi), %r8"),
    ("4c 8b 57 18", "mov 24(%rdi), %r10"),
    ("4c 8b 4f 20", "mov 32(%rdi), %r9"),
    ("4c 8b 5f 28", "mov 40(%rdi), %r11"),
    ("4c 3b 47 08", "scan_table: cmp 8(%rdi), %r8"),
    ("74 5a", "je scan_done"),
    ("49 8b 30", "mov (%r8), %rsi"),
    ("49 3b 70 08", "scan_next: cmp 8(%r8), %rsi"),
    ("74 3e", "je scan_over"),
    ("8b 4e 08", "mov 8(%rsi), %ecx"),  # type
    ("8b 46 0c", "mov 12(%rsi), %eax"),  # symbol
    ("83 f9 40", "cmp $64, %ecx"),
    ("73 39", "jae scan_stop"),
    ("4c 39 d0", "cmp %r10, %rax"),
    ("73 34", "jae scan_stop"),
    ("41 0f b6 14 0b", "movzbl (%r11,%rcx), %edx"),
    ("81 fa ff 00 00 00", "cmp $255, %edx"),
    ("74 27", "je scan_stop"),
    ("48 03 16", "add (%rsi), %rdx"),  # r_offset
    ("72 22", "jc scan_stop"),
    ("49 3b 50 20", "cmp 32(%r8), %rdx"),
    ("77 1c", "ja scan_stop"),
    ("ba 01 00 00 00", "mov $1, %edx"),
    ("48 d3 e2", "shl %cl, %rdx"),
    ("49 09 14 c1", "or %rdx, (%r9,%rax,8)"),
    ("48 09 57 30", "or %rdx, 48(%rdi)"),
    ("48 83 c6 18", "add $24, %rsi"),
    ("eb bc", "jmp scan_next"),
    ("49 83 c0 28", "scan_over: add $40, %r8"),
    ("eb ad", "jmp scan_table"),
    ("4c 89 07", "scan_stop: mov %r8, (%rdi)"),
    ("48 89 77 10", "mov %rsi, 16(%rdi)"),
    ("b8 01 00 00 00", "mov $1, %eax"),
    ("c3", "ret"),
    ("31 c0", "scan_done: xor %eax, %eax"),
    ("c3", "ret"),
)
RELOCATE: Lines = (
    ("f3 0f 1e fa", "endbr64"),
    ("53", "push %rbx"),
    ("55", "push %rbp"),
    ("41 54", "push %r12"),
    ("41 55", "push %r13"),
    ("41 56", "push %r14"),
    ("41 57", "push %r15"),
    ("4c 8b 07", "mov (%rdi), %r8"),
    ("48 8b 77 10", "mov 16(%rdi), %rsi"),
    ("4c 8b 67 18", "mov 24(%rdi), %r12"),
    ("48 8b 5f 20", "mov 32(%rdi), %rbx"),
    ("48 8b 6f 28", "mov 40(%rdi), %rbp"),
    ("4c 8b 6f 30", "mov 48(%rdi), %r13"),
    ("4d 8b 48 10", "site_table: mov 16(%r8), %r9"),
    ("4d 8b 50 18", "mov 24(%r8), %r10"),
    ("49 3b 70 08", "site_next: cmp 8(%r8), %rsi"),
    ("0f 84 49 01 00 00", "je site_over"),
    ("8b 46 08", "mov 8(%rsi), %eax"),  # type
    ("8b 4e 0c", "mov 12(%rsi), %ecx"),  # symbol
    ("83 f8 40", "cmp $64, %eax"),
    ("0f 83 50 01 00 00", "jae site_stop"),
    ("4c 39 e1", "cmp %r12, %rcx"),
    ("0f 83 47 01 00 00", "jae site_stop"),
    ("c1 e0 05", "shl $5, %eax"),
    ("48 01 e8", "add %rbp, %rax"),  # the rule
    ("0f b6 50 18", "movzbl 24(%rax), %edx"),  # its width
    ("85 d2", "test %edx, %edx"),
    ("0f 84 35 01 00 00", "je site_stop"),
    ("4c 8b 3e", "mov (%rsi), %r15"),  # r_offset
    ("4c 01 fa", "add %r15, %rdx"),
    ("0f 82 29 01 00 00", "jc site_stop"),
    ("49 3b 50 20", "cmp 32(%r8), %rdx"),
    ("0f 87 1f 01 00 00", "ja site_stop"),
    ("48 c1 e1 05", "shl $5, %rcx"),
    ("48 01 d9", "add %rbx, %rcx"),  # the symbol's numbers
    ("48 8b 50 10", "mov 16(%rax), %rdx"),
    ("4c 8b 34 11", "mov (%rcx,%rdx), %r14"),
    ("4d 39 ee", "cmp %r13, %r14"),
    ("0f 84 07 01 00 00", "je site_stop"),
    ("80 78 1a 00", "cmpb $0, 26(%rax)"),
    ("75 43", "jne site_relax"),
    ("4c 03 76 10", "site_sum: add 16(%rsi), %r14"),  # r_addend
    ("80 78 19 00", "cmpb $0, 25(%rax)"),
    ("74 06", "je site_write"),
    ("4d 29 d6", "sub %r10, %r14"),
    ("4d 29 fe", "sub %r15, %r14"),
    ("80 78 18 08", "site_write: cmpb $8, 24(%rax)"),
    ("74 20", "je site_wide"),
    ("4c 3b 30", "cmp (%rax), %r14"),
    ("0f 8c e2 00 00 00", "jl site_stop"),
    ("4c 3b 70 08", "cmp 8(%rax), %r14"),
    ("0f 8f d8 00 00 00", "jg site_stop"),
    ("47 89 34 39", "mov %r14d, (%r9,%r15)"),
    ("48 83 c6 18", "add $24, %rsi"),
    ("e9 62 ff ff ff", "jmp site_next"),
    ("4f 89 34 39", "site_wide: mov %r14, (%r9,%r15)"),
    ("48 83 c6 18", "site_done: add $24, %rsi"),
    ("e9 55 ff ff ff", "jmp site_next"),
    ("48 83 7e 10 fc", "site_relax: cmpq $-4, 16(%rsi)"),
    ("75 b6", "jne site_sum"),
    ("0f b6 50 1a", "movzbl 26(%rax), %edx"),
    ("49 39 d7", "cmp %rdx, %r15"),
    ("72 ad", "jb site_sum"),
    ("48 8b 09", "mov (%rcx), %rcx"),
    ("4c 39 e9", "cmp %r13, %rcx"),
    ("0f 84 a2 00 00 00", "je site_stop"),
    ("48 83 e9 04", "sub $4, %rcx"),
    ("4c 29 d1", "sub %r10, %rcx"),
    ("4c 29 f9", "sub %r15, %rcx"),
    ("43 0f b7 54 39 fe", "movzwl -2(%r9,%r15), %edx"),
    ("81 fa ff 15 00 00", "cmp $0x15ff, %edx"),
    ("74 32", "je site_call"),
    ("81 fa ff 25 00 00", "cmp $0x25ff, %edx"),
    ("74 47", "je site_jmp"),
    ("81 e2 ff c7 00 00", "and $0xc7ff, %edx"),
    ("81 fa 8b 05 00 00", "cmp $0x058b, %edx"),
    ("0f 85 6f ff ff ff", "jne site_sum"),
    ("48 63 d1", "movslq %ecx, %rdx"),
    ("48 39 ca", "cmp %rcx, %rdx"),
    ("0f 85 63 ff ff ff", "jne site_sum"),
    ("43 c6 44 39 fe 8d", "movb $0x8d, -2(%r9,%r15)"),
    ("43 89 0c 39", "mov %ecx, (%r9,%r15)"),
    ("eb 91", "jmp site_done"),
    ("48 63 d1", "site_call: movslq %ecx, %rdx"),
    ("48 39 ca", "cmp %rcx, %rdx"),
    ("0f 85 4b ff ff ff", "jne site_sum"),
    ("66 43 c7 44 39 fe 67 e8", "movw $0xe867, -2(%r9,%r15)"),
    ("43 89 0c 39", "mov %ecx, (%r9,%r15)"),
    ("e9 74 ff ff ff", "jmp site_done"),
    ("48 ff c1", "site_jmp: inc %rcx"),
    ("48 63 d1", "movslq %ecx, %rdx"),
    ("48 39 ca", "cmp %rcx, %rdx"),
    ("0f 85 2b ff ff ff", "jne site_sum"),
    ("43 c6 44 39 fe e9", "movb $0xe9, -2(%r9,%r15)"),
    ("43 89 4c 39 ff", "mov %ecx, -1(%r9,%r15)"),
    ("43 c6 44 39 03 90", "movb $0x90, 3(%r9,%r15)"),
    ("e9 4f ff ff ff", "jmp site_done"),
    ("49 83 c0 28", "site_over: add $40, %r8"),
    ("4c 3b 47 08", "cmp 8(%rdi), %r8"),
    ("74 08", "je site_end"),
    ("49 8b 30", "mov (%r8), %rsi"),
    ("e9 93 fe ff ff", "jmp site_table"),
    ("31 c0", "site_end: xor %eax, %eax"),
    ("eb 0c", "jmp site_return"),
    ("4c 89 07", "site_stop: mov %r8, (%rdi)"),
    ("48 89 77 10", "mov %rsi, 16(%rdi)"),
    ("b8 01 00 00 00", "mov $1, %eax"),
    ("41 5f", "site_return: pop %r15"),
    ("41 5e", "pop %r14"),
    ("41 5d", "pop %r13"),
    ("41 5c", "pop %r12"),
    ("5d", "pop %rbp"),
    ("5b", "pop %rbx"),
    ("c3", "ret"),
)

PLACE_CODE, SCAN_CODE, RELOCATE_CODE = [
    b"".join([bytes.fromhex(code) for code, _ in lines]) for lines in (PLACE, SCAN, RELOCATE)
]
