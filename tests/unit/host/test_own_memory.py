"""Memory of the process is read in whatever way the process is left, and memory that is not there is no crash."""

import ctypes

import pytest

from rtlinker.host import memory, own_memory
from rtlinker.units import PAGE

WAYS = range(len(own_memory._WAYS))


@pytest.fixture(params=WAYS, ids=["the file", "a pipe"])
def way(request, monkeypatch):
    monkeypatch.setattr(own_memory, "_way", request.param)
    return request.param


def test_every_way_reads_what_is_there(way):
    text = bytes(range(256)) * 100
    room = ctypes.create_string_buffer(text)
    assert own_memory.read(ctypes.addressof(room) + 3, 20_001) == text[3:20_004]
    assert own_memory._way == way


def test_every_way_stops_where_nothing_is(way):
    pages = memory.reserve(3 * PAGE, PAGE, low=False)
    pages.view[: 2 * PAGE] = b"x" * (2 * PAGE)
    pages.protect(2 * PAGE, PAGE, "r--")
    room = own_memory.Room(4 * PAGE)  # made before, or it would be mapped where nothing is to be
    ctypes.CDLL(None).munmap(ctypes.c_void_p(pages.address + 2 * PAGE), ctypes.c_size_t(PAGE))
    assert room.read(pages.address + 10, 3 * PAGE) == b"x" * (2 * PAGE - 10)
    assert room.read(pages.address + 2 * PAGE, 8) == b""
    assert own_memory._way == way


def test_addresses_that_nobody_has_are_empty(way):
    for address in (0, 1, 8, 1 << 47, (1 << 63) - 8, 1 << 63, (1 << 64) - 1):
        assert own_memory.read(address, 16) == b""
    assert own_memory._way == way


def test_a_way_that_is_closed_gives_way_to_the_next(monkeypatch):
    def closed(room, address, size):
        return -1

    monkeypatch.setattr(own_memory, "_WAYS", (closed, *own_memory._WAYS[1:]))
    monkeypatch.setattr(own_memory, "_way", 0)
    room = ctypes.create_string_buffer(b"here")
    assert own_memory.read(ctypes.addressof(room), 4) == b"here"
    assert own_memory._way == 1


def test_a_process_that_is_not_dumpable_reads_its_own_memory(in_child):
    def call():
        import os

        if not os.getuid():
            os.setresuid(65534, 65534, 65534)
        ctypes.CDLL(None).prctl(4, 0)
        room = ctypes.create_string_buffer(b"here")
        answers = []
        for way in WAYS:
            own_memory._way = way
            answers.append(own_memory.read(ctypes.addressof(room), 4))
        return answers, own_memory._way

    assert in_child(call) == ([b"here"] * 2, 1)
