"""The undo stack: last first, all of them, the first failure in the end."""

import pytest

from rtlinker.live.undo import UndoStack


def test_inverses_run_last_first_and_once():
    done, undo = [], UndoStack()
    for number in range(3):
        undo.push(lambda number=number: done.append(number))
    undo.run()
    undo.run()
    assert done == [2, 1, 0]


def test_a_failing_inverse_does_not_keep_the_others():
    done, undo = [], UndoStack()
    undo.push(lambda: done.append("first"))
    undo.push(lambda: 1 / 0)
    undo.push(lambda: done.append("last"))
    with pytest.raises(ZeroDivisionError):
        undo.run()
    assert done == ["last", "first"]
