"""Runs one feature with one loader in a process of its own, and says what came of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.matrix.feature import first_line
from tests.matrix.feature import run as tool
from tests.matrix.loaders import USUAL, Refused, library_file, link

if TYPE_CHECKING:
    from tests.matrix.feature import Built

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60
"""Seconds after which a loader hangs. One that works takes less than two, with many sections ten."""

JITLINK = "llvm-jitlink"

LOADERS = {
    "rtlinker": "rtlinker",
    "program": "ld, a program",
    "shared": "ld -shared, dlopen",
    "symbolic": "the same, -Bsymbolic",
    "mcjit": "MCJIT",
    "runtimedyld": "ORC, RuntimeDyld",
    "jitlink": "ORC, JITLink",
    JITLINK: "llvm-jitlink",
}
"""Loader -> the head of its column."""

MAIN = """
#include <stdlib.h>
int check(void); void watch(int);
int main(int count, char **words) {{
    {watch}
    return check() == 1 ? 42 : 43;
}}
"""
"""What calls check() where there is no process to load into. 42 is nothing that a program returns by chance.

The descriptor is the last argument: what LLVM's ORC runtime runs is given no name of a program before it.
"""


@dataclass(frozen=True)
class Outcome:
    """`verdict` is yes, refused, wrong, crash or hang; `why` is short."""

    verdict: str
    why: str = ""


def installed_jitlink() -> str:
    """The llvm-jitlink there is, the newest first, or an empty string."""
    if found := shutil.which(JITLINK):
        return found
    versions = sorted(Path("/usr/bin").glob(f"{JITLINK}-[0-9]*"), key=lambda path: int(path.name.rpartition("-")[2]))
    return str(versions[-1]) if versions else ""


def orc_runtime() -> list[Path]:
    """The runtime that llvm-jitlink wants for constructors and thread-local variables, where it is installed."""
    return list(Path(installed_jitlink()).resolve().parents[1].glob("lib/clang/*/lib/linux/libclang_rt.orc-x86_64.a"))


def attempt(loader: str, built: Built, directory: Path) -> Outcome:
    """Load and call; nothing that goes wrong is raised."""
    try:
        if loader == "program":
            return _program(built, directory)
        if loader == JITLINK:
            return _jitlink(built, directory)
        return _child(loader, built, directory)
    except Refused as refusal:
        return Outcome("refused", short(str(refusal), directory))
    except subprocess.TimeoutExpired:
        return Outcome("hang", f"did not end within {PATIENCE} seconds")


def _child(loader: str, built: Built, directory: Path) -> Outcome:
    (directory / "given.json").write_text(json.dumps(asdict(built)))
    result = directory / "result.json"
    result.unlink(missing_ok=True)
    ran = _run([sys.executable, "-m", "tests.matrix.child", loader, str(directory)])
    if not result.exists():
        return _died(ran, directory)
    said = json.loads(result.read_text())
    if said["refused"]:
        return Outcome("refused", short(telling(ran.stderr, said["why"]), directory))
    return Outcome("wrong" if said["why"] else "yes", said["why"])


def _program(built: Built, directory: Path) -> Outcome:
    """The reference: what the objects are made for, an ordinary program."""
    path = str(directory / "program")
    link(["g++", "-no-pie", _main(built, directory, "-fno-pic")], built, path)
    reader, writer = os.pipe()
    try:
        return _exit(_run([path, str(writer)], writer), built, reader, directory)
    finally:
        os.close(reader)


def _jitlink(built: Built, directory: Path) -> Outcome:
    """LLVM's own tool. Archives are given as files, libraries are opened first."""
    names = [*USUAL, *(library_file(name, archive=True) for name in built.libraries)]
    libraries = [name if name.endswith(".a") else f"--preload={name}" for name in names]
    libraries += [f"--orc-runtime={path}" for path in orc_runtime()]
    reader, writer = os.pipe()
    command = [installed_jitlink(), *libraries, _main(built, directory, "-fPIC"), *built.objects, *built.archives]
    try:
        return _exit(_run([*command, "--args", str(writer)], writer), built, reader, directory)
    finally:
        os.close(reader)


def _main(built: Built, directory: Path, flags: str) -> str:
    source, path = directory / "main.c", str(directory / "main.o")
    source.write_text(MAIN.format(watch="watch(atoi(words[count - 1]));" if built.unloads else ""))
    tool("gcc", flags, "-c", str(source), "-o", path)
    return path


def _run(command: list[str], descriptor: int | None = None) -> subprocess.CompletedProcess[str]:
    """A child with its own descriptor, which is then closed here."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": ""}
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=PATIENCE, errors="replace",
            stdin=subprocess.DEVNULL, pass_fds=() if descriptor is None else (descriptor,),
        )  # fmt: skip
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _exit(ran: subprocess.CompletedProcess[str], built: Built, reader: int, directory: Path) -> Outcome:
    """What a main that returned, or did not, says."""
    if ran.returncode == 42:
        gone = not built.unloads or os.read(reader, 9) == b"gone"
        return Outcome("yes") if gone else Outcome("wrong", "nothing was run at exit")
    if ran.returncode == 43:
        return Outcome("wrong", "check() did not return 1")
    if ran.returncode > 0:
        return Outcome("refused", short(first_line(ran.stderr) or f"exits with {ran.returncode}", directory))
    return _died(ran, directory)


def _died(ran: subprocess.CompletedProcess[str], directory: Path) -> Outcome:
    how = signal.Signals(-ran.returncode).name if ran.returncode < 0 else f"exit code {ran.returncode}"
    said = telling(ran.stderr, "")
    return Outcome("crash", short(f"{how}: {said}" if said else how, directory))


def telling(text: str, otherwise: str) -> str:
    """What LLVM wrote to standard error, where it does not raise it; else what was raised."""
    told = any(word in text for word in ("rror", "Assertion", "terminate called"))
    return first_line(text) if told else otherwise or first_line(text)


def short(text: str, directory: Path) -> str:
    """One line without directories and addresses, which are others every time, cut where it is long."""
    line = first_line(text).replace(f"{directory}/", "").replace("/usr/bin/", "").replace("JIT session error: ", "")
    line = re.sub(r"\S*python\S*: \S+/(\w+\.\w+):\d+: .*?Assertion", r"\1: Assertion", line)
    line = re.sub(r"^\S*llvm-jitlink\S* ", "", line)
    line = re.sub(r"\[ (.*) \]", lambda names: ", ".join(sorted(names[1].split(", "))), line)
    line = re.sub(r"\b0x[0-9a-f]{5,}", "0x…", line).replace("In : ", "").replace("In , ", "").strip()
    return line if len(line) <= 150 else line[:149] + "…"
