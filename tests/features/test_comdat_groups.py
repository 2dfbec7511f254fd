"""COMDAT: of groups with one signature the first is kept, whole; the others are dropped, whole."""

import pytest

import rtlinker

SOURCE = """
inline int __attribute__((noinline)) which() {{ return {0}; }}
extern "C" int call{0}() {{ return which(); }}
"""
ASSEMBLY = """
.section .text.f,"axG",@progbits,sig,comdat
.globl f{0}
f{0}: mov ${0}, %eax
ret
"""


def test_the_first_group_wins_for_all_objects(compile, in_child):
    one, two = compile(SOURCE.format(1), "c++"), compile(SOURCE.format(2), "c++")

    def call(*paths):
        library = rtlinker.load(*paths)
        return library.call1(), library.call2()

    assert in_child(call, one, two) == (1, 1)
    assert in_child(call, two, one) == (2, 2)


def test_a_group_is_dropped_whole_with_the_names_only_it_has(compile, in_child):
    one, two = compile(ASSEMBLY.format(1), "asm"), compile(ASSEMBLY.format(2), "asm")

    def names():
        library = rtlinker.load(one, two)
        return "f1" in library, "f2" in library, library.function("f1", "int(void)")()

    assert in_child(names) == (True, False, 1)


def test_what_only_a_dropped_group_refers_to_is_not_missed(compile, in_child):
    group = '.section .text.one,"axG",@progbits,one,comdat\n.weak one\none: {body}\nret\n'
    kept = compile(group.format(body="mov $4, %eax"), "asm")
    dropped = compile(group.format(body="call nobody_has_this") + ".text\n.globl use\nuse: jmp one\n", "asm")

    def call(*paths):
        return rtlinker.load(*paths).function("use", "int(void)")()

    assert in_child(call, kept, dropped) == 4
    with pytest.raises(rtlinker.UndefinedSymbolsError):
        in_child(call, dropped, kept)
