"""What this version does not do, and what no object may contain, is a clear error that names the place."""

import pytest

import rtlinker
from tests.features.test_newer_relocations import renumbered

DYNAMIC = {
    5: "R_X86_64_COPY",
    6: "R_X86_64_GLOB_DAT",
    7: "R_X86_64_JUMP_SLOT",
    8: "R_X86_64_RELATIVE",
}


@pytest.mark.parametrize("number", DYNAMIC)
def test_what_only_a_dynamic_linker_handles_is_a_bad_object(compile, in_child, number):
    source = ".globl load, value\nload: mov value@GOTPCREL(%rip), %rax\nret\n.zero 16\n.data\nvalue: .long 7\n"
    data = renumbered(compile(source, "asm"), 42, number)
    with pytest.raises(rtlinker.BadObjectError, match="only a dynamic linker") as caught:
        in_child(lambda: rtlinker.load(data))
    assert caught.value.found == DYNAMIC[number]


def test_relocations_without_addends_are_unsupported(compile, in_child):
    path = compile("int g(void); int f(void) { return g(); } int g(void) { return 1; }", flags="-fPIC -g0")
    data = bytearray(path.read_bytes())
    header = int.from_bytes(data[0x28:0x30], "little")
    for index in range(int.from_bytes(data[0x3C:0x3E], "little")):
        at = header + index * 64
        if data[at + 4] == 4:  # SHT_RELA becomes SHT_REL, with entries of 16 bytes
            size = int.from_bytes(data[at + 32 : at + 40], "little")
            data[at + 4] = 9
            data[at + 32 : at + 40] = (size // 24 * 16).to_bytes(8, "little")
            data[at + 56 : at + 64] = (16).to_bytes(8, "little")
    with pytest.raises(rtlinker.UnsupportedError) as caught:
        in_child(lambda: rtlinker.load(bytes(data)))
    assert "REL" in str(caught.value)
