"""What every site of an image reaches: its small segments may be large themselves."""

from types import SimpleNamespace

from rtlinker.link.addresses import REACH, Addresses

BASE, LARGE_FROM = 1 << 40, 1 << 26


def test_the_last_small_byte_must_reach_what_lies_before_the_image():
    addresses = Addresses(None, SimpleNamespace(large_from=LARGE_FROM), None, BASE)
    assert addresses.reaches(BASE + LARGE_FROM - REACH + 1)
    assert not addresses.reaches(BASE + LARGE_FROM - REACH)
    assert addresses.reaches(BASE + REACH - 17)
    assert not addresses.reaches(BASE + REACH - 16)
