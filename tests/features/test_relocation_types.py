"""Every relocation of the psABI that can stand in an object writes what its formula says (psABI 1.0, table 4.9)."""

import ctypes

import pytest

import rtlinker

A = 0x10
SOURCE = """
.text
.globl got
got:    lea _GLOBAL_OFFSET_TABLE_(%rip), %rax
        ret
.data
        .zero 16
.globl site, target
site:   .zero 16
        .reloc site, {type}, {symbol}+{addend}
target: .quad 0x1122334455667788
        .size target, 0x123
.globl number, small
number = 0x7fffff00
small = 0x42
"""
RULES = {
    "R_X86_64_64": (8, lambda S, P, GOT, Z: S + A),
    "R_X86_64_PC64": (8, lambda S, P, GOT, Z: S + A - P),
    "R_X86_64_32": (4, lambda S, P, GOT, Z: S + A),
    "R_X86_64_32S": (4, lambda S, P, GOT, Z: S + A),
    "R_X86_64_PC32": (4, lambda S, P, GOT, Z: S + A - P),
    "R_X86_64_PLT32": (4, lambda S, P, GOT, Z: S + A - P),
    "R_X86_64_PC16": (2, lambda S, P, GOT, Z: S + A - P),
    "R_X86_64_PC8": (1, lambda S, P, GOT, Z: S + A - P),
    "R_X86_64_GOTOFF64": (8, lambda S, P, GOT, Z: S + A - GOT),
    "R_X86_64_GOTPC32": (4, lambda S, P, GOT, Z: GOT + A - P),
    "R_X86_64_GOTPC64": (8, lambda S, P, GOT, Z: GOT + A - P),
    "R_X86_64_PLTOFF64": (8, lambda S, P, GOT, Z: S + A - GOT),
    "R_X86_64_SIZE32": (4, lambda S, P, GOT, Z: Z + A),
    "R_X86_64_SIZE64": (8, lambda S, P, GOT, Z: Z + A),
    "R_X86_64_NONE": (16, lambda S, P, GOT, Z: 0),
}
SLOTS = {  # width, and the slot's address for the value found
    "R_X86_64_GOT32": (4, lambda value, P, GOT: GOT + value - A),
    "R_X86_64_GOT64": (8, lambda value, P, GOT: GOT + value - A),
    "R_X86_64_GOTPLT64": (8, lambda value, P, GOT: GOT + value - A),
    "R_X86_64_GOTPCREL": (4, lambda value, P, GOT: value - A + P),
    "R_X86_64_GOTPCREL64": (8, lambda value, P, GOT: value - A + P),
    "R_X86_64_GOTPCRELX": (4, lambda value, P, GOT: value - A + P),
    "R_X86_64_REX_GOTPCRELX": (4, lambda value, P, GOT: value - A + P),
}


def linked(path):
    library = rtlinker.load(path)
    got = library.function("got", "unsigned long(void)")()
    return library.address("target"), library.address("site"), got


@pytest.mark.parametrize("rule", RULES)
def test_the_field_holds_the_formulas_value_and_its_neighbours_are_untouched(compile, in_child, rule):
    path = compile(SOURCE.format(type=rule, symbol="target", addend=A), "asm")
    width, formula = RULES[rule]

    def call():
        target, site, got = linked(path)
        found, around = ctypes.string_at(site, width), ctypes.string_at(site - 16, 32)
        expected = (formula(target, site, got, 0x123) & (1 << 8 * width) - 1).to_bytes(width, "little")
        return found == expected, around[:16] == bytes(16), around[16 + width :] == bytes(16 - width)

    assert in_child(call) == (True, True, True)


@pytest.mark.parametrize("rule", SLOTS)
def test_a_slot_holds_the_symbols_address(compile, in_child, rule):
    path = compile(SOURCE.format(type=rule, symbol="target", addend=A), "asm")
    width, slot = SLOTS[rule]

    def call():
        target, site, got = linked(path)
        value = int.from_bytes(ctypes.string_at(site, width), "little", signed=True)
        return ctypes.c_uint64.from_address(slot(value, site, got)).value == target

    assert in_child(call)


@pytest.mark.parametrize(("rule", "symbol", "addend", "width"), [
    ("R_X86_64_8", "small", 0x10, 1), ("R_X86_64_8", "small", -0x50, 1), ("R_X86_64_8", "small", 0xBD, 1),
    ("R_X86_64_16", "small", 0x1000, 2), ("R_X86_64_16", "small", -0x50, 2), ("R_X86_64_16", "small", 0xFFBD, 2),
    ("R_X86_64_32", "number", 0xFF, 4), ("R_X86_64_32", "number", 0x80000000, 4),
    ("R_X86_64_32S", "small", -0x7FFFFFFF, 4),
])  # fmt: skip
def test_numbers_that_just_fit_are_written(compile, in_child, rule, symbol, addend, width):
    path = compile(SOURCE.format(type=rule, symbol=symbol, addend=addend), "asm")
    value = {"small": 0x42, "number": 0x7FFFFF00}[symbol] + addend

    def call():
        return int.from_bytes(ctypes.string_at(rtlinker.load(path).address("site"), width), "little")

    assert in_child(call) == value & (1 << 8 * width) - 1


@pytest.mark.parametrize(("rule", "symbol", "addend"), [
    ("R_X86_64_8", "small", 0xBE), ("R_X86_64_8", "small", -0xC3), ("R_X86_64_16", "small", 0xFFBE),
    ("R_X86_64_32", "number", 0x80000100), ("R_X86_64_32", "small", -0x43), ("R_X86_64_32S", "number", 0x100),
    ("R_X86_64_PC8", "target", 0x80), ("R_X86_64_PC16", "target", 0x10000), ("R_X86_64_PC32", "target", 1 << 31),
])  # fmt: skip
def test_a_value_that_does_not_fit_is_an_error_with_site_rule_and_value(compile, in_child, rule, symbol, addend):
    path = compile(SOURCE.format(type=rule, symbol=symbol, addend=addend), "asm")
    with pytest.raises(rtlinker.RelocationOverflowError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert caught.value.site.startswith(f"{path}:(.data+0x10)")
    assert caught.value.rule.startswith(rule + " = ")
    assert symbol in caught.value.target
    assert caught.value.count == 1


def test_all_overflows_are_counted_and_the_first_is_shown(compile, in_child):
    lines = "".join(f".reloc {at}, R_X86_64_8, small\n" for at in (9, 5, 7))
    path = compile(f"small = 0x142\n.data\n.quad 0, 0\n{lines}", "asm")
    with pytest.raises(rtlinker.RelocationOverflowError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert caught.value.count == 3
    assert ":(.data+0x5)" in caught.value.site
