"""Constructors run before the library is handed out, in order of priority, with argc, argv and envp."""

import ctypes
import os

import pytest

import rtlinker
from rtlinker.elf.constants import SHT_PROGBITS
from rtlinker.elf.reader import read_object

SOURCE = """
extern void note(int);
__attribute__((constructor)) static void plain(void) { note(3); }
__attribute__((constructor(300))) static void later(void) { note(2); }
__attribute__((constructor(101))) static void early(int argc, char **argv, char **envp) {
    note(argc > 0 && argv[0] && !argv[argc] && envp ? 1 : -1);
}
"""
OTHER = "extern void note(int); __attribute__((constructor(200))) static void middle(void) { note(100); }"


def test_priorities_hold_across_the_objects_of_a_link(compile, in_child):
    paths = compile(SOURCE), compile(OTHER)

    def call(*paths):
        seen = []
        rtlinker.load(*paths, symbols={"note": (seen.append, "void(int)")})
        return seen

    assert in_child(call, *paths) == [1, 100, 2, 3]
    assert in_child(call, *reversed(paths)) == [1, 100, 2, 3]


def test_constructors_can_be_made_to_wait(compile, in_child):
    path = compile(SOURCE)

    def call():
        seen = []
        library = rtlinker.load(path, symbols={"note": (seen.append, "void(int)")}, start=False)
        before = list(seen)
        library.linker.start()
        library.linker.start()
        return before, seen

    assert in_child(call) == ([], [1, 2, 3])


def test_old_ctors_run_backwards_and_old_dtors_forwards(compile, in_child):
    path = compile(
        ".text\none: mov $1, %edi\njmp note@PLT\ntwo: mov $2, %edi\njmp note@PLT\n"
        '.section .ctors,"aw"\n.quad one, two\n.section .dtors,"aw"\n.quad one, two\n',
        "asm",
    )

    def call():
        seen = []
        rtlinker.load(path, symbols={"note": (seen.append, "void(int)")}).unload()
        return seen

    assert in_child(call) == [2, 1, 1, 2]


def test_the_auxiliary_vector_follows_argv_and_the_environment(compile, in_child):
    path = compile("""
        #include <string.h>
        #include <sys/auxv.h>
        long page, entry, variables;
        __attribute__((constructor)) static void start(int argc, char **argv) {
            char **word = argv + argc;
            if (*word++) return;
            for (; *word; word++) variables += strchr(*word, '=') != 0;
            for (long *pair = (long *)(word + 1); pair[0]; pair += 2) {
                if (pair[0] == AT_PAGESZ) page = pair[1];
                if (pair[0] == AT_ENTRY) entry = pair[1];
            }
        }
    """)

    def call():
        library = rtlinker.load(path)
        process = ctypes.CDLL(None)
        process.getauxval.restype = ctypes.c_ulong
        wanted = process.getauxval(6), process.getauxval(9)
        return (library["page"].value, library["entry"].value) == wanted, library["variables"].value

    same, variables = in_child(call)
    assert same
    assert variables >= len(os.environ)


ARRAYS_BY_HAND = """
.text
first: mov $1, %edi
jmp note
second: mov $2, %edi
jmp note
third: mov $3, %edi
jmp note
last: mov $9, %edi
jmp note
.section .fini_array, "aw", @progbits
.quad last
.section .init_array, "aw", @progbits
.quad third
.section .init_array.00102, "aw", @progbits
.quad second
.section .preinit_array, "aw", @progbits
.quad first
.section .note.GNU-stack
"""


def test_arrays_that_the_assembler_gave_no_type_are_known_by_their_names(compile, in_child):
    path = compile(ARRAYS_BY_HAND, "asm", compiler="clang")
    object = read_object(path.read_bytes(), "a.o")
    types = dict(zip(object.sections.names, object.sections.types))

    def call():
        seen = []
        rtlinker.load(path, symbols={"note": (seen.append, "void(int)")}).unload()
        return seen

    assert types[".init_array"] == SHT_PROGBITS
    assert in_child(call) == [1, 2, 3, 9]


def test_a_resolver_may_choose_a_constructor(compile, in_child):
    path = compile(
        "chooser: lea chosen(%rip), %rax\nret\nchosen: mov $7, %edi\njmp note\nplain: mov $8, %edi\njmp note\n"
        '.section .init_array, "aw"\nword: .reloc word, R_X86_64_IRELATIVE, chooser\n.quad 0\n.quad plain\n'
        '.section .fini_array, "aw"\nend: .reloc end, R_X86_64_IRELATIVE, chooser\n.quad 0\n',
        "asm",
    )

    def call():
        seen = []
        rtlinker.load(path, symbols={"note": (seen.append, "void(int)")}).unload()
        return seen

    assert in_child(call) == [7, 8, 7]


def test_a_resolver_that_chooses_no_code_for_a_constructor_is_refused(compile, in_child):
    path = compile(
        "chooser: lea nothing(%rip), %rax\nret\n.data\nnothing: .quad 0\n"
        '.section .init_array, "aw"\nword: .reloc word, R_X86_64_IRELATIVE, chooser\n.quad 0\n',
        "asm",
    )
    with pytest.raises(rtlinker.BadObjectError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert caught.value.where == ".init_array, entry 0"
