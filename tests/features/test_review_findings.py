"""What a reviewer from the linker world found: each was silently wrong once."""

from ctypes import CFUNCTYPE, c_int

import pytest

import rtlinker


def test_a_section_named_like_a_segment_has_its_own_bounds(compile, in_child):
    source = """
    extern int __start_data[], __stop_data[], __start_code[], __stop_code[];
    int one __attribute__((section("data"))) = 1; int two __attribute__((section("code"))) = 2; int filler[100] = {3};
    int size(void) { return (__stop_data - __start_data) * 100 + (__stop_code - __start_code) * 10 + *__start_code; }
    """
    path = compile(source)
    assert in_child(lambda: rtlinker.load(path).size()) == 112


def test_common_blocks_of_several_links_are_one(compile, in_child):
    first = compile("int x; void setx(int v) { x = v; }", flags="-fcommon")
    second = compile("int x; int getx(void) { return x; }", flags="-fcommon")

    def call():
        with rtlinker.Linker() as linker:
            for path in (first, second):
                linker.load_object(path)
                linker.resolve()
            CFUNCTYPE(None, c_int)(linker.lookup("setx"))(42)
            return CFUNCTYPE(c_int)(linker.lookup("getx"))()

    assert in_child(call) == 42


def test_a_common_block_larger_than_the_earlier_one_is_a_clash(compile, in_child):
    first, second = (
        compile("int x;", flags="-fcommon"),
        compile("int x[9]; int *at(void) { return x; }", flags="-fcommon"),
    )

    def call():
        with rtlinker.Linker() as linker:
            linker.load_object(first)
            linker.resolve()
            linker.load_object(second)
            linker.resolve()

    with pytest.raises(rtlinker.DuplicateSymbolError):
        in_child(call)


def test_a_strong_definition_after_a_weak_one_of_an_earlier_link_is_no_clash(compile, in_child):
    weak = compile("__attribute__((weak)) int f(void) { return 1; } int first(void) { return f(); }")
    strong = compile("int f(void) { return 2; } int second(void) { return f(); }")

    def call():
        with rtlinker.Linker() as linker:
            for path in (weak, strong):
                linker.load_object(path)
                linker.resolve()
            return [CFUNCTYPE(c_int)(linker.lookup(name))() for name in ("first", "second")]

    assert in_child(call) == [1, 2]


def test_the_size_of_a_librarys_datum_is_what_its_table_says(compile, in_child):
    path = compile(".data\n.globl sized\nsized: .quad stdout@SIZE\n.size sized, 8\n", "asm")
    assert in_child(lambda: bytes(rtlinker.load(path)["sized"].value)[:8]) == (8).to_bytes(8, "little")


def test_writable_sections_whose_names_begin_like_protected_ones_stay_writable(compile, in_child):
    source = """
    int state __attribute__((section(".ctors_state"))) = 1; int row __attribute__((section(".data.rel.row"))) = 2;
    int both(void) { state++; row++; return state * 10 + row; }
    """
    path = compile(source)
    assert in_child(lambda: rtlinker.load(path).both()) == 23


def test_compact_relocations_are_refused_and_not_overlooked(compile):
    data = bytearray(compile("int other; int *f(void) { return &other; }").read_bytes())
    table = int.from_bytes(data[40:48], "little")
    for at in range(table, len(data) - 63, 64):
        if int.from_bytes(data[at + 4 : at + 8], "little") == 4:
            data[at + 4 : at + 8] = (0x40000014).to_bytes(4, "little")
    with pytest.raises(rtlinker.UnsupportedError) as caught:
        rtlinker.Linker().load_object(bytes(data))
    assert caught.value.feature == "compact relocations"


def test_large_data_does_not_keep_the_image_from_its_libraries(compile, in_child):
    source = "#include <stdio.h>\nchar large[3ul << 30]; int ok(void) { large[3ul << 29] = 1; return stdin != 0; }"
    path = compile(source, flags="-fpie -mcmodel=medium")
    assert in_child(lambda: rtlinker.load(path).ok()) == 1
