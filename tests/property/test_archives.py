"""Archives: what is written is read back, and damage never ends in anything but BadObjectError or a result."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtlinker.elf.archive import Archive, read_archive
from rtlinker.errors import BadObjectError
from tests.support.archives import write_archive

FILE_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\n/"), min_size=1, max_size=40)
# names that are special to one of the formats have tests of their own
PLAIN = FILE_NAMES.filter(lambda name: not name.startswith(("#1/", "__.SYMDEF", " ")) and not name.endswith(" "))
SYMBOLS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20), max_size=4)
MEMBERS = st.lists(st.tuples(PLAIN, st.binary(max_size=50), SYMBOLS), max_size=6)
FORMS = st.sampled_from([(False, 32), (False, 64), (True, 32), (True, 64)])


def build(
    rows: list[tuple[str, bytes, list[str]]], form: tuple[bool, int], index: bool = True, thin: bool = False
) -> bytes:
    bsd, bits = form
    members = [(name, data) for name, data, _ in rows]
    return write_archive(members, index, thin, bits, bsd=bsd, symbols=[names for _, _, names in rows])


def everything(data: bytes) -> Archive:
    """Reads all that can be read without touching other files."""
    archive = read_archive(data, "x.a", "/nowhere")
    for member in archive.members:
        if not archive.thin:
            archive.contents(member)
    if archive.has_index:
        for offset in archive.index().values():
            archive.member_at(offset)
    return archive


def survives(data: bytes) -> bool:
    try:
        everything(data)
    except BadObjectError:
        return False
    return True


@given(MEMBERS, FORMS, st.booleans())
def test_members_written_are_members_read(
    rows: list[tuple[str, bytes, list[str]]], form: tuple[bool, int], index: bool
) -> None:
    archive = read_archive(build(rows, form, index), "x.a")
    read = [(member.name, bytes(archive.contents(member))) for member in archive.members]
    assert read == [(name, data) for name, data, _ in rows]


@given(MEMBERS, FORMS)
def test_the_index_written_is_the_index_read(rows: list[tuple[str, bytes, list[str]]], form: tuple[bool, int]) -> None:
    archive = read_archive(build(rows, form), "x.a")
    expected: dict[str, int] = {}
    for member, (_, _, names) in zip(archive.members, rows, strict=True):
        for name in names:
            expected.setdefault(name, member.header_offset)
    assert list(archive.index().items()) == list(expected.items())


@given(MEMBERS, FORMS)
def test_an_index_made_from_members_is_the_stored_one(
    rows: list[tuple[str, bytes, list[str]]], form: tuple[bool, int]
) -> None:
    archive = read_archive(build(rows, form), "x.a")
    symbols = {member.header_offset: names for member, (_, _, names) in zip(archive.members, rows, strict=True)}
    assert archive.index_with(lambda _, member: symbols[member.header_offset]) == archive.index()


@given(MEMBERS)
def test_thin_members_are_named_not_stored(rows: list[tuple[str, bytes, list[str]]]) -> None:
    archive = read_archive(build(rows, (False, 32), thin=True), "x.a", "/d")
    assert [(member.path, member.size) for member in archive.members] == [
        (f"/d/{name}", len(data)) for name, data, _ in rows
    ]


@given(MEMBERS, FORMS, st.booleans(), st.data())
def test_every_truncation_is_an_error_or_a_result(
    rows: list[tuple[str, bytes, list[str]]], form: tuple[bool, int], thin: bool, data: st.DataObject
) -> None:
    whole = build(rows, (False, form[1]) if thin else form, thin=thin)
    survives(whole[: data.draw(st.integers(0, len(whole)))])


@given(MEMBERS.filter(bool), FORMS, st.data())
def test_an_archive_cut_before_its_last_byte_of_contents_is_refused(
    rows: list[tuple[str, bytes, list[str]]], form: tuple[bool, int], data: st.DataObject
) -> None:
    whole = build(rows, form)
    last = read_archive(whole, "x.a").members[-1]
    cut = data.draw(st.integers(last.header_offset + 1, max(last.data_offset + last.size - 1, last.header_offset + 1)))
    assert not survives(whole[:cut])


@given(MEMBERS, FORMS, st.booleans(), st.data())
def test_every_mutation_is_an_error_or_a_result(
    rows: list[tuple[str, bytes, list[str]]], form: tuple[bool, int], thin: bool, data: st.DataObject
) -> None:
    broken = bytearray(build(rows, (False, form[1]) if thin else form, thin=thin))
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(
            st.sampled_from(b"\0\n\xff/0129 :#`") | st.integers(0, 255)
        )
    survives(bytes(broken))


@given(st.sampled_from([b"!<arch>\n", b"!<thin>\n"]), st.binary(max_size=300))
def test_anything_behind_the_magic_is_an_error_or_a_result(magic: bytes, rest: bytes) -> None:
    survives(magic + rest)
