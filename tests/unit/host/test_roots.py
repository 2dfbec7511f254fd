"""Pointers into a span are found wherever the process keeps them."""

import ctypes
import mmap

import pytest

from rtlinker.host import memory, own_memory, roots
from rtlinker.host.roots import pointers_into
from rtlinker.units import MIB, PAGE


@pytest.fixture
def place():
    """Code nobody has ever pointed to, so that what is found was planted."""
    place = memory.reserve(2 * PAGE, 1 << 16, low=False)
    yield place
    place.release()


def span_of(place):
    return place.address + PAGE, place.address + 2 * PAGE


def plant(address, value):
    (ctypes.c_char * 8).from_address(address)[:] = value.to_bytes(8, "little")


def found(span, *addresses, **how):
    """Those of some addresses that are found, with how far into the span the words there point."""
    hits = pointers_into([span], **how)
    return {hit.address: (hit.value - span[0], hit.mapping) for hit in hits if hit.address in addresses}


def test_a_pointer_on_the_heap_is_found_with_the_name_of_its_mapping(place):
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    room, span = libc.malloc(ctypes.c_size_t(64)), span_of(place)
    plant(room + 16, span[0] + 5)
    (found_there,) = found(span, room + 16).values()
    assert found_there == (5, found_there[1])
    assert found_there[1] in {"[heap]", "anonymous memory"}


def test_pointers_in_private_and_shared_mappings_are_found_and_in_sparse_ones(place):
    span = span_of(place)
    shared = mmap.mmap(-1, 3 * PAGE)
    shared_at = ctypes.addressof(ctypes.c_char.from_buffer(shared)) + PAGE
    sparse = memory.reserve(1024 * MIB, PAGE, low=False)
    far = sparse.address + 900 * MIB - 8
    for at in (shared_at, far):
        plant(at, span[0])
    hits = found(span, shared_at, far)
    assert hits[far] == (0, "anonymous memory")
    assert hits[shared_at][1].startswith("/dev/zero")
    sparse.release()


def test_the_ends_of_a_span_and_of_what_is_searched_are_exact(place, monkeypatch):
    monkeypatch.setattr(roots, "Room", lambda: own_memory.Room(2 * PAGE))
    span = span_of(place)
    pages = memory.reserve(8 * PAGE, PAGE, low=False)
    values = {0: span[0] - 1, 8: span[0], 16: span[1] - 1, 24: span[1]}
    for at in (0, 2 * PAGE - 16, 8 * PAGE - 32):
        for offset, value in values.items():
            plant(pages.address + at + offset, value)
    wanted = [pages.address + at + offset for at in (0, 2 * PAGE - 16, 8 * PAGE - 32) for offset in (8, 16)]
    mine = range(pages.address, pages.address + 8 * PAGE)
    assert [hit.address for hit in pointers_into([span]) if hit.address in mine] == wanted
    pages.release()


def test_words_across_words_are_found_when_asked_for(place, monkeypatch):
    monkeypatch.setattr(roots, "Room", lambda: own_memory.Room(2 * PAGE))
    span = span_of(place)
    pages = memory.reserve(6 * PAGE, PAGE, low=False)
    wanted = [pages.address + at for at in (3, 2 * PAGE - 5, 4 * PAGE - 13, 6 * PAGE - 9)]
    for at in wanted:
        plant(at, span[0] + 1)
    assert not found(span, *wanted)
    assert list(found(span, *wanted, unaligned=True)) == wanted
    pages.release()


def test_many_spans_are_searched_at_once_and_what_is_excluded_is_not(place):
    places = [memory.reserve(PAGE, 1 << 16, low=low) for low in (False, True) for _ in range(12)]
    pages = memory.reserve(PAGE, PAGE, low=False)
    for at, each in enumerate(places):
        plant(pages.address + at * 8, each.address + at)
    spans = [(each.address, each.address + PAGE) for each in places]
    mine = range(pages.address, pages.address + PAGE)
    hits = [(hit.address, hit.value) for hit in pointers_into(spans) if hit.address in mine]
    assert hits == [(pages.address + at * 8, each.address + at) for at, each in enumerate(places)]
    out = (pages.address + 8, pages.address + 16)
    left = [hit.address for hit in pointers_into(spans, exclude=[out]) if hit.address in mine]
    assert left == [address for address, _ in hits if address != out[0]]
    for each in (*places, pages):
        each.release()


def test_looking_leaves_no_pointers_to_be_found_the_next_time(place):
    span, pages = span_of(place), memory.reserve(PAGE, PAGE, low=False)
    for at in range(0, PAGE, 8):
        plant(pages.address + at, span[0] + at)
    first = [hit.address for hit in pointers_into([span])]
    assert set(range(pages.address, pages.address + PAGE, 8)) <= set(first)
    assert [hit.address for hit in pointers_into([span])] == first
    pages.release()


def test_no_span_has_no_pointers():
    assert pointers_into([]) == ()
    assert pointers_into([(4096, 4096)]) == ()
