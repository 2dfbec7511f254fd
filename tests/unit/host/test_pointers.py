"""The search for words that point into spans finds what looking at every word finds."""

from hypothesis import given
from hypothesis import strategies as st

from rtlinker.host import own_memory
from rtlinker.host.pointers import Spans

ADDRESS = st.one_of(
    st.integers(0x7F00_0000_0000, 0x7F00_0040_0000),
    st.integers(0x5500_0000_0000, 0x5500_0002_0000),
    st.integers(0x10_0000, 0x4100_0000),
)
SPAN = st.tuples(ADDRESS, st.integers(0, 0x3_0000)).map(lambda pair: (pair[0], pair[0] + pair[1]))
ROOM = own_memory.Room(4096)


def put(words, shift):
    ROOM.bytes[:4096] = bytes(4096)
    for at, word in enumerate(words):
        ROOM.bytes[at * 16 + shift : at * 16 + shift + 8] = word.to_bytes(8, "little")
    return len(words) * 16 + 8


@given(st.lists(SPAN, max_size=12), st.lists(ADDRESS, max_size=40), st.integers(0, 7))
def test_every_word_that_points_into_a_span_is_found_and_no_other(spans, words, shift):
    size = put(words, shift)
    wanted = {
        (at, word)
        for at in range(0, size - 7, 8)
        for word in [int.from_bytes(ROOM.bytes[at : at + 8], "little")]
        if any(start <= word < end for start, end in spans)
    }
    found = Spans(spans).find(ROOM, size)
    assert set(found) == wanted
    assert len(found) == len(wanted)


@given(st.lists(SPAN, max_size=12), st.lists(ADDRESS, max_size=40), st.integers(0, 7))
def test_words_at_any_byte_are_found_when_asked_for(spans, words, shift):
    size = put(words, shift)
    wanted = {
        (at, word)
        for at in range(size - 7)
        for word in [int.from_bytes(ROOM.bytes[at : at + 8], "little")]
        if any(start <= word < end for start, end in spans)
    }
    assert set(Spans(spans).find(ROOM, size, 1)) == wanted


@given(st.lists(SPAN, max_size=8), SPAN)
def test_a_piece_without_spans_is_what_lies_in_none(spans, piece):
    start, end = piece
    edges = sorted({start, *(edge for span in spans for edge in span if start < edge < end)})
    wanted = Spans(spans)
    left = list(wanted.without(start, end))
    for edge in edges:
        if edge < end:
            assert wanted.holds(edge) != any(low <= edge < high for low, high in left)
    assert all(start <= low < high <= end for low, high in left)
