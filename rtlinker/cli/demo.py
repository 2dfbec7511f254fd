"""`rtlinker demo`: the tour, on objects that are shipped, so that it needs no compiler."""

from __future__ import annotations

import sys
from pathlib import Path

from rtlinker.cli.command import Command, Words
from rtlinker.errors import LinkError
from rtlinker.facts import Fact

COMMAND = Command(
    "demo",
    "the tour on the shipped fixtures; needs no compiler",
    (),
    (),
    (("rtlinker demo", "every step prints the command, then what it does"),),
)


class Step(Fact):
    """One step: what it shows, the command's words or a Python script, its standard input and its exit code."""

    title: str
    words: tuple[str, ...] = ()
    script: str = ""
    stdin: str = ""
    code: int = 0


STEPS = (
    Step("A function of an object; its types come from its debug information.", ("load", "add.o", "add", "2", "3")),
    Step(
        "Assembler has no types, so they are given by hand.",
        ("load", "fibonacci.o", "fibonacci", "90", "--sig", "unsigned long(unsigned long)"),
    ),
    Step("Structs are written and printed as in C.", ("load", "shapes.o", "middle", "{0, 0}", "{3, 4}")),
    Step("An archive: only what hello needs is linked.", ("load", "libgreet.a", "hello", "Ada")),
    Step("A program: its output and its exit code are its own.", ("load", "program.o", "main", "one"), "", "a\nb\n", 3),
    Step("What is in an object, and who provides what it leaves undefined.", ("inspect", "needs.o")),
    Step("A name that nobody has: the error says who wants it.", ("load", "needs.o", "call_hook", "1"), code=1),
    Step(
        "The called code may crash: only the child dies, and says where.", ("load", "crash.o", "crash", "1"), code=139
    ),
    Step(
        "From Python: typed calls, docstrings, data in place, Python functions as C symbols.",
        script="""\
import rtlinker

with rtlinker.load("add.o", "state.o", "needs.o", symbols={"hook": lambda value: 10 * value}) as library:
    print(library.add(2, 3), "from", library.add.__doc__)
    library["total"].value = 1000
    print(library.count(5), library["total"].value)
    print(library.call_hook(4))
    try:
        library.add("two", 3)
    except TypeError as error:
        print(error)
""",
    ),
)


def run(words: Words) -> int:
    """Run the steps; the exit code is 1 when one of them does not end as it should."""
    import subprocess

    directory = fixtures()
    wrong = 0
    for number, step in enumerate(STEPS, 1):
        print(f"{number}. {step.title}\n")
        print(_shown(step))
        command = [sys.executable, "-m", "rtlinker", *step.words] if step.words else [sys.executable, "-c", step.script]
        ended = subprocess.run(  # noqa: S603  # the words are this file's own
            command, input=step.stdin, capture_output=True, text=True, cwd=directory, check=False, timeout=60
        )
        for line in (ended.stdout + ended.stderr).splitlines():
            print(f"    {line}")
        if ended.returncode:
            print(f"    (exit code {ended.returncode})")
        if ended.returncode != step.code:
            wrong += 1
            print(f"    this step should have ended with {step.code}")
        print()
    print(f"{len(STEPS) - wrong} of {len(STEPS)} steps ended as they should; the objects are in {directory}")
    return 1 if wrong else 0


def _shown(step: Step) -> str:
    from shlex import join

    if step.script:
        return "".join(f"    {line}\n" for line in step.script.splitlines())
    return f"    $ rtlinker {join(step.words)}"


def fixtures() -> Path:
    """The directory of the shipped objects: in the package when it is installed, beside it in a checkout."""
    package = Path(__file__).parent.parent
    for place in (package / "fixtures", package.parent / "fixtures"):
        if (place / "add.o").is_file():
            return place
    raise LinkError("the shipped objects are not there", [("searched", str(package.parent))], "reinstall rtlinker")
