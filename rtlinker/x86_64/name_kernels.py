"""Machine code for the names of a large object: a table of all of them in a millisecond, and questions to it.

A dictionary of 38,000 names takes Python 15 ms, of which a link then asks for some hundred. Here the table is made of
symbol numbers alone: each stands where the hash of its name says, or behind it, and a name is compared where it lies in
the file. As in `x86_64.kernels`, a loop is called with the address of a job and does what is plain: definitions, strong
or weak, in ordinary sections. The numbers of all other symbols are handed back, and two equal names stop it.

              hash                                    find
    job[0]    first global symbol                     names, each ended by NUL
    job[1]    behind the last                         behind the last
    job[2]    string table                            the same
    job[3]    symbol table                            the same
    job[4]    table: 32 bits for each place           the same
    job[5]    64 - log2(places)                       the same
    job[6]    numbers of the others, moved on         out: 32 bits for each name, 0 where it is not there
    job[7]    places - 1                              the same
    job[8]    the first global symbol's number
    job[9]    how many sections, at most 0xff00
    job[10]   bytes of the string table, whose last is NUL

The hash of bytes c is h = 31 h + c, multiplied by 2**64 / golden ratio, of which the upper bits count.
"""

from __future__ import annotations

from rtlinker.x86_64.frame_records import Lines

HASH: Lines = (
    ("f3 0f 1e fa", "endbr64"),
    ("53", "push %rbx"),
    ("55", "push %rbp"),
    ("41 54", "push %r12"),
    ("41 55", "push %r13"),
    ("41 56", "push %r14"),
    ("41 57", "push %r15"),
    ("48 8b 37", "mov (%rdi), %rsi"),
    ("4c 8b 47 10", "mov 16(%rdi), %r8"),
    ("4c 8b 77 18", "mov 24(%rdi), %r14"),
    ("4c 8b 4f 20", "mov 32(%rdi), %r9"),
    ("48 8b 4f 28", "mov 40(%rdi), %rcx"),
    ("4c 8b 57 30", "mov 48(%rdi), %r10"),
    ("4c 8b 67 38", "mov 56(%rdi), %r12"),
    ("4c 8b 5f 40", "mov 64(%rdi), %r11"),
    ("49 bd 15 7c 4a 7f b9 79 37 9e", "movabs $0x9e3779b97f4a7c15, %r13"),
    ("48 3b 77 08", "hash_next: cmp 8(%rdi), %rsi"),
    ("0f 84 b3 00 00 00", "je hash_end"),
    ("8b 06", "mov (%rsi), %eax"),  # st_name
    ("48 3b 47 50", "cmp 80(%rdi), %rax"),
    ("0f 83 a0 00 00 00", "jae hash_stop"),
    ("0f b6 56 04", "movzbl 4(%rsi), %edx"),  # st_info
    ("89 d3", "mov %edx, %ebx"),
    ("83 e2 0f", "and $15, %edx"),
    ("83 fa 0a", "cmp $10, %edx"),  # STT_GNU_IFUNC
    ("0f 84 85 00 00 00", "je hash_special"),
    ("c1 eb 04", "shr $4, %ebx"),
    ("ff cb", "dec %ebx"),
    ("83 fb 01", "cmp $1, %ebx"),  # STB_GLOBAL or STB_WEAK
    ("77 7b", "ja hash_special"),
    ("0f b7 5e 06", "movzwl 6(%rsi), %ebx"),  # st_shndx
    ("81 fb f1 ff 00 00", "cmp $0xfff1, %ebx"),  # SHN_ABS
    ("74 0a", "je hash_name"),
    ("85 db", "test %ebx, %ebx"),
    ("74 6b", "je hash_special"),
    ("48 3b 5f 48", "cmp 72(%rdi), %rbx"),
    ("73 65", "jae hash_special"),
    ("4d 8d 3c 00", "hash_name: lea (%r8,%rax), %r15"),
    ("4c 89 fd", "mov %r15, %rbp"),
    ("31 d2", "xor %edx, %edx"),
    ("0f b6 45 00", "hash_byte: movzbl (%rbp), %eax"),
    ("85 c0", "test %eax, %eax"),
    ("74 0c", "je hash_place"),
    ("48 6b d2 1f", "imul $31, %rdx, %rdx"),
    ("48 01 c2", "add %rax, %rdx"),
    ("48 ff c5", "inc %rbp"),
    ("eb ec", "jmp hash_byte"),
    ("49 0f af d5", "hash_place: imul %r13, %rdx"),
    ("48 d3 ea", "shr %cl, %rdx"),
    ("41 8b 04 91", "hash_slot: mov (%r9,%rdx,4), %eax"),
    ("85 c0", "test %eax, %eax"),
    ("74 29", "je hash_put"),
    ("48 8d 04 40", "lea (%rax,%rax,2), %rax"),
    ("41 8b 1c c6", "mov (%r14,%rax,8), %ebx"),
    ("4c 01 c3", "add %r8, %rbx"),
    ("4c 89 fd", "mov %r15, %rbp"),
    ("8a 45 00", "hash_compare: mov (%rbp), %al"),
    ("3a 03", "cmp (%rbx), %al"),
    ("75 0c", "jne hash_other"),
    ("48 ff c5", "inc %rbp"),
    ("48 ff c3", "inc %rbx"),
    ("84 c0", "test %al, %al"),
    ("75 ef", "jne hash_compare"),
    ("eb 21", "jmp hash_stop"),
    ("48 ff c2", "hash_other: inc %rdx"),
    ("4c 21 e2", "and %r12, %rdx"),
    ("eb cf", "jmp hash_slot"),
    ("45 89 1c 91", "hash_put: mov %r11d, (%r9,%rdx,4)"),
    ("49 ff c3", "hash_step: inc %r11"),
    ("48 83 c6 18", "add $24, %rsi"),
    ("e9 53 ff ff ff", "jmp hash_next"),
    ("45 89 1a", "hash_special: mov %r11d, (%r10)"),
    ("49 83 c2 04", "add $4, %r10"),
    ("eb eb", "jmp hash_step"),
    ("b8 01 00 00 00", "hash_stop: mov $1, %eax"),
    ("eb 06", "jmp hash_return"),
    ("31 c0", "hash_end: xor %eax, %eax"),
    ("4c 89 57 30", "mov %r10, 48(%rdi)"),
    ("41 5f", "hash_return: pop %r15"),
    ("41 5e", "pop %r14"),
    ("41 5d", "pop %r13"),
    ("41 5c", "pop %r12"),
    ("5d", "pop %rbp"),
    ("5b", "pop %rbx"),
    ("c3", "ret"),
)

