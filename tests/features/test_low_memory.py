"""Code without -fPIC holds 32-bit absolute addresses: its image lies in the low 2 GiB, other images near libc."""

import ctypes

import rtlinker

SOURCE = """
static int table[] = { 1, 2, 3 };
int *const pointer = table;
int pick(int i) { return table[i]; }
"""
CALL = "unsigned long strlen(const char *); unsigned long length(const char *s) { return strlen(s); }"


def test_absolute_code_is_placed_low(compile, in_child):
    path = compile(SOURCE, flags="-fno-pic")

    def call():
        library = rtlinker.load(path)
        return library.pick(2), library.address("pick") < 1 << 31

    assert in_child(call) == (3, True)


def test_position_independent_code_is_placed_near_the_libraries(compile, in_child):
    path = compile(SOURCE, flags="-fPIC")

    def call():
        libc = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value
        return abs(rtlinker.load(path).address("pick") - libc) < 1 << 31

    assert in_child(call)


def test_absolute_code_calls_far_libraries(compile, in_child):
    path = compile(CALL + SOURCE, flags="-fno-pic -fno-builtin")
    assert in_child(lambda: rtlinker.load(path).length(b"four")) == 4


def test_a_number_in_32_bits_needs_no_low_memory(compile, in_child):
    # what is set behind its use is a symbol of the object, and not a part of the instruction
    path = compile(".globl get, number\nget: mov $number, %eax\nret\n.set number, 5\n", "asm")

    def call():
        library = rtlinker.load(path)
        return library.function("get", "int(void)")(), library.address("get") < 1 << 31

    assert in_child(call) == (5, False)
