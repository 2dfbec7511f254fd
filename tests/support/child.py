"""Runs linked code in a forked child, so that a crash is a failed test and not a dead test runner."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

CHECKOUT = Path(__file__).resolve().parents[2]


def in_child(function: Callable[..., T], *arguments: object) -> T:
    """What `function(*arguments)` returns, or raises, in a fork of this process; both must be picklable.

    An exception comes back with its type, its fields and the child's traceback as a note. A child that died of a
    signal, or left without an answer, fails the test.
    """
    __tracebackhide__ = True
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _answer(writer, function, arguments)
    os.close(writer)
    status = None
    try:
        with open(reader, "rb") as pipe:
            answer = pipe.read()
        status = os.waitpid(child, 0)[1]
    finally:
        if status is None:  # interrupted, as by pytest-timeout: do not leave the child behind
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        pytest.fail(f"the child died of {signal.Signals(os.WTERMSIG(status)).name}")
    if not answer:
        pytest.fail(f"the child left with exit code {os.waitstatus_to_exitcode(status)} and no answer")
    returned, value = pickle.loads(answer)
    if returned:
        return value
    raise _rebuilt(*value)


def _answer(writer: int, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
    """Send what the function does through the pipe, and end the process without any of pytest's own cleaning up."""
    try:
        try:
            answer = pickle.dumps((True, function(*arguments)))
        except BaseException as error:
            answer = _pickled(error)
        sys.stdout.flush()
        sys.stderr.flush()
        with open(writer, "wb") as pipe:
            pipe.write(answer)
    finally:
        os._exit(0)


def _pickled(error: BaseException) -> bytes:
    text = "in the child:\n" + "".join(traceback.format_exception(error))
    try:
        return pickle.dumps((False, (type(error), error.__reduce__()[1], error.__dict__, text)))
    except Exception:
        return pickle.dumps((False, (RuntimeError, (f"{type(error).__name__}: {error}",), {}, text)))


def _rebuilt(kind: type[BaseException], arguments: tuple[Any, ...], fields: dict[str, Any], text: str) -> BaseException:
    """The exception without running its __init__, whose parameters are not what an exception keeps as `args`."""
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(fields)
    error.add_note(text)
    return error


class Finished(NamedTuple):
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


def rtlinker_command(
    *arguments: str | os.PathLike[str], input: str | None = None, cwd: str | os.PathLike[str] | None = None
) -> Finished:
    """Exit code and output of `rtlinker ARGUMENTS`, run with this Python and checkout; -N for death by signal N."""
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "COLUMNS": "100", "NO_COLOR": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "rtlinker", *map(str, arguments)],
        input=input,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        check=False,
        stdin=subprocess.DEVNULL if input is None else None,
    )
    return Finished(ran.returncode, ran.stdout, ran.stderr)


class Mapping(NamedTuple):
    """One line of /proc/self/maps."""

    start: int
    end: int
    letters: str
    path: str


def memory_map() -> list[Mapping]:
    """What this process has mapped, lowest first."""
    mappings = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, letters, _, _, _, *path = line.split(None, 5)
        start, end = span.split("-")
        mappings.append(Mapping(int(start, 16), int(end, 16), letters, path[0] if path else ""))
    return mappings


def mapped(address: int) -> str:
    """The protection of the page at an address, as in `r-xp`; empty when nothing is mapped there."""
    return next((mapping.letters for mapping in memory_map() if mapping.start <= address < mapping.end), "")
