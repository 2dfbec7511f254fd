"""The two hash tables of a dynamic symbol table: DT_GNU_HASH with its Bloom filter, and the gABI's DT_HASH."""

from __future__ import annotations

import struct

from rtlinker.hashes import sysv_hash_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    GnuHash = tuple[int, int, memoryview, memoryview, memoryview]


def gnu_candidates(table: GnuHash, name: bytes) -> Iterator[int]:
    """Rows of the symbol table whose hash agrees with that of `name`: most often one or none."""
    shift, first, bloom, buckets, chains = table
    code = gnu_hash_of(name)
    word = bloom[(code >> 6) % len(bloom)]
    if not (word >> (code & 63)) & (word >> ((code >> shift) & 63)) & 1:
        return
    row = buckets[code % len(buckets)]
    while first <= row < first + len(chains):
        chain = chains[row - first]
        if (chain ^ code) >> 1 == 0:
            yield row
        if chain & 1:
            return
        row += 1


def sysv_candidates(table: memoryview, name: bytes) -> Iterator[int]:
    """Rows of the symbol table in the bucket of `name`; at most as many as the table has, should they form a ring."""
    bucket_count, symbol_count = table[0], table[1]
    row = table[2 + sysv_hash_of(name) % bucket_count]
    for _ in range(symbol_count):
        if not 0 < row < symbol_count:
            return
        yield row
        row = table[2 + bucket_count + row]


_last_hash: tuple[bytes, int] = (b"", 5381)


def gnu_hash_of(name: bytes) -> int:
    """The 32-bit hash of DT_GNU_HASH (Bernstein's, h * 33 + c)."""
    global _last_hash
    last, code = _last_hash
    if last == name:  # one name is looked for in many libraries
        return code
    code = 5381
    for byte in name:
        code = code * 33 + byte & 0xFFFFFFFF
    _last_hash = (name, code)
    return code


def read_gnu_hash(raw: memoryview | None) -> GnuHash | None:
    """(Bloom shift, first hashed row, Bloom words, buckets, chains) as views of `raw`, the table and all after it."""
    if raw is None or len(raw) < 16:
        return None
    bucket_count, first, words, shift = struct.unpack_from("<IIII", raw)
    buckets_at = 16 + 8 * words
    chains_at = buckets_at + 4 * bucket_count
    if not words or not bucket_count or chains_at > len(raw):
        return None
    chains = raw[chains_at : chains_at + (len(raw) - chains_at) // 4 * 4]
    return shift, first, raw[16:buckets_at].cast("Q"), raw[buckets_at:chains_at].cast("I"), chains.cast("I")


def read_sysv_hash(raw: memoryview | None) -> memoryview | None:
    """The 32-bit words of DT_HASH: bucket count, symbol count, buckets, chains; None if they do not fit in `raw`."""
    if raw is None or len(raw) < 8:
        return None
    bucket_count, symbol_count = struct.unpack_from("<II", raw)
    end = 4 * (2 + bucket_count + symbol_count)
    return raw[:end].cast("I") if bucket_count and end <= len(raw) else None
