from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rtlinker.elf.archive import Archive, Member, read_archive
from rtlinker.errors import BadObjectError
from tests.support.archives import header, padded, write_archive

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TWO = [("one.o", b"first"), ("two.o", b"second")]
NAMES = [["f", "g"], ["h"]]
FLAVOURS = pytest.mark.parametrize(("bsd", "bits"), [(False, 32), (False, 64), (True, 32), (True, 64)])


def contents(archive: Archive) -> list[tuple[str, bytes]]:
    return [(member.name, bytes(archive.contents(member))) for member in archive.members]


def refused(data: bytes, act: str = "members") -> BadObjectError:
    with pytest.raises(BadObjectError) as caught:
        archive = read_archive(data, "x.a")
        archive.index() if act == "index" else archive.members
    assert caught.value.file.startswith("x.a")
    return caught.value


@FLAVOURS
def test_members_come_back_in_order(bsd: bool, bits: int) -> None:
    archive = read_archive(write_archive(TWO, bsd=bsd, bits=bits, symbols=NAMES), "x.a")
    assert contents(archive) == TWO


@FLAVOURS
def test_the_index_leads_to_the_member_that_defines(bsd: bool, bits: int) -> None:
    archive = read_archive(write_archive(TWO, bsd=bsd, bits=bits, symbols=NAMES), "x.a")
    found = {name: archive.member_at(offset).name for name, offset in archive.index().items()}
    assert found == {"f": "one.o", "g": "one.o", "h": "two.o"}


@FLAVOURS
def test_the_first_definition_wins_and_keeps_its_place(bsd: bool, bits: int) -> None:
    data = write_archive(TWO, bsd=bsd, bits=bits, symbols=[["a", "same"], ["same", "z"]])
    archive = read_archive(data, "x.a")
    assert [(name, archive.member_at(at).name) for name, at in archive.index().items()] == [
        ("a", "one.o"),
        ("same", "one.o"),
        ("z", "two.o"),
    ]


@pytest.mark.parametrize("bsd", [False, True])
@pytest.mark.parametrize(
    "name", ["exactly15chars.", "sixteen_letters.", "a name with spaces.obj", "ends_in.cpp", "x" * 300]
)
def test_a_name_of_any_length_and_ending_comes_back(name: str, bsd: bool) -> None:
    archive = read_archive(write_archive([(name, b"data"), ("b.o", b"")], bsd=bsd), "x.a")
    assert contents(archive) == [(name, b"data"), ("b.o", b"")]


def test_a_name_that_is_not_utf8_comes_back() -> None:
    archive = read_archive(write_archive([("caf\udce9.o", b"")]), "x.a")
    assert archive.members[0].name == "caf\udce9.o"


def test_two_members_of_one_name_stay_two() -> None:
    archive = read_archive(write_archive([("a.o", b"1"), ("a.o", b"22")], symbols=[["f"], ["g"]]), "x.a")
    assert [bytes(archive.contents(archive.member_at(at))) for at in archive.index().values()] == [b"1", b"22"]


def test_the_last_pad_byte_may_be_missing() -> None:
    data = write_archive([("a.o", b"odd")], symbols=[["f"]])
    assert data.endswith(b"odd\n")
    assert contents(read_archive(data[:-1], "x.a")) == [("a.o", b"odd")]


def test_an_archive_without_members_has_an_empty_index() -> None:
    assert read_archive(b"!<arch>\n", "x.a").index() == {}


def test_contents_are_borrowed_not_copied() -> None:
    data = bytearray(write_archive(TWO, symbols=NAMES))
    archive = read_archive(memoryview(data), "x.a")
    part = archive.contents(archive.members[0])
    data[archive.members[0].data_offset] = ord("F")
    assert bytes(part) == b"First"


def test_the_index_does_not_read_the_members() -> None:
    data = write_archive(TWO, symbols=NAMES)
    broken = data.replace(b"`\nsecond", b"??second")
    assert broken != data
    assert list(read_archive(broken, "x.a").index()) == ["f", "g", "h"]


def test_an_index_is_made_from_members_when_there_is_none() -> None:
    archive = read_archive(write_archive(TWO, index=False), "x.a")

    def define(archive: Archive, member: Member) -> Iterable[str]:
        return ["both", bytes(archive.contents(member)).decode()]

    one, two = (member.header_offset for member in archive.members)
    assert archive.index_with(define) == {"both": one, "first": one, "second": two}


def test_a_missing_index_is_an_error_that_names_ranlib() -> None:
    error = refused(write_archive(TWO, index=False), "index")
    assert "ranlib" in (error.hint or "")


def test_has_index_tells_whether_there_is_one() -> None:
    assert [read_archive(write_archive(TWO, index=index), "x.a").has_index for index in (True, False)] == [True, False]


