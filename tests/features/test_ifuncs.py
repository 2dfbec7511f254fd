"""Indirect functions (ifunc): their own code says which implementation they are, and they have one address."""

import pytest

import rtlinker
from rtlinker.elf.constants import SHF_ALLOC, SHF_WRITE, SHT_PROGBITS, STT_GNU_IFUNC
from rtlinker.elf.writer import ObjectWriter
from rtlinker.errors import BadObjectError

SOURCE = """
static int twice(int x) { return 2 * x; }
static int wrong(int x) { return -1; }
static int ready = 1;
static int (*choose(void))(int) { return ready ? twice : wrong; }
int pick(int) __attribute__((ifunc("choose")));
static int own(int) __attribute__((ifunc("choose")));
int (*volatile table[])(int) = { pick, own };
int *order(void) { static int seen; return &seen; }
int during;
__attribute__((constructor)) static void early(void) { during = pick(20); }
int sum(int x) { return pick(x) + own(x) + table[0](x) + table[1](x); }
int equal(void) { return table[0] == pick && table[1] == own; }
void *address(void) { return pick; }
"""
FLAGS = ["-fPIC", "-fPIE", "-fno-pic", "-fPIC -fno-plt", "-mcmodel=large", "-mcmodel=medium -fno-pic"]


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("engine", ["scalar", "native"])
def test_every_way_to_reach_one_leads_to_what_it_chose(compile, in_child, flags, engine):
    path = compile(SOURCE, flags=flags)

    def call():
        linker = rtlinker.Linker(engine=engine)
        linker.load_object(path)
        linker.resolve()
        library = rtlinker.Library(linker, "ifuncs")
        same = library.address("pick") == linker.lookup("pick") == library["address"]()
        return library.sum(5), library.equal(), same, library.pick(4), library["during"].value

    assert in_child(call) == (40, 1, True, 8, 40)


def test_another_object_and_a_later_link_mean_the_same_function(compile, in_child):
    first = compile(SOURCE, flags="-fPIC")
    second = compile("int pick(int); void *there(void) { return pick; } int through(int x) { return pick(x) + 1; }")

    def call():
        together = rtlinker.load(first, second)
        linker = rtlinker.Linker()
        linker.load_object(first)
        linker.resolve()
        linker.load_object(second)
        linker.resolve()
        apart = rtlinker.Library(linker, "apart")
        return [(library.there() == library.address("pick"), library.through(4)) for library in (together, apart)]

    assert in_child(call) == [(True, 9), (True, 9)]


def test_one_of_a_loaded_library_is_asked_through_the_dynamic_linker(compile, in_child):
    source = "#include <string.h>\nunsigned long length(const char *s) { return (&strlen)(s); }"
    path = compile(source, flags="-fno-builtin")
    assert in_child(lambda: rtlinker.load(path).length(b"four")) == 4


def test_a_word_may_ask_for_what_a_function_returns(compile, in_child):
    path = compile(
        ".globl get\nget: mov word(%rip), %rax\nret\nchooser: lea answer(%rip), %rax\nret\nanswer: nop\n"
        ".globl where\nwhere: lea answer(%rip), %rax\nret\n"
        '.section .data.rel.ro,"aw"\nword: .reloc word, R_X86_64_IRELATIVE, chooser\n.quad 0\n',
        "asm",
    )

    def call():
        library = rtlinker.load(path)
        return library.function("get", "long(void)")() == library.function("where", "long(void)")()

    assert in_child(call)


def test_one_that_is_not_in_code_is_refused(in_child):
    writer = ObjectWriter()
    section = writer.section(".data", bytes(8), SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 8)
    writer.symbol("f", section, type=STT_GNU_IFUNC)
    with pytest.raises(BadObjectError) as caught:
        in_child(lambda: rtlinker.load(writer.bytes()))
    assert (caught.value.found, caught.value.where) == (".data", "f")
