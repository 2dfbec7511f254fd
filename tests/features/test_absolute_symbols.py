"""SHN_ABS: a symbol that is a number and does not move with the image."""

import pytest

import rtlinker

NUMBERS = ".globl magic, big\nmagic = 0x1234\nbig = 0x123456789abcdef0\n"
SOURCE = "extern char magic[], big[]; long low(void) { return (long)magic; } char *const pointer = big;"


@pytest.mark.parametrize("flags", ["-fPIC", "-fno-pic"])
def test_an_absolute_symbol_keeps_its_value(compile, in_child, flags):
    numbers, path = compile(NUMBERS, "asm"), compile(SOURCE, flags=flags)

    def call():
        library = rtlinker.load(path, numbers)
        whole = rtlinker.load(
            compile("extern char *const pointer; long high(void) { return (long)pointer; }"), path, numbers
        )
        return library.low(), whole.high(), library.address("magic")

    assert in_child(call) == (0x1234, 0x123456789ABCDEF0, 0x1234)
