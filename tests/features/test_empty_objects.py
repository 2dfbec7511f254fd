"""Objects with nothing in them are objects: assemblers write them for sources that are empty on this machine."""

import pytest

import rtlinker
from rtlinker.elf.writer import ObjectWriter
from tests.support.compile import run


def test_an_object_without_content_links_to_nothing(compile, in_child):
    empty, add = compile("", "asm"), compile("int add(int a, int b) { return a + b; }")
    assert in_child(lambda: rtlinker.load(empty, add).add(2, 3)) == 5


def test_an_object_without_a_symbol_table_and_content_is_accepted(compile, workshop, in_child, tmp_path):
    import subprocess

    path = compile("", "asm")
    subprocess.run(["strip", path], check=True)
    assert in_child(lambda: rtlinker.load(path).names()) == []


def test_an_object_made_by_our_writer_without_symbols_is_accepted(in_child):
    assert in_child(lambda: rtlinker.load(ObjectWriter().bytes()).names()) == []


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_an_object_with_nothing_but_a_note_is_accepted_without_a_symbol_table(compile, in_child, compiler):
    path = compile("", compiler=compiler, flags=["-fcf-protection"], name="noted.o")
    run("strip", "--strip-unneeded", path)
    assert b".note.gnu.property" in path.read_bytes()
    assert b".symtab" not in path.read_bytes()
    assert in_child(lambda: rtlinker.load(path).names()) == []
