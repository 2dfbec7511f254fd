"""COMMON: tentative definitions of several objects are one block, as large and as aligned as the strictest."""

import rtlinker

SMALL = "int shared[2]; int odd; int first(void) { return shared[0]; }"
LARGE = "int shared[8] __attribute__((aligned(256))); void set(int i, int v) { shared[i] = v; }"
STRONG = "int shared[4] = { 7, 8, 9, 10 };"
FLAGS = "-fcommon"


def test_blocks_of_one_name_are_merged_and_aligned(compile, in_child):
    # the first block of all is a byte, so that the others do not happen to be aligned
    paths = compile("char byte;", flags=FLAGS), compile(SMALL, flags=FLAGS), compile(LARGE, flags=FLAGS)

    def call(*paths):
        library = rtlinker.load(*paths)
        library.set(0, 41)
        for i in range(1, 8):
            library.set(i, -1)
        return library.first(), library.address("shared") % 256, library["odd"].value

    assert in_child(call, *paths) == (41, 0, 0)
    assert in_child(call, paths[0], paths[2], paths[1]) == (41, 0, 0)


def test_a_definition_wins_over_common_in_either_order(compile, in_child):
    common, strong = compile(SMALL, flags=FLAGS), compile(STRONG)
    assert in_child(lambda: rtlinker.load(common, strong).first()) == 7
    assert in_child(lambda: rtlinker.load(strong, common).first()) == 7


def test_common_wins_over_a_weak_definition_in_either_order(compile, in_child):
    common, weak = compile(SMALL, flags=FLAGS), compile("__attribute__((weak)) int shared[2] = { 5 };")
    assert in_child(lambda: rtlinker.load(common, weak).first()) == 0
    assert in_child(lambda: rtlinker.load(weak, common).first()) == 0


def test_a_tentative_definition_means_what_an_earlier_link_defines(compile, in_child):
    strong, common = compile(STRONG), compile(SMALL, flags=FLAGS)

    def call():
        from ctypes import CFUNCTYPE, c_int

        with rtlinker.Linker() as linker:
            for path in (strong, common):
                linker.load_object(path)
                linker.resolve()
            return CFUNCTYPE(c_int)(linker.lookup("first"))()

    assert in_child(call) == 7


def test_a_large_block_lies_with_the_large_data(compile, in_child):
    source = "char large[1 << 20]; int near; char *at(void) { large[5] = near; return large; }"
    path = compile(source, flags="-fcommon -mcmodel=medium -fPIC")

    def call():
        library = rtlinker.load(path)
        return library.function("at", "unsigned long(void)")() == library.address("large")

    assert in_child(call)


def test_a_block_is_large_only_if_all_say_so(compile, in_child):
    large, small = compile(".largecomm block, 64, 8", "asm"), compile(".comm block, 64, 8", "asm")

    def call(*paths):
        image = rtlinker.load(*paths).linker.images[0].image
        return image.resolution.commons["block"].large

    assert [in_child(call, *paths) for paths in ((large, small), (small, large), (large,), (small,))] == [
        False, False, True, False,
    ]  # fmt: skip
