"""Archives as other tools write them: without an index, with BSD names, with a 64-bit index, with long names."""

import pytest

import rtlinker
from tests.support.archives import write_archive

LONG = "a-member-with-a-name-that-does-not-fit-into-sixteen-bytes.o"


@pytest.mark.parametrize(
    "form", [{}, {"index": False}, {"bsd": True}, {"bsd": True, "index": False}, {"bits": 64}], ids=str
)
def test_members_are_found_by_symbol(compile, in_child, tmp_path, form):
    objects = [compile("int two(void); int one(void) { return two() - 1; }"), compile("int two(void) { return 2; }")]
    path = tmp_path / "lib.a"
    path.write_bytes(write_archive([(name, at.read_bytes()) for name, at in zip(("one.o", LONG), objects)], **form))

    def call():
        library = rtlinker.load(path)
        return library.one(), [pull.member for pull in library.linker.pulls()]

    assert in_child(call) == (1, [f"{path}(one.o)", f"{path}({LONG})"])


def test_an_archive_made_without_an_index_works(compile, archive, in_child):
    path = archive("lib.a", compile("int one(void) { return 1; }"), mode="rcS")
    assert in_child(lambda: rtlinker.load(path).one()) == 1
