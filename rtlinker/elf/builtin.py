"""The functions of libc_nonshared.a: a built-in archive, for machines that have libc.so.6 but no development files.

A few names of C and POSIX are not in libc.so.6 at all. gcc links them into every program from libc_nonshared.a,
because they must know which library they are called from (`atexit` passes `__dso_handle`, so that `dlclose` and our
unload run the right functions), or because glibc before 2.33 had `stat` only as `__xstat` with a version number in
front. An object that calls them is linked in memory like any other, so it needs the same few bytes of code.

Members are pulled like those of any archive, last of all: a process that has `stat` keeps its own. Code that the
user's own libc_nonshared.a defines wins when that archive comes first.

The assembly stands beside its bytes; tests assemble it again and compare. Calling convention: System V psABI 3.2.3
(arguments in rdi, rsi, rdx, rcx, r8, r9). Signatures: glibc's stdlib/cxa_atexit.c, cxa_at_quick_exit.c,
nptl/register-atfork.c and io/xstat.c, where _STAT_VER is 1 and _MKNOD_VER is 0 on x86-64.
"""

from __future__ import annotations

from rtlinker.elf import constants as elf
from rtlinker.elf.archive import Member
from rtlinker.errors import BadObjectError
from rtlinker.facts import Fact, derived

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rtlinker.elf.archive import Archive

R_X86_64_PC32, R_X86_64_PLT32 = 2, 4
"""S + A - P and L + A - P (psABI table 4.9); both fields are the last four bytes of their instruction."""


class Line(Fact):
    """One instruction: its bytes in hex, its assembly, and what the relocation of its last four bytes names."""

    code: str
    assembly: str
    rule: int = 0
    target: str = ""


class Routine(Fact):
    """One member: the functions it defines (the first one strong, the others weak) and their code."""

    names: tuple[str, ...]
    lines: tuple[Line, ...]
    visibility: int = elf.STV_DEFAULT


ENDBR = Line("f3 0f 1e fa", "endbr64")
DSO_IN_RSI = Line("48 8d 35 00 00 00 00", "lea __dso_handle(%rip), %rsi", R_X86_64_PC32, "__dso_handle")
DSO_IN_RDX = Line("48 8d 15 00 00 00 00", "lea __dso_handle(%rip), %rdx", R_X86_64_PC32, "__dso_handle")
DSO_IN_RCX = Line("48 8d 0d 00 00 00 00", "lea __dso_handle(%rip), %rcx", R_X86_64_PC32, "__dso_handle")


def jump(target: str) -> Line:
    """A tail call."""
    return Line("e9 00 00 00 00", f"jmp {target}@PLT", R_X86_64_PLT32, target)


def call(target: str) -> Line:
    """A call, which expects the stack aligned to 16 bytes."""
    return Line("e8 00 00 00 00", f"call {target}@PLT", R_X86_64_PLT32, target)


# (path or descriptor, buffer) becomes (1, path or descriptor, buffer)
STAT_PATH = (
    ENDBR,
    Line("48 89 f2", "mov %rsi, %rdx"),
    Line("48 89 fe", "mov %rdi, %rsi"),
    Line("bf 01 00 00 00", "mov $1, %edi"),
)
STAT_DESCRIPTOR = (
    ENDBR,
    Line("48 89 f2", "mov %rsi, %rdx"),
    Line("89 fe", "mov %edi, %esi"),
    Line("bf 01 00 00 00", "mov $1, %edi"),
)
# (directory, path, buffer, flags) becomes (1, directory, path, buffer, flags)
STAT_AT = (
    ENDBR,
    Line("41 89 c8", "mov %ecx, %r8d"),
    Line("48 89 d1", "mov %rdx, %rcx"),
    Line("48 89 f2", "mov %rsi, %rdx"),
    Line("89 fe", "mov %edi, %esi"),
    Line("bf 01 00 00 00", "mov $1, %edi"),
)
RETURN = (
    Line("48 83 c4 18", "add $24, %rsp"),
    Line("c3", "ret"),
)