FIND: Lines = (
    ("f3 0f 1e fa", "endbr64"),
    ("53", "push %rbx"),
    ("55", "push %rbp"),
    ("41 54", "push %r12"),
    ("41 55", "push %r13"),
    ("41 56", "push %r14"),
    ("41 57", "push %r15"),
    ("4c 8b 3f", "mov (%rdi), %r15"),
    ("4c 8b 47 10", "mov 16(%rdi), %r8"),
    ("4c 8b 77 18", "mov 24(%rdi), %r14"),
    ("4c 8b 4f 20", "mov 32(%rdi), %r9"),
    ("48 8b 4f 28", "mov 40(%rdi), %rcx"),
    ("4c 8b 57 30", "mov 48(%rdi), %r10"),
    ("4c 8b 67 38", "mov 56(%rdi), %r12"),
    ("49 bd 15 7c 4a 7f b9 79 37 9e", "movabs $0x9e3779b97f4a7c15, %r13"),
    ("4c 3b 7f 08", "find_next: cmp 8(%rdi), %r15"),
    ("73 60", "jae find_end"),
    ("4c 89 fd", "mov %r15, %rbp"),
    ("31 d2", "xor %edx, %edx"),
    ("0f b6 45 00", "find_byte: movzbl (%rbp), %eax"),
    ("85 c0", "test %eax, %eax"),
    ("74 0c", "je find_place"),
    ("48 6b d2 1f", "imul $31, %rdx, %rdx"),
    ("48 01 c2", "add %rax, %rdx"),
    ("48 ff c5", "inc %rbp"),
    ("eb ec", "jmp find_byte"),
    ("49 0f af d5", "find_place: imul %r13, %rdx"),
    ("48 d3 ea", "shr %cl, %rdx"),
    ("48 8d 75 01", "lea 1(%rbp), %rsi"),  # the next name
    ("45 8b 1c 91", "find_slot: mov (%r9,%rdx,4), %r11d"),
    ("45 85 db", "test %r11d, %r11d"),
    ("74 1f", "je find_out"),
    ("4b 8d 04 5b", "lea (%r11,%r11,2), %rax"),
    ("41 8b 1c c6", "mov (%r14,%rax,8), %ebx"),
    ("4c 01 c3", "add %r8, %rbx"),
    ("4c 89 fd", "mov %r15, %rbp"),
    ("8a 45 00", "find_compare: mov (%rbp), %al"),
    ("3a 03", "cmp (%rbx), %al"),
    ("75 16", "jne find_other"),
    ("48 ff c5", "inc %rbp"),
    ("48 ff c3", "inc %rbx"),
    ("84 c0", "test %al, %al"),
    ("75 ef", "jne find_compare"),
    ("45 89 1a", "find_out: mov %r11d, (%r10)"),
    ("49 83 c2 04", "add $4, %r10"),
    ("49 89 f7", "mov %rsi, %r15"),
    ("eb a2", "jmp find_next"),
    ("48 ff c2", "find_other: inc %rdx"),
    ("4c 21 e2", "and %r12, %rdx"),
    ("eb c4", "jmp find_slot"),
    ("31 c0", "find_end: xor %eax, %eax"),
    ("41 5f", "pop %r15"),
    ("41 5e", "pop %r14"),
    ("41 5d", "pop %r13"),
    ("41 5c", "pop %r12"),
    ("5d", "pop %rbp"),
    ("5b", "pop %rbx"),
    ("c3", "ret"),
)

HASH_CODE, FIND_CODE = [b"".join([bytes.fromhex(code) for code, _ in lines]) for lines in (HASH, FIND)]
