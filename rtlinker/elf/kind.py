"""What a file is, told from its first bytes, so that an error says more than "not an object"."""

from __future__ import annotations

from struct import unpack_from

from rtlinker.elf.constants import ELFCLASS32, ELFDATA2LSB, ELFMAG, EM_X86_64
from rtlinker.elf.ldscript import looks_like_script
from rtlinker.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mmap import mmap


class FileKind(Fact):
    """`kind` is one of the words below, for programs; `description` is for people and fits behind "the file is".

    object, executable, shared library, core, elf32, elf other machine, archive, thin archive, linker script,
    llvm bitcode, text, empty, unknown.
    """

    kind: str
    description: str


ELF_KINDS = {
    1: FileKind("object", "an ELF relocatable object"),
    2: FileKind("executable", "an ELF executable"),
    3: FileKind("shared library", "an ELF shared library or position-independent executable"),
    4: FileKind("core", "an ELF core dump"),
}
"""By e_type."""

MACHINES = {
    2: "SPARC",
    3: "i386",
    8: "MIPS",
    20: "PowerPC",
    21: "PowerPC64",
    22: "s390x",
    40: "Arm",
    43: "SPARC V9",
    50: "IA-64",
    EM_X86_64: "x86-64",
    183: "AArch64",
    243: "RISC-V",
    247: "BPF",
    258: "LoongArch",
}
"""By e_machine (gABI, list of machines)."""

MAGICS = (
    (b"!<arch>\n", FileKind("archive", "an archive")),
    (b"!<thin>\n", FileKind("thin archive", "a thin archive")),
    (b"BC\xc0\xde", FileKind("llvm bitcode", "LLVM bitcode, made with -flto or -emit-llvm")),
    (b"\xde\xc0\x17\x0b", FileKind("llvm bitcode", "LLVM bitcode in a wrapper")),
    (b"\xcf\xfa\xed\xfe", FileKind("unknown", "a Mach-O file, of macOS")),
    (b"\xca\xfe\xba\xbe", FileKind("unknown", "a Mach-O universal file or a Java class")),
    (b"MZ", FileKind("unknown", "a Windows program or library")),
    (b"\x64\x86", FileKind("unknown", "a COFF object, of Windows")),
    (b"\0asm", FileKind("unknown", "a WebAssembly module")),
    (b"\x1f\x8b", FileKind("unknown", "a gzip-compressed file")),
    (b"\xfd7zXZ\0", FileKind("unknown", "an xz-compressed file")),
    (b"\x28\xb5\x2f\xfd", FileKind("unknown", "a zstd-compressed file")),
    (b"gch", FileKind("unknown", "a precompiled header of gcc")),
)

LOOKED_AT = 4096
"""Bytes of the file that are looked at, at most."""


def file_kind(data: bytes | memoryview | mmap) -> FileKind:
    """What the file with these contents is. Looks at the first 4,096 bytes and never raises.

    An ELF file for another class, byte order or machine is `elf32` or `elf other machine`, whatever its type.
    """
    head = bytes(data[:LOOKED_AT])
    if not head:
        return FileKind("empty", "an empty file")
    if head.startswith(ELFMAG):
        return elf_kind(head)
    for magic, kind in MAGICS:
        if head.startswith(magic):
            return kind
    if looks_like_script(head):
        return FileKind("linker script", "a linker script")
    if is_text(head):
        return FileKind("text", f"a text file that begins with {first_line(head)!r}")
    return FileKind("unknown", f"of no known kind; it begins with {head[:8].hex(' ')}")


def elf_kind(head: bytes) -> FileKind:
    """The kind of a file that begins with the ELF magic (gABI, ELF identification)."""
    if len(head) < 20:
        return FileKind("unknown", f"an ELF file cut short after {len(head)} bytes")
    little = head[5] == ELFDATA2LSB
    e_type, e_machine = unpack_from("<HH" if little else ">HH", head, 16)
    machine = MACHINES.get(e_machine, f"machine {e_machine}")
    if head[4] == ELFCLASS32:
        machine = "x86-64 with 32-bit pointers (x32)" if e_machine == EM_X86_64 else machine
        return FileKind("elf32", f"a 32-bit ELF file for {machine}")
    if e_machine != EM_X86_64 or not little:
        return FileKind("elf other machine", f"an ELF file for {machine}{'' if little else ', big-endian'}")
    return ELF_KINDS.get(e_type) or FileKind("unknown", f"an ELF file of the unknown type {e_type}")


def is_text(head: bytes) -> bool:
    """Whether people could read it: UTF-8 without control characters, cut anywhere."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as problem:
        if problem.start < len(head) - 3:
            return False
        text = head[: problem.start].decode("utf-8")
    return bool(text) and all(character >= " " or character in "\t\n\f\r\v\x1b" for character in text)


def first_line(head: bytes) -> str:
    """The first line, shortened to fit into a message."""
    line = head.decode("utf-8", "replace").strip().partition("\n")[0].rstrip()
    return line if len(line) <= 40 else line[:37] + "..."
