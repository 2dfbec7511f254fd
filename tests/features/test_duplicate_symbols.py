"""Two strong definitions of a name are an error that names both places, and all such names."""

import pytest

import rtlinker

SOURCE = "int twice = %d; int also(void) { return 1; }"


def test_both_places_of_every_duplicate_are_named(compile, in_child):
    one, two = compile(SOURCE % 1, name="one.o"), compile(SOURCE % 2, name="two.o")
    with pytest.raises(rtlinker.DuplicateSymbolError) as caught:
        in_child(lambda: rtlinker.load(one, two))
    assert sorted(caught.value.duplicates) == [
        ("also", f"{one}:(.text+0x0)", f"{two}:(.text+0x0)"),
        ("twice", f"{one}:(.data+0x0)", f"{two}:(.data+0x0)"),
    ]


def test_a_later_link_may_not_define_a_name_again(compile, in_child):
    one, two = compile(SOURCE % 1, name="one.o"), compile(SOURCE % 2, name="two.o")

    def call():
        with rtlinker.Linker() as linker:
            linker.load_object(one)
            linker.resolve()
            linker.load_object(two)
            linker.resolve()

    with pytest.raises(rtlinker.DuplicateSymbolError) as caught:
        in_child(call)
    assert {name for name, _, _ in caught.value.duplicates} == {"twice", "also"}
    assert all(str(one) in first and str(two) in second for _, first, second in caught.value.duplicates)
