"""Do frame descriptions tell the truth? Asked before an unwinder reads them, which believes everything (LSB 10.6.1).

The unwinder of libgcc follows a record's length and its pointer to a CIE, skips the augmentation by its letters, and
puts the ranges of all records into one sorted table, without a check: a record that lies sends it through memory at
the next exception of anybody in the process. What is checked here is what it relies on to get at that table.
"""

from __future__ import annotations

from struct import Struct

_HEAD = Struct("<II")
_RANGES = {
    kind: Struct(code) for kind, code in ((0x0, "<QQ"), (0x2, "<HH"), (0x3, "<II"), (0x4, "<QQ"), (0xA, "<hH"),
                                          (0xB, "<iI"), (0xC, "<qQ"))
}  # fmt: skip
"""An address and a size by the low bits of their encoding (LSB, DWARF Exception Header Encoding)."""

_SIZES = {0x0: 8, 0x2: 2, 0x3: 4, 0x4: 8, 0xA: 2, 0xB: 4, 0xC: 8}
RELATIVE = 0x10
VERSIONS = (1, 3)

Lie = tuple[int, str]
"""Where in the list, in bytes, and what is wrong there."""


def find_lie(records: memoryview, address: int, code: tuple[int, int]) -> Lie | None:
    """The first record that cannot be true, or None.

    `records` are the relocated bytes of a list without its end, which will lie at `address`; `code` are the absolute
    start and end of the code that they may describe. A description of address 0 is one of code that was discarded,
    which unwinders skip.
    """
    low, high = code
    head, size, at = _HEAD.unpack_from, len(records), 0
    formats: dict[int, tuple[Struct, bool]] = {}
    while at + 8 <= size:
        length, pointer = head(records, at)
        end = at + 4 + length
        if length < 4 or end > size:
            return at, f"a record of {length:#x} bytes"
        if not pointer:
            found = _read_cie(bytes(records[at + 8 : end]))
            if isinstance(found, str):
                return at, found
            formats[at] = _RANGES[found & 0x0F], bool(found & RELATIVE)
        else:
            known = formats.get(at + 4 - pointer)
            if known is None:
                return at, f"a description whose CIE would be at {at + 4 - pointer:#x}"
            if at + 8 + known[0].size > end:
                return at, f"a description of {length:#x} bytes"
            start, span = known[0].unpack_from(records, at + 8)
            if start:
                if known[1]:
                    start += address + at + 8
                if not (low <= start and start + span <= high):
                    return at, f"a description of {start:#x} to {start + span:#x}, which is not the image's code"
        at = end
    return None if at == size else (at, "a piece of a record")


USUAL = bytes.fromhex("01 7a 52 00 01 78 10 01 1b")
"""What a CIE of C begins with: version 1, zR, alignments 1 and -8, register 16, one byte more: addresses as 0x1b."""


def _read_cie(body: bytes) -> int | str:
    """The encoding of a CIE's addresses; or what is wrong with it, as a text. `body` is what follows its id."""
    if body.startswith(USUAL):
        return USUAL[-1]
    if not body or body[0] not in VERSIONS:
        return f"a CIE of version {body[0] if body else 'nothing'}"
    letters, zero, rest = body[1:].partition(b"\0")
    if not zero or letters.strip(b"zRPLSB") or letters[1:].count(b"z") or (letters and letters[:1] != b"z"):
        return f"a CIE with the augmentation {letters[:16]!r}"
    try:
        _, at = _leb(rest, 0)  # code alignment
        _, at = _leb(rest, at)  # data alignment
        at = at + 1 if body[0] == 1 else _leb(rest, at)[1]  # the return address's register
        if not letters:
            return 0 if at <= len(rest) else "a CIE cut short"
        size, at = _leb(rest, at)
        if at + size > len(rest):
            return f"a CIE with {size:#x} bytes of augmentation"
        return _encoding(letters, rest[at : at + size])
    except IndexError:
        return "a CIE cut short"


def _encoding(letters: bytes, augmentation: bytes) -> int | str:
    """The encoding of addresses that the augmentation's bytes tell, 0 (absolute) where they do not."""
    encoding, at = 0, 0
    for letter in letters.decode("ascii"):
        if letter in "RPL":
            kind = augmentation[at]
            at += 1
            if letter == "R":
                encoding = kind
                if kind & 0x0F not in _RANGES or kind & 0xF0 not in {0, RELATIVE}:
                    return f"a CIE with the address encoding {kind:#x}"
            elif letter == "P":
                if kind & 0x0F not in _SIZES or kind & 0x70 not in {0, RELATIVE}:
                    return f"a CIE with the personality encoding {kind:#x}"
                at += _SIZES[kind & 0x0F]
                if at > len(augmentation):
                    return "a CIE cut short"
    return encoding


def _leb(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number and where it ends; a signed one only ends there. Raises IndexError."""
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
