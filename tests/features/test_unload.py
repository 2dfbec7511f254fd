"""Unloading gives the memory back, leaves no name behind, and makes later calls errors and not crashes."""

import pytest

import rtlinker
from tests.support.child import mapped, memory_map

SOURCE = "int n = 1; int f(void) { return n; } char zero[1 << 20];"


def test_the_memory_is_given_back(compile, in_child):
    path = compile(SOURCE)

    def call():
        with rtlinker.load(path) as library:
            library.f()
            address = library.address("f")
            inside = mapped(address)
        return inside, mapped(address)

    assert in_child(call) == ("r-xp", "")


def test_loading_again_and_again_does_not_grow_the_process(compile, in_child):
    path = compile(SOURCE)

    def call():
        sizes = []
        for _ in range(50):
            with rtlinker.load(path) as library:
                library.f()
            sizes.append(sum(mapping.end - mapping.start for mapping in memory_map() if mapping.path != "[heap]"))
        return sizes[-1] - sizes[20]

    assert in_child(call) < 8 << 20  # the images of thirty turns are 30 MiB


@pytest.mark.parametrize("use", ["call", "read", "look up", "address"])
def test_what_is_unloaded_says_so(compile, in_child, use):
    path = compile(SOURCE)

    def call():
        library = rtlinker.load(path)
        function, data = library.f, library["n"]
        library.unload()
        library.unload()
        uses = {
            "call": function,
            "read": lambda: data.value,
            "look up": lambda: library["f"],
            "address": lambda: library.address("f"),
        }
        uses[use]()

    with pytest.raises(rtlinker.LinkError, match="unloaded"):
        in_child(call)


def test_a_reload_really_loads(compile, in_child):
    path, other = compile(SOURCE), compile("int n = 2; int f(void) { return n * 100; }")

    def call():
        with rtlinker.load(path) as library:
            first = library.f()
        path.write_bytes(other.read_bytes())
        with rtlinker.load(path) as library:
            return first, library.f()

    assert in_child(call) == (1, 200)