def test_an_index_sorted_by_name_may_share_the_tails_of_names() -> None:
    pool = b"unprintf\0\0\0\0"
    pairs = b"".join(number.to_bytes(4, "little") for number in (2, 104, 0, 104))
    data = (16).to_bytes(4, "little") + pairs + len(pool).to_bytes(4, "little") + pool
    archive = b"!<arch>\n" + header(b"__.SYMDEF SORTED", len(data)) + data + header(b"a.o", 2) + b"OK"
    read = read_archive(archive, "x.a")
    assert read.index() == {"printf": 104, "unprintf": 104}


def test_the_darwin_index_with_a_long_name_is_found() -> None:
    pool = b"f\0\0\0"
    data = b"__.SYMDEF SORTED\0\0\0\0" + b"".join(number.to_bytes(4, "little") for number in (8, 0, 108, 4)) + pool
    archive = b"!<arch>\n" + header(b"#1/20", len(data)) + data + header(b"a.o", 2) + b"OK"
    assert read_archive(archive, "x.a").index() == {"f": 108}


def test_of_two_indexes_the_first_counts() -> None:
    data = write_archive([("a.o", b"OK")], symbols=[["f"]])
    second = header(b"/", 10) + b"something\n"
    first_end = 68 + 10
    assert read_archive(data[:first_end] + second + data[first_end:], "x.a").index() == {"f": first_end}


@pytest.mark.parametrize("name", [b"/<ECSYMBOLS>/", b"/<XFGHASHMAP>/"])
def test_tables_of_other_systems_are_no_members(name: bytes) -> None:
    archive = read_archive(b"!<arch>\n" + header(name, 2) + b"??" + header(b"a.o/", 2) + b"OK", "x.a")
    assert contents(archive) == [("a.o", b"OK")]


def test_label_names_archive_and_member() -> None:
    archive = read_archive(write_archive(TWO), "lib/x.a")
    assert archive.label(archive.members[1]) == "lib/x.a(two.o)"


# thin archives


def test_a_relative_thin_member_lies_beside_the_archive(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "one.o").write_bytes(b"first")
    archive = read_archive(write_archive([("sub/one.o", b"first")], thin=True), "x.a", str(tmp_path))
    assert contents(archive) == [("sub/one.o", b"first")]


def test_an_absolute_thin_member_ignores_the_directory(tmp_path: Path) -> None:
    path = tmp_path / "one.o"
    path.write_bytes(b"first")
    archive = read_archive(write_archive([(str(path), b"first")], thin=True), "x.a", "/nowhere")
    assert bytes(archive.contents(archive.members[0])) == b"first"


def test_opening_a_thin_archive_reads_no_member() -> None:
    archive = read_archive(write_archive(TWO, thin=True, symbols=NAMES), "x.a", "/nowhere")
    assert [member.path for member in archive.members] == ["/nowhere/one.o", "/nowhere/two.o"]


def test_a_missing_thin_member_names_archive_member_and_path() -> None:
    archive = read_archive(write_archive(TWO, thin=True), "x.a", "/nowhere")
    with pytest.raises(BadObjectError) as caught:
        archive.contents(archive.members[0])
    assert (caught.value.file, caught.value.found) == ("x.a(one.o)", "/nowhere/one.o: No such file or directory")


def test_a_thin_member_that_is_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "one.o")
    archive = read_archive(write_archive([("one.o", b"")], thin=True), "x.a", str(tmp_path))
    with pytest.raises(BadObjectError, match="not a regular file"):
        archive.contents(archive.members[0])


def thin_reference(target: bytes, origin: int) -> bytes:
    names = padded(target + b"/\n")
    return b"!<thin>\n" + header(b"//", len(names)) + names + header(b"/0:%d" % origin, 5)


def test_a_nested_member_is_read_from_the_inner_archive(tmp_path: Path) -> None:
    inner = write_archive(TWO, index=False)
    (tmp_path / "inner.a").write_bytes(inner)
    offset = read_archive(inner, "inner.a").members[1].header_offset
    archive = read_archive(thin_reference(b"inner.a", offset), "x.a", str(tmp_path))
    assert contents(archive) == [(f"inner.a:{offset}", b"second")]


def test_a_thin_archive_that_contains_itself_is_an_error(tmp_path: Path) -> None:
    data = thin_reference(b"self.a", 8 + 60 + 8)
    (tmp_path / "self.a").write_bytes(data)
    archive = read_archive(data, "self.a", str(tmp_path))
    with pytest.raises(BadObjectError, match="circle"):
        archive.contents(archive.members[0])


def test_a_nested_offset_in_an_ordinary_archive_is_refused() -> None:
    data = b"!<arch>\n" + header(b"//", 6) + b"a.o/\n\n" + header(b"/0:8", 0)
    assert refused(data).headline == "bad member name"


def test_archives_may_lie_eight_deep_inside_each_other(tmp_path: Path) -> None:
    (tmp_path / "8.a").write_bytes(write_archive([("a.o", b"deep")], index=False))
    (tmp_path / "7.a").write_bytes(thin_reference(b"8.a", 8))
    for number in range(7):
        (tmp_path / f"{number}.a").write_bytes(thin_reference(b"%d.a" % (number + 1), 8 + 60 + 6))
    archive = read_archive((tmp_path / "0.a").read_bytes(), "0.a", str(tmp_path))
    assert bytes(archive.contents(archive.members[0])) == b"deep"


