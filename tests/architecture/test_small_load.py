"""A small load imports next to nothing: what it would cost to import these is more than the whole load."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.child import CHECKOUT

COSTLY = {
    "numpy", "elftools", "capstone", "rich", "argcomplete", "argparse", "dataclasses", "typing", "inspect", "enum",
    "re", "pathlib", "subprocess", "json", "logging", "tempfile", "shutil", "traceback", "difflib", "bisect",
    "random", "socket", "contextlib", "multiprocessing", "mmap", "platform", "textwrap", "urllib", "hashlib",
}  # fmt: skip
PRELUDE = "import sys; before = set(sys.modules)\n"
REPORT = "\nreport = sorted(set(sys.modules) - before)\nimport json; print(json.dumps([result, report]))"
TYPED_BY_HAND = "import rtlinker; result = rtlinker.load(%r).function('add', 'int(int, int)')(2, 3)"
TYPED_BY_DWARF = "import rtlinker; result = rtlinker.load(%r).add(2, 3)"
NOT_NEEDED_BY_HAND = {"rtlinker.dwarf", "rtlinker.isolate", "rtlinker.show", "rtlinker.cli"}


def imported(program: str) -> tuple[int, set[str]]:
    """What the program's `result` is, and the modules it imported, in a Python that ran no start-up files."""
    environment = {"PYTHONPATH": str(CHECKOUT), "PATH": os.environ["PATH"]}
    ran = subprocess.run(
        [sys.executable, "-S", "-c", PRELUDE + program + REPORT],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert ran.returncode == 0, ran.stderr
    result, names = json.loads(ran.stdout)
    return result, set(names)


@pytest.fixture
def add(compile):
    return str(compile("int add(int a, int b) { return a + b; }"))


@pytest.mark.parametrize("program", [TYPED_BY_HAND, TYPED_BY_DWARF], ids=["typed by hand", "typed by DWARF"])
def test_a_small_load_imports_none_of_the_costly_modules(add, program):
    result, names = imported(program % add)
    assert result == 5
    assert not {name for name in names if name.partition(".")[0] in COSTLY}


def test_a_prototype_makes_debug_information_unnecessary(add):
    _, names = imported(TYPED_BY_HAND % add)
    assert not {name for name in names if ".".join(name.split(".")[:2]) in NOT_NEEDED_BY_HAND}


def test_importing_the_package_imports_nothing_else():
    _, names = imported("import rtlinker; result = 0")
    assert names <= {"rtlinker", "__future__"}


COMMAND = "from rtlinker.cli import main; result = main(['load', %r, 'add', '2', '3', '--sig', 'int(int, int)'])"


def test_a_small_load_from_the_command_line_imports_none_of_the_costly_modules(add):
    program = "import os, sys; real = os.dup(1); os.dup2(2, 1)\n" + COMMAND % add + "\nos.dup2(real, 1)"
    result, names = imported(program)
    assert result == 0
    assert not {name for name in names if name.partition(".")[0] in COSTLY - {"bisect"}}
