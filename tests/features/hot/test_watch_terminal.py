"""What `rtlinker watch` shows in a terminal: colours unless they are unwanted, and builds as they run."""

import os
import subprocess
import sys

import pytest

from tests.support.child import CHECKOUT
from tests.support.watching import SECONDS

SOURCE = "static int n;\nint step(void) { return ++n; }\n"


def shown(tmp_path, until, *arguments, **environment):
    """What a terminal gets on standard error until that has a text."""
    terminal, end = os.openpty()
    known = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "rtlinker", "watch", "c.o", "step", *arguments],
        cwd=tmp_path,
        env={**known, "PYTHONPATH": str(CHECKOUT), "TERM": "xterm-256color", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=end,
    )
    os.close(end)
    try:
        text = b""
        while until not in text:
            text += os.read(terminal, 4096)
    finally:
        process.terminate()
        process.wait(SECONDS)
        process.stdout.close()
        os.close(terminal)
    return text.decode()


@pytest.fixture
def object(compile):
    return compile(SOURCE, flags="-fPIC -fdata-sections", name="c.o")


def test_a_terminal_has_colours(object, tmp_path):
    pytest.importorskip("rich")
    assert "\x1b[1;32mversion 1: load" in shown(tmp_path, b"watched")


@pytest.mark.parametrize("unwanted", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_unwanted(object, tmp_path, unwanted):
    text = shown(tmp_path, b"watched", **unwanted)
    assert text.startswith("version 1: load")
    assert "\x1b" not in text


def test_nothing_is_cut_off_in_a_narrow_terminal(object, tmp_path):
    shown(tmp_path, b"c.o, and sources in .\r\n", "--build", "true", COLUMNS="10")


def test_a_build_is_seen_while_it_runs(tmp_path):
    (tmp_path / "c.c").write_text(SOURCE)
    build = "echo compiling; test -t 1 && echo a terminal; gcc -g -fPIC -c c.c"
    text = shown(tmp_path, b"watched", "--build", build)
    assert "building: the first version" in text
    assert text.index("compiling\r\na terminal\r\n") < text.index("version 1")


def test_a_build_that_fails_is_not_shown_twice(tmp_path):
    (tmp_path / "c.c").write_text(SOURCE)
    text = shown(tmp_path, b"exit code 3", "--build", "echo oh; exit 3")
    assert text.count("oh\r\n") == 1
