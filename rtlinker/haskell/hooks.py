"""Machine code that stands for five kinds of functions which Haskell objects call.

**newCAF.** A constant of a module (a CAF, a constant applicative form) is evaluated once; its code announces itself to
`newCAF` first. The runtime offers two: `newRetainedCAF` keeps the value for ever, and with it the module; `newGCdCAF`
lets go of it as soon as no Haskell object refers to the module's code. But a module that is loaded is referred to by
nobody in Haskell between two calls from Python, and the next call would meet a constant whose value is gone. So ours
calls newGCdCAF and then makes the constant a root, a stable pointer, and writes down which: a record of three words
(next, constant, stable pointer). To unload a module is to take the records of its constants back.

**registerForeignExports.** A constructor of each object with a `foreign export` hands a list to the runtime, which
makes stable pointers of the exported closures and never frees them, but for its own linker. Ours chains the lists by
their first word, which is there for that; Python makes the stable pointers and knows them.

**registerCcsList.** A constructor of each object by `ghc -prof` hands its stacks of cost centres to the runtime, which
chains them, and completes them when it starts: parent, root and depth. Those that come later it leaves incomplete, with
the chain in the place of the parent, and code that compares stacks runs astray.
Ours completes each at once, below the main one. They are on no list, so no report has them.

**setenv, unsetenv, putenv, clearenv.** Static code reads `environ` with a 32-bit displacement, and libc's is out of
reach. The static host therefore has an `environ` of its own: a word that is made equal to libc's at each call from
Python, and by these functions after each change that Haskell code makes itself.

**program_invocation_short_name** is read in the same way, by the threaded runtime, to name its threads. libc sets it
once, before `main`, so a word of our own with the same value is right.
"""

from __future__ import annotations

from rtlinker.elf import constants as elf
from rtlinker.elf.builtin import ENDBR, Line, call
from rtlinker.elf.writer import ObjectWriter
from rtlinker.facts import Fact

R_X86_64_PC32, R_X86_64_GOTPCREL = 2, 9

CAFS, EXPORTS, ENVIRON, SHORT_NAME = "rtlinker_cafs", "rtlinker_exports", "environ", "program_invocation_short_name"
NEW_CAF, REGISTER, STACKS = "rtlinker_newCAF", "rtlinker_registerForeignExports", "rtlinker_registerCcsList"
LIBC = "rtlinker_libc_"
"""What libc's own functions are called in the code that stands before them."""

CHANGERS = ("setenv", "unsetenv", "putenv", "clearenv")

KEEP_CONSTANT = (
    ENDBR,
    Line("53", "push %rbx"),
    Line("55", "push %rbp"),
    Line("48 83 ec 08", "sub $8, %rsp"),
    Line("48 89 f3", "mov %rsi, %rbx"),
    call("newGCdCAF"),
    Line("48 89 c5", "mov %rax, %rbp"),
    Line("48 85 c0", "test %rax, %rax"),
    Line("74 37", "je .+57"),
    Line("bf 18 00 00 00", "mov $24, %edi"),
    call("malloc"),
    Line("48 85 c0", "test %rax, %rax"),
    Line("74 28", "je .+42"),
    Line("48 89 58 08", "mov %rbx, 8(%rax)"),
    Line("48 89 df", "mov %rbx, %rdi"),
    Line("48 89 c3", "mov %rax, %rbx"),
    call("getStablePtr"),
    Line("48 89 43 10", "mov %rax, 16(%rbx)"),
    Line("48 8b 05 00 00 00 00", "mov rtlinker_cafs(%rip), %rax", R_X86_64_PC32, CAFS),
    Line("48 89 03", "mov %rax, (%rbx)"),
    Line("f0 48 0f b1 1d 00 00 00 00", "lock cmpxchg %rbx, rtlinker_cafs(%rip)", R_X86_64_PC32, CAFS),
    Line("75 f2", "jne .-12"),
    Line("48 89 e8", "mov %rbp, %rax"),
    Line("48 83 c4 08", "add $8, %rsp"),
    Line("5d", "pop %rbp"),
    Line("5b", "pop %rbx"),
    Line("c3", "ret"),
)
"""(register table, constant) -> the black hole, or 0. The record is pushed before anybody can see the value."""

