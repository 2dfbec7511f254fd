"""Objects that we write, read by binutils: the writer itself, and the built-in routines against the assembler."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rtlinker.elf import constants as elf
from rtlinker.elf.archive import read_archive
from rtlinker.elf.builtin import ROUTINES, Routine, builtin_archive, write_routine
from rtlinker.elf.writer import ObjectWriter

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("as", "ld", "gcc", "readelf", "objdump"))), reason="needs gcc and binutils"
)

CODE = elf.SHF_ALLOC | elf.SHF_EXECINSTR
each_routine = pytest.mark.parametrize("routine", ROUTINES, ids=lambda routine: routine.names[0])


def run(*command: object) -> str:
    """Standard output and standard error together, so that a warning is part of the answer."""
    done = subprocess.run([str(word) for word in command], check=True, stdout=-1, stderr=subprocess.STDOUT)
    return done.stdout.decode()


def small() -> bytes:
    writer = ObjectWriter()
    text = writer.section(".text", b"\xe8\0\0\0\0\xc3", flags=CODE, align=16)
    inline = writer.section(".text.inline", b"\xc3", flags=CODE)
    bss = writer.section(".bss", type=elf.SHT_NOBITS, flags=elf.SHF_ALLOC | elf.SHF_WRITE, size=64, align=32)
    writer.section(".note.GNU-stack")
    writer.symbol("main", text, size=6, type=elf.STT_FUNC)
    writer.symbol("buffer", bss, 8, 16, bind=elf.STB_LOCAL, type=elf.STT_OBJECT)
    writer.group(writer.symbol("inline", inline, bind=elf.STB_WEAK, type=elf.STT_FUNC), [inline])
    writer.relocation(text, 1, 4, writer.undefined("puts"), -4)
    writer.absolute("answer", 42)
    writer.common("shared", 8, 16)
    return writer.bytes()


def large() -> bytes:
    writer = ObjectWriter()
    for number in range(66_000):
        writer.symbol(f"f{number}", writer.section(f".text.{number}", b"\xc3", flags=CODE))
    return writer.bytes()


@pytest.fixture(params=[small, large])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "x.o"
    path.write_bytes(request.param())
    return path


def test_readelf_has_no_complaint(written: Path) -> None:
    assert [
        line for line in run("readelf", "-aW", written).splitlines() if re.search("warning|error", line, re.I)
    ] == []


def test_ld_accepts_the_object_without_a_word(written: Path, tmp_path: Path) -> None:
    assert run("ld", "-r", written, "-o", tmp_path / "out.o") == ""


def test_readelf_shows_the_symbols_written(tmp_path: Path) -> None:
    path = tmp_path / "x.o"
    path.write_bytes(small())
    rows = [line.split()[1:] for line in run("readelf", "-sW", path).splitlines() if re.match(r"\s+[1-9]\d*: ", line)]
    assert [" ".join(row) for row in rows] == [
        "0000000000000008 16 OBJECT LOCAL DEFAULT 4 buffer",
        "0000000000000000 6 FUNC GLOBAL DEFAULT 2 main",
        "0000000000000000 0 FUNC WEAK DEFAULT 3 inline",
        "0000000000000000 0 NOTYPE GLOBAL DEFAULT UND puts",
        "000000000000002a 0 NOTYPE GLOBAL DEFAULT ABS answer",
        "0000000000000010 8 OBJECT GLOBAL DEFAULT COM shared",
    ]


def test_objdump_shows_the_relocation_written(tmp_path: Path) -> None:
    path = tmp_path / "x.o"
    path.write_bytes(small())
    assert re.findall(r"^(\w+) (R_\w+)\s+(\S+)$", run("objdump", "-r", path), re.M) == [
        ("0000000000000001", "R_X86_64_PLT32", "puts-0x0000000000000004")
    ]


def objcopied(path: Path, section: str) -> bytes:
    target = path.with_suffix(".bin")
    run("objcopy", "-O", "binary", "-j", section, path, target)
    return target.read_bytes()


def relocations(path: Path) -> list[tuple[str, str, str]]:
    return re.findall(r"^(\w+) (R_\w+)\s+(\S+)$", run("objdump", "-r", path), re.M)


def assembled(routine: Routine, directory: Path) -> tuple[Path, Path]:
    """The routine as we write it, and as the assembler makes it from the text beside the bytes."""
    ours, theirs, source = directory / "ours.o", directory / "theirs.o", directory / "x.s"
    source.write_text("".join(line.assembly + "\n" for line in routine.lines))
    ours.write_bytes(write_routine(routine))
    run("as", "-o", theirs, source)
    return ours, theirs


@each_routine
def test_the_bytes_of_a_routine_are_those_of_its_assembly(routine: Routine, tmp_path: Path) -> None:
    ours, theirs = assembled(routine, tmp_path)
    assert objcopied(ours, ".text").hex(" ") == objcopied(theirs, ".text").hex(" ")


@each_routine
def test_the_relocations_of_a_routine_are_those_of_its_assembly(routine: Routine, tmp_path: Path) -> None:
    ours, theirs = assembled(routine, tmp_path)
    assert relocations(ours) == relocations(theirs)


SPY = r"""
#include <stdio.h>
typedef unsigned long word;
void *__dso_handle = &__dso_handle;
#define DSO ((word) &__dso_handle)
static int seen(const char *name, word a, word b, word c, word d, word e) {
    if ((word) __builtin_frame_address(0) % 16) puts("misaligned stack");
    return printf("%s %lx %lx %lx %lx %lx\n", name, a, b, c, d, e), 77;
}
static word own(word value) { return value == DSO ? 0xd50 : value; }
int __cxa_atexit(word f, word arg, word dso) { return seen("__cxa_atexit", f, arg, own(dso), 0, 0); }
int __cxa_at_quick_exit(word f, word dso) { return seen("__cxa_at_quick_exit", f, own(dso), 0, 0, 0); }
int __register_atfork(word a, word b, word c, word dso) { return seen("__register_atfork", a, b, c, own(dso), 0); }
int __xstat(int v, word p, word b) { return seen("__xstat", v, p, b, 0, 0); }
int __lxstat(int v, word p, word b) { return seen("__lxstat", v, p, b, 0, 0); }
int __fxstat(int v, int f, word b) { return seen("__fxstat", v, f, b, 0, 0); }
int __fxstatat(int v, int f, word p, word b, int g) { return seen("__fxstatat", v, f, p, b, g); }
int __xstat64(int v, word p, word b) { return seen("__xstat64", v, p, b, 0, 0); }
int __lxstat64(int v, word p, word b) { return seen("__lxstat64", v, p, b, 0, 0); }
int __fxstat64(int v, int f, word b) { return seen("__fxstat64", v, f, b, 0, 0); }
int __fxstatat64(int v, int f, word p, word b, int g) { return seen("__fxstatat64", v, f, p, b, g); }
int __xmknod(int v, word p, unsigned m, word *d) { return seen("__xmknod", v, p, m, *d, 0); }
int __xmknodat(int v, int f, word p, unsigned m, word *d) { return seen("__xmknodat", v, f, p, m, *d); }
int FUNCTION(word, word, word, word);
int main(void) { return FUNCTION(0x11, 0x22, 0x33, 0x44) != 77; }
"""

CALLS = {
    "atexit": "__cxa_atexit 11 0 d50 0 0",
    "at_quick_exit": "__cxa_at_quick_exit 11 d50 0 0 0",
    "__pthread_atfork": "__register_atfork 11 22 33 d50 0",
    "pthread_atfork": "__register_atfork 11 22 33 d50 0",
    "stat": "__xstat 1 11 22 0 0",
    "stat64": "__xstat64 1 11 22 0 0",
    "lstat": "__lxstat 1 11 22 0 0",
    "lstat64": "__lxstat64 1 11 22 0 0",
    "fstat": "__fxstat 1 11 22 0 0",
    "fstat64": "__fxstat64 1 11 22 0 0",
    "fstatat": "__fxstatat 1 11 22 33 44",
    "fstatat64": "__fxstatat64 1 11 22 33 44",
    "mknod": "__xmknod 0 11 22 33 0",
    "mknodat": "__xmknodat 0 11 22 33 44",
}


def start_file(directory: Path) -> Path:
    """An entry point that calls main and leaves through exit, which flushes standard output."""
    path = directory / "start.s"
    path.write_text(".globl start\nstart: and $-16, %rsp\ncall main\nmov %eax, %edi\ncall exit@PLT\n")
    return path


def test_every_callable_name_has_an_expected_call() -> None:
    assert set(CALLS) == set(builtin_archive().index()) - {"__stack_chk_fail_local"}


@pytest.mark.parametrize("name", CALLS)
def test_a_routine_hands_its_arguments_on_as_glibc_expects(name: str, tmp_path: Path) -> None:
    archive = builtin_archive()
    routine, spy, program = tmp_path / "routine.o", tmp_path / "spy.c", tmp_path / "program"
    routine.write_bytes(archive.contents(archive.member_at(archive.index()[name])))
    spy.write_text(SPY.replace("FUNCTION", name))
    # crtbegin.o would bring a __dso_handle of its own
    run(
        "gcc",
        "-fno-builtin",
        "-w",
        "-O1",
        "-nostartfiles",
        "-e",
        "start",
        spy,
        start_file(tmp_path),
        routine,
        "-o",
        program,
    )
    assert run(program).strip() == CALLS[name]


@pytest.mark.skipif(not Path("/usr/lib/x86_64-linux-gnu/libc_nonshared.a").exists(), reason="needs libc6-dev")
def test_every_function_of_the_installed_libc_nonshared_is_built_in() -> None:
    data = Path("/usr/lib/x86_64-linux-gnu/libc_nonshared.a").read_bytes()
    assert set(read_archive(data, "libc_nonshared.a").index()) <= set(builtin_archive().index())
