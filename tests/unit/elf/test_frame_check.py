"""Reading frame descriptions before the unwinder does: no bytes are taken for true that lead outside of the list."""

from struct import pack, unpack_from

from hypothesis import given
from hypothesis import strategies as st

from rtlinker.elf.frame_check import find_lie

BASE, CODE = 0x7000_0000, (0x6000_0000, 0x6000_1000)
CIE = bytes.fromhex("14000000 00000000 01 7a5200 01 78 10 01 1b 0c0708 9001 0000")


def description(at, start, size, pointer=None):
    """An FDE `at` bytes into the list, relative as gcc writes it."""
    return pack("<IIiIB3x", 16, at + 4 if pointer is None else pointer, start - (BASE + at + 8), size, 0)


TRUE = CIE + description(24, CODE[0], 16) + description(44, CODE[1] - 16, 16)


def lie(data):
    return find_lie(memoryview(data), BASE, CODE)


def test_the_truth_has_no_lie():
    assert lie(TRUE) is None
    assert lie(b"") is None


def test_the_first_lie_is_told_with_its_place():
    assert lie(CIE + description(24, CODE[1], 1))[0] == 24
    assert lie(CIE + description(24, CODE[0] - 1, 1))[0] == 24
    assert lie(CIE + description(24, CODE[0], 0x1001))[0] == 24
    assert lie(TRUE + bytes.fromhex("ffffffff"))[0] == len(TRUE)


def test_a_cie_is_read_with_its_personality():
    body = bytes.fromhex("01") + b"zPLR\0" + bytes.fromhex("01 78 10 07 9b 00000000 1b 1b 0c0708 9001 0000")
    head = pack("<II", len(body) + 4, 0)
    assert lie(head + body) is None
    assert "cut short" in lie(head + body.replace(b"\x07\x9b", b"\x02\x9b"))[1]


@given(st.integers(0, len(TRUE) - 1), st.integers(0, 255))
def test_a_changed_byte_never_makes_a_description_leave_the_code(at, value):
    data = bytearray(TRUE)
    data[at] = value
    if lie(bytes(data)) is None:
        assert unpack_from("<I", data, 0)[0] <= len(data) - 4
        place = 24
        while at >= place and place < len(data):
            length, pointer, offset, size = unpack_from("<IIiI", data, place)
            start = BASE + place + 8 + offset
            assert pointer == place + 4 or not pointer
            assert not pointer or not offset or (CODE[0] <= start and start + size <= CODE[1])
            place += 4 + length


@given(st.binary(max_size=80))
def test_any_bytes_are_read_without_a_stumble(data):
    lie(data)
    lie(CIE + data)


def test_from_version_3_on_the_return_address_may_have_a_long_number():
    for version, register in ((1, "90"), (3, "90 01")):
        body = bytes([version]) + b"zR\0" + bytes.fromhex(f"01 78 {register} 01 1b") + bytes(8)
        cie = pack("<II", len(body) + 4, 0) + body
        at = len(cie)
        assert lie(cie + description(at, CODE[0], 16)) is None
        assert lie(cie + description(at, CODE[1], 16))[0] == at
