"""The code that stands between linked code and libc's registrations is what its assembly says."""

from rtlinker.elf.reader import read_object
from rtlinker.x86_64.registry import (
    CODE,
    DESCRIPTORS,
    ENTRY,
    ENTRY_SIZE,
    NAMES,
    WORDS,
    entry_code,
    registry_code,
    routine_offsets,
)


def text_of(path):
    object = read_object(path.read_bytes(), "assembled.o")
    return bytes(object.content(object.sections.names.index(".text")))


def test_the_bytes_are_those_of_the_assembly(compile):
    words = "\n".join(f".org 4096 + {offset}\n{name}: .quad 0" for name, offset in WORDS.items())
    text = text_of(compile("\n".join([*(line for _, line in CODE), words]), "asm"))
    code = registry_code(4096)
    assert text[: len(code)] == code
    assert not any(text[len(code) : 4096])


def test_an_entry_is_what_its_assembly_says(compile):
    lines = "\n".join(line.replace("$KIND", "$7") for _, line in ENTRY)
    source = f".org 64\n{lines}\n.org 4096\nOWNER: .quad 0\n.org 4192\nROUTINE: .quad 0"
    text = text_of(compile(source, "asm"))
    code = entry_code(64, 7, 4096, 4192)
    assert len(code) == ENTRY_SIZE
    assert text[64 : 64 + ENTRY_SIZE] == code.rstrip(b"\xcc").ljust(ENTRY_SIZE, b"\0")


def test_whatever_is_jumped_to_through_memory_begins_with_endbr64():
    code, at = registry_code(4096), routine_offsets()
    routines = [routine for _, routine in NAMES.values()] + [routine for _, routine in DESCRIPTORS.values()]
    for routine in (*routines, "drop_cxx", "end_thread", "before_fork", "after_fork", "in_child"):
        assert code[at[routine] :].startswith(b"\xf3\x0f\x1e\xfa")