ROUTINES = (
    Routine(("atexit",), (ENDBR, DSO_IN_RDX, Line("31 f6", "xor %esi, %esi"), jump("__cxa_atexit"))),
    Routine(("at_quick_exit",), (ENDBR, DSO_IN_RSI, jump("__cxa_at_quick_exit"))),
    Routine(("__pthread_atfork", "pthread_atfork"), (ENDBR, DSO_IN_RCX, jump("__register_atfork"))),
    Routine(
        ("__stack_chk_fail_local",),
        (ENDBR, Line("48 83 ec 08", "sub $8, %rsp"), call("__stack_chk_fail")),
        elf.STV_HIDDEN,
    ),
    Routine(("stat",), (*STAT_PATH, jump("__xstat"))),
    Routine(("stat64",), (*STAT_PATH, jump("__xstat64"))),
    Routine(("lstat",), (*STAT_PATH, jump("__lxstat"))),
    Routine(("lstat64",), (*STAT_PATH, jump("__lxstat64"))),
    Routine(("fstat",), (*STAT_DESCRIPTOR, jump("__fxstat"))),
    Routine(("fstat64",), (*STAT_DESCRIPTOR, jump("__fxstat64"))),
    Routine(("fstatat",), (*STAT_AT, jump("__fxstatat"))),
    Routine(("fstatat64",), (*STAT_AT, jump("__fxstatat64"))),
    # (path, mode, device) becomes (0, path, mode, address of device)
    Routine(
        ("mknod",),
        (
            ENDBR,
            Line("48 83 ec 18", "sub $24, %rsp"),
            Line("48 89 54 24 08", "mov %rdx, 8(%rsp)"),
            Line("48 8d 4c 24 08", "lea 8(%rsp), %rcx"),
            Line("89 f2", "mov %esi, %edx"),
            Line("48 89 fe", "mov %rdi, %rsi"),
            Line("31 ff", "xor %edi, %edi"),
            call("__xmknod"),
            *RETURN,
        ),
    ),
    # (directory, path, mode, device) becomes (0, directory, path, mode, address of device)
    Routine(
        ("mknodat",),
        (
            ENDBR,
            Line("48 83 ec 18", "sub $24, %rsp"),
            Line("48 89 4c 24 08", "mov %rcx, 8(%rsp)"),
            Line("4c 8d 44 24 08", "lea 8(%rsp), %r8"),
            Line("89 d1", "mov %edx, %ecx"),
            Line("48 89 f2", "mov %rsi, %rdx"),
            Line("89 fe", "mov %edi, %esi"),
            Line("31 ff", "xor %edi, %edi"),
            call("__xmknodat"),
            *RETURN,
        ),
    ),
)


class BuiltinArchive(Fact):
    """Looks like an Archive to whoever pulls members; the bytes of a member are made when they are asked for."""

    name: str = "rtlinker's libc_nonshared"
    routines: tuple[Routine, ...] = ROUTINES

    thin = False
    has_index = True

    @derived
    def members(self) -> tuple[Member, ...]:
        """One member per routine. There is no file: the header offset is a number that `member_at` knows."""
        return tuple(Member(routine.names[0] + ".o", at, at, 0) for at, routine in enumerate(self.routines, 1))

    @derived
    def index_table(self) -> dict[str, int]:
        """What `index()` returns."""
        return {name: number for number, routine in enumerate(self.routines, 1) for name in routine.names}

    def index(self) -> dict[str, int]:
        """Symbol name to the number of its member; read-only."""
        return self.index_table

    def index_with(self, define: Callable[[Archive, Member], Iterable[str]]) -> dict[str, int]:
        """The same: what the members define is known without reading them."""
        return self.index_table

    def member_at(self, header_offset: int) -> Member:
        """The member with that number. Raises BadObjectError when there is none."""
        if not 0 < header_offset <= len(self.members):
            raise BadObjectError(self.name, "no member header here", where=hex(header_offset))
        return self.members[header_offset - 1]

    def contents(self, member: Member) -> memoryview:
        """The object file of `member`, made anew at each call."""
        return memoryview(write_routine(self.routines[member.header_offset - 1]))

    def label(self, member: Member) -> str:
        """`rtlinker's libc_nonshared(atexit.o)`."""
        return f"{self.name}({member.name})"


def builtin_archive() -> BuiltinArchive:
    """The built-in archive, to be searched after everything the user named and everything the process has."""
    return BuiltinArchive()


def write_routine(routine: Routine) -> bytes:
    """An object file with the routine in `.text`. `__dso_handle` is hidden in it, so that it is the link's own."""
    from rtlinker.elf.writer import ObjectWriter

    code = bytearray()
    writer = ObjectWriter()
    sites: list[tuple[int, int, str]] = []
    for line in routine.lines:
        code += bytes.fromhex(line.code)
        if line.rule:
            sites.append((len(code) - 4, line.rule, line.target))
    text = writer.section(".text", bytes(code), elf.SHT_PROGBITS, elf.SHF_ALLOC | elf.SHF_EXECINSTR, 16)
    writer.section(".note.GNU-stack")
    bind = elf.STB_GLOBAL
    for name in routine.names:
        writer.symbol(name, text, 0, len(code), bind=bind, type=elf.STT_FUNC, visibility=routine.visibility)
        bind = elf.STB_WEAK
    for offset, rule, target in sites:
        visibility = elf.STV_HIDDEN if target == "__dso_handle" else elf.STV_DEFAULT
        # the field is the end of the instruction, and rip is behind it: four bytes from P
        writer.relocation(text, offset, rule, writer.undefined(target, visibility=visibility), -4)
    return writer.bytes()
