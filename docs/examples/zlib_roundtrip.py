"""zlib's static archive against Python's own zlib module: compress and uncompress a megabyte.

Needs libz.a (Debian: zlib1g-dev). The archive has no debug information, so prototypes are given as text.
"""

import zlib

import rtlinker

COMPRESS = "int(uint8_t *target, unsigned long *target_size, const uint8_t *source, unsigned long size, int level)"
UNCOMPRESS = "int(uint8_t *target, unsigned long *target_size, const uint8_t *source, unsigned long size)"

text = b"".join(b"%d bottles, %x crates\n" % (number, number * number) for number in range(45_000))[:1_000_000]

with rtlinker.load(libraries=[":libz.a"]) as library:
    compress = library.function("compress2", COMPRESS)
    uncompress = library.function("uncompress", UNCOMPRESS)
    bound = library.function("compressBound", "unsigned long(unsigned long)")

    def packed_here(data):
        """Compressed by the archive's code."""
        target, size = bytearray(bound(len(data))), [bound(len(data))]
        assert compress(target, size, data, len(data), 9) == 0
        return bytes(target[: size[0]])  # what C writes into a list's elements is copied back

    def unpacked_here(data, length):
        """Uncompressed by the archive's code."""
        target, size = bytearray(length), [length]
        assert uncompress(target, size, data, len(data)) == 0
        return bytes(target[: size[0]])

    packed = packed_here(text)
    print(f"{len(text):,} bytes become {len(packed):,}")
    print("packed here, unpacked here: ", unpacked_here(packed, len(text)) == text)
    print("packed here, unpacked by zlib:", zlib.decompress(packed) == text)
    print("packed by zlib, unpacked here:", unpacked_here(zlib.compress(text), len(text)) == text)
