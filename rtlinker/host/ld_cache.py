"""/etc/ld.so.cache: which file ldconfig(8) found for each soname.

Format (glibc, sysdeps/generic/dl-cache.h): a header of 48 bytes, `glibc-ld.so.cache1.1`, the number of entries and the
size of the string area; then 24 bytes per entry: flags, offsets of soname and path, OS version, hardware capabilities.
Offsets count from the header's start. Older caches put the same table behind one of the format `ld.so-1.7.0`.
"""

from __future__ import annotations

import os
import struct

from rtlinker.host.one_step import read_whole, with_file

MAGIC = b"glibc-ld.so.cache1.1"
FLAGS_X86_64 = 0x0303
"""FLAG_X8664_LIB64 | FLAG_ELF_LIBC6: what ldconfig notes for an x86-64 library of this C library."""

PATH = "/etc/ld.so.cache"


def cached_libraries(path: str = PATH) -> list[tuple[str, str]]:
    """(soname, path) of every x86-64 library in the cache, in its order; empty if the file is missing or damaged.

    A soname can come several times, with builds for newer processors first.
    """
    try:
        raw = with_file(path, read_whole)
    except OSError:
        return []
    return parse_cache(raw)


def parse_cache(raw: bytes) -> list[tuple[str, str]]:
    """`cached_libraries` of these bytes. Entries whose strings lie outside are left out."""
    start = raw.find(MAGIC)
    if start < 0 or start + 48 > len(raw):
        return []
    (count,) = struct.unpack_from("<I", raw, start + 20)
    count = min(count, (len(raw) - start - 48) // 24)
    found = []
    for flags, name, target, _, _ in struct.iter_unpack("<iIIIQ", raw[start + 48 : start + 48 + 24 * count]):
        if flags == FLAGS_X86_64:
            pair = _string(raw, start + name), _string(raw, start + target)
            if all(pair):
                found.append(pair)
    return found


def _string(raw: bytes, at: int) -> str:
    end = raw.find(0, at)
    return os.fsdecode(raw[at:end]) if 0 <= at < end else ""
