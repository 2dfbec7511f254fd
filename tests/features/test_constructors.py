"""Constructors run before the library is handed out, in order of priority, with argc, argv and envp."""

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
