"""Archives that lie, and members that are no objects: refused when they are needed, named with their archive."""

import pytest

import rtlinker
from tests.support.archives import header, write_archive
from tests.support.broken import refusal, writer_of_add

BITCODE = b"BC\xc0\xde" + bytes(60)
NO_OBJECTS = {
    "text": (b"hello, this is text\n", "a text file that begins with 'hello, this is text'"),
    "nothing": (b"", "an empty file"),
    "bitcode": (BITCODE, "LLVM bitcode, made with -flto or -emit-llvm"),
    "an archive": (b"!<arch>\n", "an archive"),
}


@pytest.fixture
def add():
    return writer_of_add()[0].bytes()


@pytest.fixture
def written(tmp_path):
    def write(data, name="lib.a"):
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return write


@pytest.mark.parametrize("kind", NO_OBJECTS)
def test_a_member_that_is_no_object_is_passed_over_until_it_is_needed(add, written, in_child, kind):
    content, found = NO_OBJECTS[kind]
    path = written(write_archive([("add.o", add), ("other", content)]))
    assert in_child(lambda: rtlinker.load(path).function("add", "int(int, int)")(2, 3)) == 5
    error = refusal(in_child, whole_archives=[path])
    assert (error.file, error.headline, error.found) == (f"{path}(other)", "not an x86-64 relocatable object", found)


@pytest.mark.parametrize("kind", NO_OBJECTS)
def test_an_index_that_leads_to_no_object_is_refused(add, written, in_child, kind):
    content, found = NO_OBJECTS[kind]
    path = written(write_archive([("other", content), ("add.o", add)], symbols=[["add"], []]))

    def attempt():
        with rtlinker.load(path) as library:
            library.address("add")

    with pytest.raises(rtlinker.BadObjectError) as caught:
        in_child(attempt)
    assert (caught.value.file, caught.value.found) == (f"{path}(other)", found)


def test_an_index_that_promises_what_its_member_has_not_leaves_the_name_undefined(add, written, in_child):
    writer, _ = writer_of_add()
    other = writer.bytes().replace(b"add\0", b"abc\0")
    path = written(write_archive([("other.o", other)], symbols=[["add"]]))
    with pytest.raises(rtlinker.UndefinedSymbolsError):
        in_child(lambda: rtlinker.load(path).function("add", "int(int, int)")(2, 3))


@pytest.mark.parametrize("kind", ["archive", "thin archive"])
def test_an_archive_without_members_gives_nothing(add, written, in_child, kind):
    path = written(b"!<thin>\n" if kind == "thin archive" else b"!<arch>\n")
    assert in_child(lambda: rtlinker.load(add, path, whole_archives=[path]).address("add") > 0)


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("keep", [1, 59, 60, 200])
def test_an_archive_that_ends_in_its_last_member_is_refused(add, written, in_child, index, keep):
    whole = write_archive([("first.o", add.replace(b"add\0", b"abc\0")), ("add.o", add)], index=index)
    cut = whole[: whole.rindex(b"add.o/") + keep]
    error = refusal(in_child, whole_archives=[written(cut)])
    assert error.headline == ("archive ends inside a member header" if keep < 60 else "archive ends inside a member")


@pytest.mark.parametrize("size", [b"9999999999", b"100000"])
def test_a_member_size_beyond_the_file_is_refused(add, written, in_child, size):
    path = written(b"!<arch>\n" + header(b"add.o/", size) + add)
    error = refusal(in_child, whole_archives=[path])
    assert (error.file, error.headline) == (f"{path}(add.o)", "archive ends inside a member")


def test_a_member_size_that_cuts_the_object_is_refused(add, written, in_child):
    path = written(b"!<arch>\n" + header(b"add.o/", 100) + add)
    error = refusal(in_child, whole_archives=[path])
    assert isinstance(error, rtlinker.BadObjectError)
    assert error.headline in {"file is cut off", "no member header here"}


def test_an_archive_with_nothing_but_an_index_gives_nothing(add, written, in_child):
    path = written(write_archive([], symbols=[]))
    assert in_child(lambda: rtlinker.load(add, path).address("add") > 0)
