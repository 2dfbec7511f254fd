"""`Linker.define` takes an address, or a callable with a prototype; the newest definition counts for later links."""

from ctypes import CFUNCTYPE, c_int

import pytest

import rtlinker

SOURCE = "int hook(int); int %s(int x) { return hook(x); }"


def test_the_newest_definition_counts_and_earlier_links_keep_theirs(compile, in_child):
    first, second = compile(SOURCE % "first"), compile(SOURCE % "second")

    def run():
        with rtlinker.Linker() as linker:
            for path, factor in ((first, 10), (second, 1000)):
                linker.define("hook", lambda x, factor=factor: x * factor, "int(int)")
                linker.load_object(path)
                linker.resolve()
            return [CFUNCTYPE(c_int, c_int)(linker.lookup(name))(3) for name in ("first", "second")]

    assert in_child(run) == [30, 3000]


def test_an_address_is_looked_up_as_it_was_given(in_child):
    def run():
        with rtlinker.Linker() as linker:
            linker.define("place", 0x123456)
            return linker.lookup("place")

    assert in_child(run) == 0x123456


def test_what_is_neither_address_nor_callable_is_a_type_error(in_child):
    with pytest.raises(TypeError, match="place"):
        in_child(lambda: rtlinker.Linker().define("place", "text"))
