"""The gABI's hash, held to values that glibc's own files contain."""

from rtlinker.hashes import sysv_hash_of


def test_the_hash_of_a_version_is_what_readelf_shows_of_libc():
    assert sysv_hash_of(b"GLIBC_2.2.5") == 0x09691A75
    assert sysv_hash_of(b"GCC_3.0") == 0x0B792650


def test_the_hash_of_a_long_name_stays_in_28_bits():
    assert sysv_hash_of(b"_ZNSt8ios_base4InitC1Ev" * 9) < 1 << 28
    assert sysv_hash_of(b"") == 0
