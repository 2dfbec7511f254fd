"""What the user defines wins over archives and the process, and gives way to the objects of the link with a note."""

import rtlinker

MAIN = "int helper(void); int other(void); int call(void) { return helper(); } int pull(void) { return other(); }"
MEMBER = "int helper(void) { return 1; } int other(void) { return 10 + helper(); }"


def test_it_wins_over_an_archive_even_inside_the_member(compile, archive, in_child):
    main, library = compile(MAIN), archive("lib.a", compile(MEMBER, flags="-fPIC"))

    def call():
        loaded = rtlinker.load(main, library, symbols={"helper": (lambda: 5, "int(void)")})
        return loaded.call(), loaded.pull()

    assert in_child(call) == (5, 15)


def test_it_wins_over_the_process(compile, in_child):
    path = compile("int getpid(void); int call(void) { return getpid(); }")
    assert in_child(lambda: rtlinker.load(path, symbols={"getpid": (lambda: -7, "int(void)")}).call()) == -7


def test_an_object_of_the_link_wins_over_it_and_a_note_says_so(compile, in_child):
    paths = compile(MAIN), compile(MEMBER)

    def call():
        library = rtlinker.load(*paths, symbols={"helper": (lambda: 5, "int(void)")})
        return library.call(), list(library.notes)

    result, notes = in_child(call)
    assert result == 1
    assert any("helper" in note and "not used" in note for note in notes)
