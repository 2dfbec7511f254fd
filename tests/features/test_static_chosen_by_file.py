"""Two objects with a static function of one name: `file.o:name` says which is meant."""

import pytest

import rtlinker

SOURCE = "static int __attribute__((used, noinline)) which(void) { return %d; }"


def test_the_file_chooses_among_static_functions(compile, in_child):
    paths = compile(SOURCE % 1, name="one.o"), compile(SOURCE % 2, name="two.o")

    def call():
        library = rtlinker.load(*paths)
        return library["one.o:which"](), library["two.o:which"]()

    assert in_child(call) == (1, 2)


def test_without_the_file_both_choices_are_named(compile, in_child):
    paths = compile(SOURCE % 1, name="one.o"), compile(SOURCE % 2, name="two.o")
    with pytest.raises(rtlinker.LinkError, match="several static symbols") as caught:
        in_child(lambda: rtlinker.load(*paths)["which"])
    assert dict(caught.value.facts)["choose"] == "one.o:which\ntwo.o:which"
