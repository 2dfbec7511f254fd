"""The hash of a name that the gABI defines: of symbols in DT_HASH, and of versions in what a library needs."""

from __future__ import annotations


def sysv_hash_of(name: bytes) -> int:
    """The 28-bit hash (gABI chapter 5, "Hash Table"; LSB, "Symbol Versioning", vna_hash)."""
    code = 0
    for byte in name:
        code = (code << 4) + byte
        high = code & 0xF0000000
        code = (code ^ high >> 24) & ~high
    return code