CHAIN_EXPORTS = (
    ENDBR,
    Line("48 8b 05 00 00 00 00", "mov rtlinker_exports(%rip), %rax", R_X86_64_PC32, EXPORTS),
    Line("48 89 07", "mov %rax, (%rdi)"),
    Line("48 89 3d 00 00 00 00", "mov %rdi, rtlinker_exports(%rip)", R_X86_64_PC32, EXPORTS),
    Line("c3", "ret"),
)


COMPLETE_STACKS = (
    ENDBR,
    Line("48 8b 0d 00 00 00 00", "mov CCS_MAIN@GOTPCREL(%rip), %rcx", R_X86_64_GOTPCREL, "CCS_MAIN"),
    Line("eb 18", "jmp .+26"),
    Line("48 8b 50 08", "mov 8(%rax), %rdx"),
    Line("48 89 48 10", "mov %rcx, 16(%rax)"),
    Line("48 89 50 20", "mov %rdx, 32(%rax)"),
    Line("48 c7 40 28 01 00 00 00", "movq $1, 40(%rax)"),
    Line("48 83 c7 08", "add $8, %rdi"),
    Line("48 8b 07", "mov (%rdi), %rax"),
    Line("48 85 c0", "test %rax, %rax"),
    Line("75 e0", "jne .-30"),
    Line("c3", "ret"),
)
"""(addresses of stacks, up to a zero): prevStack is CCS_MAIN, root is cc, depth 1 (CostCentreStack of CCS.h)."""


def change_environment(name: str) -> tuple[Line, ...]:
    """The code of libc's function, and then libc's `environ` copied to ours; its result is the function's."""
    libc_environ = LIBC + ENVIRON
    return (
        ENDBR,
        Line("48 83 ec 08", "sub $8, %rsp"),
        call(LIBC + name),
        Line("48 8b 0d 00 00 00 00", f"mov {libc_environ}@GOTPCREL(%rip), %rcx", R_X86_64_GOTPCREL, libc_environ),
        Line("48 8b 09", "mov (%rcx), %rcx"),
        Line("48 89 0d 00 00 00 00", "mov %rcx, environ(%rip)", R_X86_64_PC32, ENVIRON),
        Line("48 83 c4 08", "add $8, %rsp"),
        Line("c3", "ret"),
    )


class Hooks(Fact):
    """One object: functions by name, and words of data that begin as zero."""

    functions: dict[str, tuple[Line, ...]]
    words: tuple[str, ...]

    def written(self) -> bytes:
        """The object file."""
        writer = ObjectWriter()
        code, sites, starts = self._code()
        text = writer.section(".text", code, elf.SHT_PROGBITS, elf.SHF_ALLOC | elf.SHF_EXECINSTR, 16)
        bss = writer.section(
            ".bss", b"", elf.SHT_NOBITS, elf.SHF_ALLOC | elf.SHF_WRITE, 8, size=8 * max(1, len(self.words))
        )
        writer.section(".note.GNU-stack")
        names = {word: writer.symbol(word, bss, 8 * at, 8, type=elf.STT_OBJECT) for at, word in enumerate(self.words)}
        for name, (start, end) in starts.items():
            names[name] = writer.symbol(name, text, start, end - start, type=elf.STT_FUNC)
        for offset, rule, target in sites:
            if target not in names:
                names[target] = writer.undefined(target)
            writer.relocation(text, offset, rule, names[target], -4)
        return writer.bytes()

    def _code(self) -> tuple[bytes, list[tuple[int, int, str]], dict[str, tuple[int, int]]]:
        """The code, its sites (offset, rule, target), and where each function starts and ends."""
        code, sites, starts = bytearray(), [], {}
        for name, lines in self.functions.items():
            code += b"\xcc" * (-len(code) % 16)
            start = len(code)
            for line in lines:
                code += bytes.fromhex(line.code)
                if line.rule:
                    sites.append((len(code) - 4, line.rule, line.target))
            starts[name] = start, len(code)
        return bytes(code), sites, starts


KEEPER = Hooks({NEW_CAF: KEEP_CONSTANT, REGISTER: CHAIN_EXPORTS}, (CAFS, EXPORTS))
"""For every kind of runtime."""

PROFILER = Hooks({STACKS: COMPLETE_STACKS}, ())
"""For the profiling runtime."""

SURROUNDINGS = Hooks({name: change_environment(name) for name in CHANGERS}, (ENVIRON, SHORT_NAME))
"""For the static one, which is linked together with it."""
