"""COMMON: tentative definitions of several objects are one block, as large and as aligned as the strictest."""

import rtlinker

SMALL = "int shared[2]; int odd; int first(void) { return shared[0]; }"
LARGE = "int shared[8] __attribute__((aligned(256))); void set(int i, int v) { shared[i] = v; }"
STRONG = "int shared[4] = { 7, 8, 9, 10 };"
FLAGS = "-fcommon"


def test_blocks_of_one_name_are_merged_and_aligned(compile, in_child):
    paths = compile(SMALL, flags=FLAGS), compile(LARGE, flags=FLAGS)

    def call(*paths):
        library = rtlinker.load(*paths)
        library.set(0, 41)
        for i in range(1, 8):
            library.set(i, -1)
        return library.first(), library.address("shared") % 256, library["odd"].value

    assert in_child(call, *paths) == (41, 0, 0)
    assert in_child(call, *reversed(paths)) == (41, 0, 0)


def test_a_definition_wins_over_common_in_either_order(compile, in_child):
    common, strong = compile(SMALL, flags=FLAGS), compile(STRONG)
    assert in_child(lambda: rtlinker.load(common, strong).first()) == 7
    assert in_child(lambda: rtlinker.load(strong, common).first()) == 7


def test_common_wins_over_a_weak_definition_in_either_order(compile, in_child):
    common, weak = compile(SMALL, flags=FLAGS), compile("__attribute__((weak)) int shared[2] = { 5 };")
    assert in_child(lambda: rtlinker.load(common, weak).first()) == 0
    assert in_child(lambda: rtlinker.load(weak, common).first()) == 0
