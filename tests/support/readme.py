"""Runs the examples of the documentation: `python -m tests.support.readme README.md docs`.

Two sorts of fenced blocks are run, in the order of the document and in one fresh directory per document, where
`fixtures/` and every file of it lie, and system archives (libz.a ...) by their name:

- ```console: lines that begin with `$ ` are commands for bash (`> ` continues one), what follows is the expected
  output, standard error included. A line `...` stands for any lines; within a line `…` stands for anything.
- ```python: run as a doctest where it contains `>>>`, else executed and only required not to fail.

Other blocks, such as ```sh, are shown and not run. The exit status is 1 when anything differs.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.support.child import CHECKOUT

SYSTEM_ARCHIVES = ("libz.a", "libsqlite3.a", "liblua5.4.a")
SECONDS = 300
"""How long one block may take before it counts as hung."""

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
MARK = "\x1e"


class Block(NamedTuple):
    """A fenced block: where it is, what language its fence names, and its text without indentation."""

    document: Path
    line: int
    language: str
    body: str

    @property
    def title(self) -> str:
        """`README.md:12`."""
        return f"{self.document}:{self.line}"


def blocks(document: Path) -> list[Block]:
    """The fenced blocks of a document."""
    text = document.read_text()
    found = []
    for match in FENCE.finditer(text):
        body = re.sub(f"^{match['indent']}", "", match["body"], flags=re.MULTILINE)
        found.append(Block(document, text.count("\n", 0, match.start()) + 1, match["language"], body))
    return found


def steps(body: str) -> list[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines of output that are expected of it."""
    found: list[tuple[str, list[str]]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith("> ") and found and not found[-1][1]:
            found[-1] = found[-1][0] + "\n" + line[2:], []
        elif found:
            found[-1][1].append(line)
    return found


def matches(expected: list[str], actual: list[str]) -> bool:
    """Whether the output is what is expected, where `...` is any lines and `…` anything within one."""
    pattern = ""
    for line in expected:
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.rstrip().split("…")) + r"[ \t]*\n"
    return re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in actual)) is not None


def run_console(block: Block, directory: Path) -> str | None:
    """What differs, or None. All commands of a block run in one shell."""
    wanted = steps(block.body)
    script = "".join(f"{command}\n{{ code=$?; printf '\\n{MARK}\\n'; (exit $code); }}\n" for command, _ in wanted)
    ran = _run(["bash", "-c", script], directory)
    outputs = ran.split(f"\n{MARK}\n")
    for (command, expected), output in zip(wanted, outputs):
        promised, actual = _trimmed(expected), _trimmed(output.split("\n"))
        if not matches(promised, actual):
            lines = difflib.unified_diff(promised, actual, "expected", "actual", lineterm="")
            return f"$ {command}\n" + "\n".join(lines)
    if len(outputs) <= len(wanted):
        return f"the shell ended before the command `{wanted[len(outputs) - 1][0]}` was through:\n{outputs[-1]}"
    return None


def _trimmed(lines: list[str]) -> list[str]:
    """Without empty lines at the end, which a block has for the eye."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]


def run_python(block: Block, directory: Path) -> str | None:
    """What failed, or None."""
    doctest = ">>>" in block.body
    file = directory / ("example.txt" if doctest else "example.py")
    file.write_text(block.body)
    options = ["-m", "doctest", "-o", "ELLIPSIS", "-o", "NORMALIZE_WHITESPACE"] if doctest else []
    try:
        _run([sys.executable, *options, file.name], directory, check=True)
    except subprocess.CalledProcessError as error:
        return str(error.stdout)
    finally:
        file.unlink()
    return None


def _run(command: list[str], directory: Path, check: bool = False) -> str:
    """Standard output and error of a command that finds this Python's programs first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "COLUMNS": "100", "NO_COLOR": "1", "PYTHONPATH": str(directory)}
    try:
        return subprocess.run(
            command,
            cwd=directory,
            env=environment,
            text=True,
            errors="replace",
            check=check,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ).stdout
    except subprocess.TimeoutExpired as late:
        return f"{late.stdout or ''}\nstill running after {SECONDS} seconds"


def prepare(directory: Path) -> None:
    """Lay out what examples may name: the fixtures, in a directory and beside us, and archives of the system."""
    shutil.copytree(CHECKOUT / "fixtures", directory / "fixtures")
    shutil.copytree(CHECKOUT / "fixtures", directory, dirs_exist_ok=True)
    for name in SYSTEM_ARCHIVES:
        found = subprocess.run(
            ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=False
        ).stdout.strip()
        if found and found != name:
            (directory / name).symlink_to(found)


def main(arguments: list[str]) -> int:
    """Run the examples of documents, and of all documents in directories."""
    documents: list[Path] = []
    for argument in map(Path, arguments):
        documents += sorted(argument.rglob("*.md")) if argument.is_dir() else [argument]
    ran, failed = 0, 0
    runners = {"console": run_console, "python": run_python}
    for document in documents:
        with tempfile.TemporaryDirectory(prefix="rtlinker-examples-") as name:
            prepare(Path(name))
            for block in blocks(document):
                if block.language not in runners:
                    continue
                ran += 1
                problem = runners[block.language](block, Path(name))
                if problem is not None:
                    failed += 1
                    print(f"--- {block.title}\n{problem}\n")
    print(f"{ran} example{'' if ran == 1 else 's'} in {len(documents)} documents, {failed} failed")
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
