"""Constructors run before the library is handed out, in order of priority, with argc, argv and envp."""

import ctypes
import os

import rtlinker

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
