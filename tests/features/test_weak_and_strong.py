"""A strong definition wins over a weak one wherever it stands; among weak ones the first wins."""

import rtlinker

WEAK = "__attribute__((weak)) int level(void) { return %d; } int seen%d(void) { return level(); }"
STRONG = "int level(void) { return 9; }"


def test_strong_wins_in_either_order_and_for_everybody(compile, in_child):
    weak, strong = compile(WEAK % (1, 1)), compile(STRONG)

    def call(*paths):
        library = rtlinker.load(*paths)
        return library.level(), library.seen1()

    assert in_child(call, weak, strong) == (9, 9)
    assert in_child(call, strong, weak) == (9, 9)


def test_the_first_of_two_weak_definitions_wins(compile, in_child):
    one, two = compile(WEAK % (1, 1)), compile(WEAK % (2, 2))

    def call(*paths):
        library = rtlinker.load(*paths)
        return library.seen1(), library.seen2()

    assert in_child(call, one, two) == (1, 1)
    assert in_child(call, two, one) == (2, 2)
