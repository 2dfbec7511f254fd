"""What a compiler's entry is made of: how its program is built, and what of it rtlinker is given."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"


class Missing(Exception):
    """A compiler that this machine does not have; the text is its name."""


class Broken(Exception):
    """A build that failed; the text is what the tool said."""


@dataclass(frozen=True)
class Call:
    """A function that the user of the program has to call: to start its runtime, or to end it."""

    name: str
    prototype: str
    arguments: tuple[object, ...] = ()
    result: int | None = None
    """What it must give back; None where it is void."""


@dataclass(frozen=True)
class Given:
    """What rtlinker is given. Paths are absolute; `shown` says it in the table where it would be long."""

    objects: tuple[str, ...]
    archives: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    start: tuple[Call, ...] = ()
    finish: tuple[Call, ...] = ()
    threads: bool = False
    """Whether the program has in_threads()."""
    rounds: int = 2
    """How often it is loaded, used and unloaded in one process; 0: once, and never unloaded."""
    shown: str = ""


@dataclass(frozen=True)
class Recipe:
    """One row of the table."""

    name: str
    language: str
    version: tuple[str, ...]
    """The command of which the first line of output names the compiler and its version."""
    source: str
    uses: str
    build: Callable[[Shop], Given]
    note: str = ""
    """Why it cannot work, or cannot be unloaded, where that is known and not rtlinker's to mend."""


@dataclass
class Shop:
    """Runs tools in a scratch directory and remembers the commands as a reader of the table would type them."""

    directory: Path
    commands: list[str] = field(default_factory=list)

    def bring(self, *names: str) -> None:
        """Copy sources here, so that commands name them without their directory."""
        for name in names:
            shutil.copy(PROGRAMS / name, self.directory / name)

    def run(self, *command: str, quiet: bool = False) -> str:
        """A tool's standard output; remembered as a step of the build unless `quiet`."""
        if not quiet:
            self.commands.append(" ".join("python" if word == sys.executable else word for word in command))
        return output(*command, cwd=self.directory)

    def path(self, name: str) -> str:
        """The absolute path of a file that was made here."""
        return str(self.directory / name)


def output(*command: str, cwd: Path | None = None) -> str:
    """The standard output of a tool; Missing or Broken when there is none."""
    if shutil.which(command[0]) is None:
        raise Missing(command[0])
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if ran.returncode:
        said = (ran.stderr.strip() or ran.stdout.strip()).splitlines()
        raise Broken(f"{' '.join(command)} exited with {ran.returncode}: {' / '.join(said[-3:])}")
    return ran.stdout or ran.stderr
