"""Frame records (.eh_frame, LSB 10.6.1) of machine code that is kept as bytes.

A record is a list of (bytes in hex, what they say), so that it reads as the code beside it does. Pointers are relative,
signed, of 4 bytes (0x1b).
"""

from __future__ import annotations

Lines = tuple[tuple[str, str], ...]
"""Bytes in hex, and what they say."""

PLAIN_CIE: Lines = (
    ("01 7a 52 00", "version 1, augmentation zR"),
    ("01 78 10", "code alignment 1, data alignment -8, return address in register 16"),
    ("01 1b", "augmentation of 1 byte: the encoding of the descriptions' addresses"),
    ("0c 07 08", ".cfi_def_cfa rsp, 8"),
    ("90 01", ".cfi_offset rip, -8"),
)
"""Of code without a personality; where it starts, the return address is on top of the stack."""


def frame_record(lines: Lines, pointer: int, code: tuple[int, int], at: int) -> bytes:
    """One record at `at`: length, pointer to its CIE (0 in a CIE itself), the lines; `code` is what it names.

    Where a line's bytes are `PERSONALITY` or `START SIZE`, the first of `code` stands, relative to its place, and the
    second if it is not 0. All are places, in bytes, in one block of memory.
    """
    start, size = code
    body = bytearray(pointer.to_bytes(4, "little"))
    for text, _ in lines:
        if text in {"PERSONALITY", "START SIZE"}:
            body += (start - (at + 4 + len(body))).to_bytes(4, "little", signed=True)
            body += size.to_bytes(4, "little") if size else b""
        else:
            body += bytes.fromhex(text)
    body += bytes(-len(body) % 4)
    return len(body).to_bytes(4, "little") + body
