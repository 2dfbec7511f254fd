"""The code that runs destructors at C's exit is what its assembly says."""

from rtlinker.elf.reader import read_object
from rtlinker.x86_64.at_exit import RUN_CHAIN, WORDS, chain_code


def test_the_bytes_are_those_of_the_assembly(compile):
    lines = [assembly for _, assembly in RUN_CHAIN]
    path = compile("\n".join([*lines, ".org 4096", *(f"{word}: .quad 0" for word in WORDS)]), "asm")
    object = read_object(path.read_bytes(), "assembled.o")
    text = object.content(object.sections.names.index(".text"))
    code = chain_code(4096)
    assert text[: len(code)] == code
    assert not any(text[len(code) : 4096])
