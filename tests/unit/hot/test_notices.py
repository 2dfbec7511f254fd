"""Notices that something happened in a directory."""

import builtins
import select
import threading
import time

import pytest

from rtlinker.hot.notices import NOTICED, UNNOTICED, Notices

SECONDS = 30


@pytest.fixture
def notices(tmp_path):
    made = Notices([str(tmp_path)])
    yield made
    made.close()


def noticed(notices, act):
    """Whether a notice comes while something is done again and again: listening begins when its thread has begun."""
    end = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < end:
        number += 1
        act(number)
        if select.select([notices], [], [], 0.05)[0]:
            return True
    return False


def test_a_file_that_is_written_gives_notice(notices, tmp_path):
    pytest.importorskip("watchfiles")
    assert notices.interval == NOTICED
    assert noticed(notices, lambda number: (tmp_path / "a").write_text(str(number)))


def test_a_rename_gives_notice(notices, tmp_path):
    pytest.importorskip("watchfiles")

    def rename(number):
        (tmp_path / "new").write_text(str(number))
        (tmp_path / "new").rename(tmp_path / "old")

    assert noticed(notices, rename)


def test_a_notice_is_taken_once(notices, tmp_path):
    pytest.importorskip("watchfiles")
    assert noticed(notices, lambda number: (tmp_path / "a").write_text(str(number)))
    end = time.monotonic() + SECONDS
    while select.select([notices], [], [], 0.3)[0]:  # of what was written before
        assert time.monotonic() < end
        notices.take()
    notices.take()
    assert not select.select([notices], [], [], 0)[0]


def test_without_the_library_looks_come_by_the_clock(tmp_path, monkeypatch):
    real = builtins.__import__

    def refuse(name, *arguments, **options):
        if name == "watchfiles":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    notices = Notices([str(tmp_path)])
    assert not notices.by_kernel
    assert notices.interval == UNNOTICED
    assert notices.why_not == "watchfiles is not installed"


def test_a_listener_that_fails_leaves_it_to_the_clock(tmp_path, monkeypatch):
    watchfiles = pytest.importorskip("watchfiles")

    def failing(*paths, **options):
        raise OSError(28, "no space left on device")
        yield

    monkeypatch.setattr(watchfiles, "watch", failing)
    notices = Notices([str(tmp_path)])
    assert select.select([notices], [], [], SECONDS)[0]
    assert not notices.by_kernel
    assert "no space" in notices.why_not


def test_the_listening_thread_ends_when_it_is_closed(tmp_path):
    pytest.importorskip("watchfiles")
    before = set(threading.enumerate())
    notices = Notices([str(tmp_path)])
    (thread,) = set(threading.enumerate()) - before
    notices.close()
    thread.join(SECONDS)
    assert not thread.is_alive()
