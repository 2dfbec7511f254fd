"""Which threads may be in a piece of memory, and what is taken to be possible where nothing can be seen."""

import os
import threading

import pytest

from rtlinker.host import threads

NOWHERE = (1 << 62) + 12345, (1 << 62) + 12346
"""Where no word of a stack points to."""


@pytest.fixture
def waiting():
    """A thread that waits in read(2), by its name in /proc."""
    reader, writer = os.pipe()
    thread = threading.Thread(target=os.read, args=(reader, 1))
    thread.start()
    yield str(thread.native_id)
    os.write(writer, b"x")
    thread.join()
    os.close(reader)
    os.close(writer)


def test_a_thread_is_suspected_where_its_stack_cannot_be_read(waiting, monkeypatch):
    known = os.open

    def refusing(path, *rest):
        if path == "/proc/self/mem":
            raise PermissionError(13, "Permission denied", path)
        return known(path, *rest)

    before = threads.threads_in(*NOWHERE)
    monkeypatch.setattr(os, "open", refusing)
    after = threads.threads_in(*NOWHERE, tries=1)
    assert not [name for name in before if waiting in name]
    assert [name for name in after if waiting in name]