# broken archives

GOOD = write_archive([("a_name_too_long_for_a_header.o", b"first!"), ("two.o", b"second")], symbols=NAMES)


@pytest.mark.parametrize("data", [b"", b"!<ar"])
def test_a_cut_magic_is_reported_as_cut(data: bytes) -> None:
    assert refused(data).headline == "archive cut short"


def test_another_magic_is_not_an_archive() -> None:
    assert refused(b"\x7fELF\x02\x01\x01\0").headline == "not an archive"


def test_an_archive_cut_in_a_header_says_where() -> None:
    last = read_archive(GOOD, "x.a").members[1].header_offset
    error = refused(GOOD[: last + 30])
    assert (error.headline, error.where) == ("archive ends inside a member header", hex(last))


def test_an_archive_cut_in_a_member_says_how_much_is_left() -> None:
    error = refused(GOOD[:-2])
    assert (error.file, error.found) == ("x.a(two.o)", "6 bytes stated, 4 left")


def test_an_archive_cut_in_its_index_is_refused() -> None:
    assert refused(GOOD[:80]).file == "x.a(/)"


def test_a_header_without_its_magic_is_refused() -> None:
    last = read_archive(GOOD, "x.a").members[1].header_offset
    data = GOOD[: last + 58] + b"??" + GOOD[last + 60 :]
    assert refused(data).found.startswith("b'??'")


@pytest.mark.parametrize("size", [b"", b"-1", b"+5", b"1_0", b"0x10", b"5 5", b"five"])
def test_a_size_that_is_no_number_is_refused(size: bytes) -> None:
    assert refused(b"!<arch>\n" + header(b"a.o/", size) + b"12345678").headline == "member size is not a number"


def test_a_size_past_the_end_is_refused() -> None:
    assert refused(b"!<arch>\n" + header(b"a.o/", 9_999_999_999)).headline == "archive ends inside a member"


@pytest.mark.parametrize("name", [b"/999999", b"/x", b"/-1", b"/1:2", b"#1/x", b"#1/99"])
def test_a_member_name_that_leads_nowhere_is_refused(name: bytes) -> None:
    assert "name" in refused(b"!<arch>\n" + header(b"//", 6) + b"a.o/\n\n" + header(name, 0)).headline


@pytest.mark.parametrize("count", [0, 1, 4, 0xFFFFFFFF])
def test_an_index_whose_count_lies_is_refused(count: int) -> None:
    data = GOOD[:68] + count.to_bytes(4, "big") + GOOD[72:]
    assert refused(data, "index").headline == "broken archive index"


@pytest.mark.parametrize("word", [0, 4, 0xFFFFFFFF])
def test_a_bsd_index_whose_counts_lie_is_refused(word: int) -> None:
    data = write_archive(TWO, bsd=True, symbols=NAMES)
    assert refused(data[:68] + word.to_bytes(4, "little") + data[72:], "index").headline == "broken archive index"


def test_an_index_with_too_few_names_says_how_many() -> None:
    data = GOOD[:68] + (4).to_bytes(4, "big") + GOOD[72:]
    assert refused(data, "index").found == "/: 4 symbols stated, 1 name"


def test_an_index_whose_last_name_has_no_end_is_refused() -> None:
    data = (1).to_bytes(4, "big") + (76).to_bytes(4, "big") + b"name"
    assert refused(b"!<arch>\n" + header(b"/", len(data)) + data, "index").found == "/: 1 symbol stated, 0 names"


@pytest.mark.parametrize("size", [4, 1000])
def test_a_bsd_index_with_an_impossible_size_of_pairs_says_so(size: int) -> None:
    data = write_archive(TWO, bsd=True, symbols=NAMES)
    error = refused(data[:68] + size.to_bytes(4, "little") + data[72:], "index")
    assert f"{size:,} bytes of pairs stated" in error.found


@pytest.mark.parametrize("offset", [0, 0x7FFFFFFF])
def test_an_index_offset_outside_names_the_symbol(offset: int) -> None:
    data = GOOD[:76] + offset.to_bytes(4, "big") + GOOD[80:]
    assert refused(data, "index").found.startswith(f"/: g at {offset:#x}")


def test_an_offset_between_members_is_no_member() -> None:
    archive = read_archive(GOOD, "x.a")
    with pytest.raises(BadObjectError, match="no member header here"):
        archive.member_at(archive.members[0].header_offset + 2)


@pytest.mark.parametrize("offset", [-8, 10**9, 10**30])
def test_an_offset_outside_the_file_is_no_member(offset: int) -> None:
    with pytest.raises(BadObjectError, match="ends inside a member header"):
        read_archive(GOOD, "x.a").member_at(offset)


def test_an_offset_of_the_index_itself_is_no_object() -> None:
    with pytest.raises(BadObjectError, match="no object"):
        read_archive(GOOD, "x.a").member_at(8)
