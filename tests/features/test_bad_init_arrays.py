"""Arrays of constructors that would make the linker call what is no function: refused before anything has run."""

import pytest

import rtlinker
from rtlinker.elf.constants import SHT_FINI_ARRAY, SHT_INIT_ARRAY, SHT_PREINIT_ARRAY
from tests.support.broken import DATA, refusal, with_section, with_symbol, writer_of_add

KINDS = {".init_array": SHT_INIT_ARRAY, ".fini_array": SHT_FINI_ARRAY, ".preinit_array": SHT_PREINIT_ARRAY, ".ctors": 1}


def with_array(name, content, *relocations):
    """`add` and an array of functions; relocations are (offset, type, symbol name)."""
    writer, text = writer_of_add()
    data = writer.section(".data", bytes(16), flags=DATA, align=8)
    symbols = {"code": writer.symbol("code", text, 3, 1), "data": writer.symbol("data", data, 0, 8)}
    array = writer.section(name, content, KINDS[name], DATA, 8)
    for offset, number, symbol in relocations:
        writer.relocation(array, offset, number, symbols[symbol])
    return writer.bytes()


LIES = {
    "a distance": (bytes(8), [(0, 2, "code")]),
    "two bytes": (bytes(8), [(0, 12, "code")]),
    "a size": (bytes(8), [(0, 33, "code")]),
    "between two words": (bytes(16), [(4, 1, "code")]),
    "a number": (b"\x39\x05\0\0\0\0\0\0", []),
    "data": (bytes(8), [(0, 1, "data")]),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("lie", LIES)
def test_an_entry_that_is_no_address_of_code_is_refused(in_child, name, lie):
    content, relocations = LIES[lie]
    data = with_array(name, content, *relocations)
    if lie == "two bytes":  # no address fits into them, but a number does
        data = with_symbol(data, "code", st_shndx=0xFFF1)
    error = refusal(in_child, data)
    assert error.headline == "array of functions points outside of executable memory"
    assert error.where.startswith(f"{name}, entry ")


@pytest.mark.parametrize("value", [1 << 62, (1 << 64) - (1 << 62)])
def test_a_symbol_beyond_all_code_is_no_entry(in_child, value):
    data = with_symbol(with_array(".init_array", bytes(8), (0, 1, "code")), "code", st_value=value)
    error = refusal(in_child, data)
    assert (error.headline, error.where) == (
        "array of functions points outside of executable memory",
        ".init_array, entry 0",
    )


def test_a_function_of_a_library_may_be_an_entry(in_child):
    data = with_array(".init_array", bytes(8), (0, 1, "code")).replace(b"code\0", b"sync\0")
    assert in_child(lambda: rtlinker.load(with_symbol(data, "sync", st_shndx=0, st_value=0)).address("add") > 0)


@pytest.mark.parametrize("name", KINDS)
def test_an_array_of_odd_size_is_refused(in_child, name):
    error = refusal(in_child, with_section(with_array(name, bytes(16)), name, sh_size=12))
    assert (error.headline, error.found, error.where) == ("array of functions of odd size", "0xc bytes", name)


@pytest.mark.parametrize("name", KINDS)
def test_marks_and_addresses_are_what_an_array_is_made_of(in_child, name):
    data = with_array(name, b"\xff" * 8 + bytes(16), (8, 1, "code"))
    assert in_child(lambda: rtlinker.load(data).function("add", "int(int, int)")(2, 3)) == 5


def test_a_constructor_in_low_memory_may_be_given_in_32_bits(in_child):
    data = with_array(".init_array", bytes(8), (0, 10, "code"))
    assert in_child(lambda: rtlinker.load(data).address("add") < 1 << 31)
