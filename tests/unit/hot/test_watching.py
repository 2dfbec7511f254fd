"""Which files have new contents: every look is made by hand, nothing waits."""

import os

import pytest

from rtlinker.hot.watching import LARGE, Look, Watched

NOTHING = Look((), False)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.o"
    path.write_bytes(b"one")
    return path


def looks(watched, count=2):
    """The last of some looks in a row, as time passes."""
    return [watched.look() for _ in range(count)][-1]


def test_nothing_is_news_at_first(file):
    assert Watched([str(file)]).look() == NOTHING


def test_a_written_file_is_reported_once_when_it_stands_still(file):
    watched = Watched([str(file)])
    file.write_bytes(b"second")
    assert watched.look() == Look((), True)
    assert watched.look() == Look((str(file),), False)
    assert watched.look() == NOTHING


def test_a_file_that_grows_between_looks_is_not_reported_yet(file):
    watched = Watched([str(file)])
    for size in range(4, 8):
        file.write_bytes(bytes(size))
        assert watched.look() == Look((), True)
    assert watched.look().changed == (str(file),)


def test_a_touch_is_no_news(file):
    watched = Watched([str(file)])
    os.utime(file, (1, 1))
    assert watched.look() == Look((), True)
    assert watched.look() == NOTHING


def test_the_same_bytes_written_again_are_no_news(file):
    watched = Watched([str(file)])
    file.unlink()
    assert watched.look() == NOTHING
    file.write_bytes(b"one")
    assert looks(watched) == NOTHING


def test_a_file_renamed_over_it_is_news(file):
    watched = Watched([str(file)])
    new = file.with_suffix(".new")
    new.write_bytes(b"two")
    os.utime(new, ns=(0, file.stat().st_mtime_ns))
    new.rename(file)
    assert looks(watched).changed == (str(file),)


def test_contents_of_the_same_size_and_time_in_a_new_file_are_news(file):
    watched = Watched([str(file)])
    when = file.stat().st_mtime_ns
    new = file.with_suffix(".new")
    new.write_bytes(b"eno")
    os.utime(new, ns=(when, when))
    new.rename(file)
    assert looks(watched).changed == (str(file),)


def test_a_missing_file_is_waited_for(tmp_path):
    path = tmp_path / "later.o"
    watched = Watched([str(path)])
    assert watched.look() == NOTHING
    path.write_bytes(b"here")
    assert looks(watched).changed == (str(path),)


def test_files_are_reported_together(file, tmp_path):
    other = tmp_path / "b.o"
    other.write_bytes(b"other")
    watched = Watched([str(file), str(other)])
    file.write_bytes(b"new a")
    watched.look()
    other.write_bytes(b"new b")
    assert watched.look() == Look((), True)
    assert set(watched.look().changed) == {str(file), str(other)}


def test_a_file_of_a_directory_does_not_hold_others_back(file, tmp_path):
    busy = tmp_path / "a.c"
    busy.write_bytes(b"")
    watched = Watched([str(file)], [str(tmp_path)])
    file.write_bytes(b"new")
    busy.write_bytes(b"1")
    watched.look()
    busy.write_bytes(b"22")
    assert watched.look() == Look((str(file),), True)
    assert watched.look().changed == (str(busy),)


def test_new_files_of_a_directory_are_news_when_they_are_wanted(tmp_path):
    watched = Watched([], [str(tmp_path)], lambda path: path.endswith(".c"))
    (tmp_path / "new.c").write_text("int x;")
    (tmp_path / "new.txt").write_text("x")
    assert looks(watched).changed == (str(tmp_path / "new.c"),)


def test_paths_in_the_working_directory_are_plain_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    watched = Watched(["a.o"], ["."])
    (tmp_path / "a.o").write_text("x")
    assert looks(watched).changed == ("a.o",)


def test_a_directory_that_is_not_there_has_no_files(tmp_path):
    assert Watched([], [str(tmp_path / "nowhere")]).look() == NOTHING


def test_files_that_are_added_are_as_they_are(file, tmp_path):
    watched = Watched([])
    watched.add([str(file)], [str(tmp_path)])
    assert looks(watched) == NOTHING
    file.write_bytes(b"two")
    assert looks(watched).changed == (str(file),)


def test_adding_swallows_no_news_of_what_was_watched(tmp_path):
    (tmp_path / "other").mkdir()
    watched = Watched([str(tmp_path / "later.o")], [str(tmp_path)])
    (tmp_path / "later.o").write_text("here")
    (tmp_path / "new.c").write_text("here")
    watched.add([str(tmp_path / "later.o")], [str(tmp_path), str(tmp_path / "other")])
    assert set(looks(watched).changed) == {str(tmp_path / "later.o"), str(tmp_path / "new.c")}


def test_what_is_skipped_is_told_and_is_no_news(file):
    watched = Watched([str(file)])
    assert watched.skip() == ()
    file.write_bytes(b"two")
    watched.look()
    assert watched.skip() == (str(file),)
    assert looks(watched) == NOTHING


def test_large_files_of_directories_are_told_by_their_size_and_time(tmp_path):
    large = tmp_path / "large.c"
    with large.open("wb") as data:
        data.truncate(LARGE)
    watched = Watched([], [str(tmp_path)])
    os.utime(large, (1, 1))
    assert looks(watched).changed == (str(large),)


def test_a_file_that_may_not_be_read_is_told_by_its_size_and_time(file, monkeypatch):
    watched = Watched([str(file)])
    file.write_bytes(b"two")

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert looks(watched).changed == (str(file),)


def test_sources_that_are_newer_than_the_object_are_found(file, tmp_path):
    old, new = tmp_path / "old.c", tmp_path / "new.c"
    old.write_text("")
    new.write_text("")
    for path, when in ((old, 10), (file, 20), (new, 30)):
        os.utime(path, (when, when))
    watched = Watched([str(file)], [str(tmp_path)])
    assert watched.newer_than(str(file)) == (str(new),)
    assert set(watched.newer_than(str(tmp_path / "missing.o"))) == {str(old), str(new)}
