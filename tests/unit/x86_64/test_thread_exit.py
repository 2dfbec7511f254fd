"""The code that counts thread-exit destructors is what its assembly says."""

from rtlinker.elf.reader import read_object
from rtlinker.x86_64.thread_exit import FORGET_OTHERS, REGISTER_EXIT, RUN_EXITS, WORDS, thread_exit_code


def test_the_bytes_are_those_of_the_assembly(compile):
    lines = [assembly for _, assembly in (*REGISTER_EXIT, *RUN_EXITS, *FORGET_OTHERS)]
    path = compile("\n".join([*lines, ".org 4096", *(f"{word}: .quad 0" for word in WORDS)]), "asm")
    object = read_object(path.read_bytes(), "assembled.o")
    text = object.content(object.sections.names.index(".text"))
    code, starts = thread_exit_code(4096)
    assert text[: len(code)] == code
    assert [code[start : start + 4] for start in starts] == [b"\xf3\x0f\x1e\xfa"] * 3
