"""Where everything lies within an image."""

import pytest

from rtlinker.elf.constants import SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHF_X86_64_LARGE, SHT_NOBITS, SHT_PROGBITS
from rtlinker.errors import UnsupportedError
from rtlinker.link.layout import lay_out
from rtlinker.link.resolve import resolve
from rtlinker.link.scan import scan
from tests.support.objects import CODE, DATA, inputs, make, table


def laid_out(*objects, **named):
    resolution = resolve(inputs(*objects, **named))
    return resolution, lay_out(resolution, scan(resolution))


def place(resolution, layout, object, name):
    return layout.sections[object][resolution.objects[object].sections.names.index(name)]


def segment_of(layout, offset):
    return next(part.name for part in layout.segments if part.offset <= offset < part.offset + max(part.size, 1))


PIECES = [
    (".rodata", 16, SHF_ALLOC, SHT_PROGBITS, 8),
    (".data", 16, DATA, SHT_PROGBITS, 8),
    (".bss", 100, DATA, SHT_NOBITS, 32),
    (".data.rel.ro", 16, DATA, SHT_PROGBITS, 8),
    (".lbss", 64, DATA | SHF_X86_64_LARGE, SHT_NOBITS, 8),
]


def test_sections_are_grouped_by_what_they_allow():
    resolution, layout = laid_out(make("a", sections=PIECES))
    names = [".text", ".rodata", ".data.rel.ro", ".data", ".bss", ".lbss"]
    found = [segment_of(layout, place(resolution, layout, 0, name)) for name in names]
    assert found == ["code", "const", "const", "data", "data", "large"]


def test_no_segment_is_writable_and_executable_and_each_has_pages_of_its_own():
    _, layout = laid_out(make("a", sections=PIECES), make("b", sections=PIECES))
    assert all(not ("w" in part.letters and "x" in part.letters) for part in layout.segments)
    ends = 0
    for part in layout.segments:
        assert part.offset % 4096 == 0
        assert part.offset >= ends
        ends = part.offset + part.size


@pytest.mark.parametrize("align", [1, 32, 4096, 1 << 16, 1 << 21])
def test_alignment_is_exact(align):
    resolution, layout = laid_out(make("a", sections=[(".aligned", 8, DATA, SHT_PROGBITS, align)]))
    assert place(resolution, layout, 0, ".aligned") % align == 0
    assert layout.align >= align


def test_sections_with_a_c_name_stand_together_and_are_bounded():
    pieces = [("table", 24, DATA, SHT_PROGBITS, 8), (".data", 8, DATA, SHT_PROGBITS, 8)]
    resolution, layout = laid_out(make("a", sections=pieces), make("b", sections=pieces))
    first, second = place(resolution, layout, 0, "table"), place(resolution, layout, 1, "table")
    assert layout.bounds["table"] == (first, second + 24)
    assert second == first + 24


def test_a_c_name_that_is_writable_anywhere_is_writable_everywhere():
    constant = make("a", sections=[("table", 8, SHF_ALLOC, SHT_PROGBITS, 8)])
    resolution, layout = laid_out(constant, make("b", sections=[("table", 8, DATA, SHT_PROGBITS, 8)]))
    assert segment_of(layout, place(resolution, layout, 0, "table")) == "data"


def test_writable_code_is_refused():
    with pytest.raises(UnsupportedError) as caught:
        laid_out(make("a", sections=[(".wx", 8, SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR, SHT_PROGBITS, 1)]))
    assert caught.value.feature == "writable code"


def test_a_call_to_the_outside_gets_a_stub_in_code_and_its_pointer_in_const():
    _, layout = laid_out(make("a", wants=["f"]), process=table(f=0x7F0000000000))
    stub, pointer = layout.stubs["f"]
    assert (segment_of(layout, stub), segment_of(layout, pointer)) == ("code", "const")
    assert (stub % 16, pointer % 8) == (0, 0)


def test_common_blocks_lie_aligned_in_data():
    _, layout = laid_out(make("a", commons=[("c", 10, 64)]))
    assert layout.commons["c"] % 64 == 0
    assert segment_of(layout, layout.commons["c"]) == "data"


def test_frame_descriptions_lie_together_with_a_zero_word_behind_them():
    record = b"\x14\0\0\0" + b"\1" * 20
    frames = [(".eh_frame", record, SHF_ALLOC, SHT_PROGBITS, 8), (".rodata", 8, SHF_ALLOC, SHT_PROGBITS, 8)]
    ended = [(".eh_frame", record + bytes(4), SHF_ALLOC, SHT_PROGBITS, 8), *frames[1:]]
    resolution, layout = laid_out(make("a", sections=ended), make("b", sections=frames))
    start, end = layout.bounds[".eh_frame"]
    assert end - start == 48, "the zero word of the first list would hide the second"
    taken = {place(resolution, layout, number, ".rodata") for number in (0, 1)} | {layout.dso_handle, layout.got}
    assert not any(end <= at < end + 4 for at in taken)


def test_priorities_order_constructors():
    arrays = [
        (".init_array.00200", 8, DATA, 14, 8),
        (".init_array", 8, DATA, 14, 8),
        (".init_array.00101", 8, DATA, 14, 8),
    ]
    resolution, layout = laid_out(make("a", sections=arrays))
    places = [place(resolution, layout, 0, name) for name in (".init_array.00101", ".init_array.00200", ".init_array")]
    assert places == sorted(places)


def test_an_image_of_nothing_is_a_page():
    _, layout = laid_out()
    assert layout.size > 0


def test_flags_of_the_support_objects_are_what_they_say():
    assert CODE & SHF_EXECINSTR
    assert DATA & SHF_WRITE
