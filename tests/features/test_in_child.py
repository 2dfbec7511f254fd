"""The child that linked code runs in: a crash there is a failed test here."""

import os
import signal

import pytest

from rtlinker.errors import BadObjectError


def test_a_result_comes_back(in_child):
    assert in_child(lambda: {"pid": os.getpid()})["pid"] != os.getpid()


def test_an_error_comes_back_with_its_fields_and_the_childs_traceback(in_child):
    def fail():
        raise BadObjectError("a.o", "truncated", "12 bytes")

    with pytest.raises(BadObjectError) as caught:
        in_child(fail)
    assert (caught.value.file, caught.value.found, caught.value.headline) == ("a.o", "12 bytes", "truncated")
    assert "in fail" in caught.value.__notes__[0]


def test_death_by_a_signal_fails_the_test_with_the_signals_name(in_child):
    with pytest.raises(pytest.fail.Exception, match="SIGKILL"):
        in_child(lambda: os.kill(os.getpid(), signal.SIGKILL))


def test_leaving_without_an_answer_fails_the_test(in_child):
    with pytest.raises(pytest.fail.Exception, match="exit code 3"):
        in_child(lambda: os._exit(3))
