"""GNU_UNIQUE: the static variable of an inline function exists once, however many objects bring it along."""

import rtlinker

INLINE = "inline int &counter() { static int n; return n; }"
FIRST = INLINE + ' extern "C" int up() { return ++counter(); }'
SECOND = INLINE + ' extern "C" int read() { return counter(); }'


def test_the_objects_of_a_link_share_the_variable(compile, in_child):
    paths = compile(FIRST, "c++"), compile(SECOND, "c++")

    def call():
        library = rtlinker.load(*paths)
        library.up()
        library.up()
        return library.read()

    assert in_child(call) == 2


def test_a_later_link_of_the_linker_shares_it_too(compile, in_child):
    first, second = compile(FIRST, "c++"), compile(SECOND, "c++")

    def call():
        from ctypes import CFUNCTYPE, c_int

        with rtlinker.Linker() as linker:
            for path in (first, second):
                linker.load_object(path)
                linker.resolve()
            up, read = (CFUNCTYPE(c_int)(linker.lookup(name)) for name in ("up", "read"))
            return up(), up(), read()

    assert in_child(call) == (1, 2, 2)
