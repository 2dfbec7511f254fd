"""What an address of this process is."""

import ctypes
import mmap

import pytest

from rtlinker.host.examine import examine, examine_all
from tests.support.shared import address_of, close_shared, compile_shared, open_shared

SOURCE = """
int table[5] = {1, 2, 3, 4, 5};
__asm__(".globl table_alias\\n.type table_alias,@object\\n.size table_alias,8\\n.set table_alias,table\\n");
const int constant[3] = {1, 2, 3};
int zeros[1000];
static int hidden_function(void) { return 4; }
int (*const pointer)(void) = hidden_function;
int function(int x) { return x + table[0]; }
static int chosen(void) { return 42; }
static void *choose(void) { return chosen; }
int picked(void) __attribute__((ifunc("choose")));
__asm__(".text\\n.globl untyped\\nuntyped: ret\\n.data\\n.globl untyped_data\\nuntyped_data: .quad 1\\n.text");
__asm__(".text\\n.globl constant_in_text\\n.type constant_in_text,@object\\n.size constant_in_text,8\\n"
        "constant_in_text: .quad 5\\n");
"""


def opened(path, *flags):
    return open_shared(compile_shared(path, SOURCE, "-Wl,-z,relro,-z,now", *flags))


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    handle = opened(tmp_path_factory.mktemp("examine") / "libexamined.so", "-Wl,-z,separate-code")
    yield handle
    close_shared(handle)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    handle = opened(tmp_path_factory.mktemp("mixed") / "libmixed.so", "-Wl,-z,noseparate-code")
    yield handle
    close_shared(handle)


def test_a_function_is_known_by_name_size_and_library(sample):
    place = examine(address_of(sample, "function"))
    assert (place.kind, place.symbol, place.offset, place.library) == ("function", "function", 0, "libexamined.so")
    assert place.size > 0


def test_data_is_known_with_its_size_in_bytes(sample):
    place = examine(address_of(sample, "zeros"))
    assert (place.kind, place.symbol, place.size) == ("data", "zeros", 4000)


def test_the_inside_of_a_symbol_has_an_offset_and_no_size(sample):
    place = examine(address_of(sample, "zeros") + 12)
    assert (place.kind, place.symbol, place.offset, place.size) == ("data", "zeros", 12, 0)


def test_of_aliases_the_largest_size_counts(sample):
    assert examine(address_of(sample, "table_alias")).size == 20


def test_plain_data_is_writable(sample):
    assert examine(address_of(sample, "table")).writable


def test_constants_are_not_writable(sample):
    assert not examine(address_of(sample, "constant")).writable


def test_what_relro_protected_is_not_writable(sample):
    place = examine(address_of(sample, "pointer"))
    assert (place.kind, place.writable) == ("data", False)


def test_a_function_without_exported_symbol_is_a_function_in_a_code_segment(sample):
    place = examine(address_of(sample, "picked"))
    assert (place.kind, place.size) == ("function", 0)


def test_data_in_a_code_segment_is_data_by_its_symbol(sample):
    place = examine(address_of(sample, "constant_in_text"))
    assert (place.kind, place.executable) == ("data", True)


def test_an_untyped_symbol_is_what_its_segment_says(sample):
    kinds = [examine(address_of(sample, name)).kind for name in ("untyped", "untyped_data")]
    assert kinds == ["function", "data"]


def test_nothing_is_guessed_where_code_and_constants_share_a_segment(mixed):
    place = examine(address_of(mixed, "picked"))
    assert (place.kind, place.executable) == (None, True)


def test_a_typed_symbol_decides_where_code_and_constants_share_a_segment(mixed):
    kinds = [examine(address_of(mixed, name)).kind for name in ("function", "constant")]
    assert kinds == ["function", "data"]


def test_unmapped_memory_has_no_kind():
    assert [place.kind for place in examine_all([0, (1 << 47) - 8, (1 << 64) - 8])] == [None] * 3


def test_memory_without_permissions_has_no_kind():
    with mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE) as memory:
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        before = examine(address)
        ctypes.CDLL(None).mprotect(ctypes.c_void_p(address), 4096, 0)
        after = examine(address)
        ctypes.CDLL(None).mprotect(ctypes.c_void_p(address), 4096, 3)
    assert (before.kind, before.writable, before.library) == ("data", True, "")
    assert after.kind is None


def test_a_callback_of_ctypes_is_a_function_of_no_library():
    callback = ctypes.CFUNCTYPE(None)(lambda: None)
    place = examine(ctypes.cast(callback, ctypes.c_void_p).value)
    assert (place.kind, place.symbol, place.library) == ("function", "", "")


def test_many_are_answered_in_their_order(sample):
    names = ["function", "zeros", "table", "constant"]
    places = examine_all(address_of(sample, name) for name in names)
    assert places == [examine(address_of(sample, name)) for name in names]
