"""What an object defines and wants, by its symbol table; both engines agree."""

import pytest

from rtlinker.elf.index import index_symbols
from rtlinker.elf.reader import read_object

SOURCE = """
.text
.globl "f@@V2", f
"f@@V2": nop
f: nop
.globl "g@@V2"
"g@@V2": nop
.section .tdata,"awT"
.globl own
.type own, @tls_object
own: .quad 1
.text
mov other@tpoff, %rax
.data
.globl one
.type one, @gnu_unique_object
one: .quad 1
"""


@pytest.mark.parametrize("engine", ["scalar", "native"])
def test_thread_local_are_those_that_are_wanted_and_unique_those_that_are_defined(compile, engine):
    object = read_object(compile(SOURCE, "asm").read_bytes(), "a.o")
    index = index_symbols(object, engine)
    assert [object.symbols.name(at) for at in index.threads] == ["other"]
    assert [object.symbols.name(at) for at in index.uniques] == ["one"]


@pytest.mark.parametrize("engine", ["scalar", "native"])
def test_a_default_version_answers_to_the_plain_name_unless_the_object_defines_that(compile, engine):
    object = read_object(compile(SOURCE, "asm").read_bytes(), "a.o")
    defined = index_symbols(object, engine).defined
    assert object.symbols.name(defined["f"]) == "f"
    assert object.symbols.name(defined["g"]) == object.symbols.name(defined["g@V2"]) == "g@@V2"
