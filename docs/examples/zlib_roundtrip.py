"""zlib's static archive against Python's own zlib module: compress and uncompress a megabyte.

Needs libz.a (Debian: zlib1g-dev). The archive has no debug information, so prototypes are given as text.
"""

import random
import zlib

import rtlinker

SIZE = 1_000_000
COMPRESS = "int(uint8_t *target, unsigned long *target_size, const uint8_t *source, unsigned long size, int level)"
UNCOMPRESS = "int(uint8_t *target, unsigned long *target_size, const uint8_t *source, unsigned long size)"

letters = random.Random(1)
text = bytes(letters.choices(b"the quick brown fox", k=SIZE))

with rtlinker.load(rtlinker.api.library_path(":libz.a", [])) as library:
    compress = library.function("compress2", COMPRESS)
    uncompress = library.function("uncompress", UNCOMPRESS)
    bound = library.function("compressBound", "unsigned long(unsigned long)")

    packed = bytearray(bound(SIZE))
    size = [len(packed)]  # a list is a temporary array; what C writes there is copied back
    assert compress(packed, size, text, SIZE, 9) == 0
    packed = packed[: size[0]]
    print(f"rtlinker: {SIZE:,} bytes become {len(packed):,}")

    unpacked = bytearray(SIZE)
    size = [SIZE]
    assert uncompress(unpacked, size, bytes(packed), len(packed)) == 0
    print("uncompressed here equals the text:", unpacked == text)

print("uncompressed by Python's zlib equals the text:", zlib.decompress(packed) == text)
print("compressed by Python's zlib, uncompressed here:", len(zlib.compress(text, 9)) == len(packed))
