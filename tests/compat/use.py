"""`python -m tests.compat.use DIRECTORY`: links what given.json names, uses the program, writes result.json.

It runs in a process of its own, so that runtimes of two languages never meet and a crash is one row's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rtlinker

if TYPE_CHECKING:
    from typing import Any

SUM = 333_833_500
"""1 + 4 + 9 + ... + 1000 * 1000"""


class WrongAnswer(Exception):
    """A call that gave something else than it should."""


def main(directory: Path) -> None:
    """Load, use, unload; what goes wrong is the result."""
    given = json.loads((directory / "given.json").read_text())
    try:
        for _ in range(given["rounds"] or 1):
            one_round(given)
        result = {"works": True, "why": ""}
    except (rtlinker.LinkError, WrongAnswer, OSError) as error:
        result = {"works": False, "why": str(error)}
    (directory / "result.json").write_text(json.dumps(result))


def one_round(given: dict[str, Any]) -> None:
    """One life of the program: its runtime is started, everything is called, its runtime is ended."""
    library = rtlinker.load(
        *given["objects"], *given["archives"], libraries=given["libraries"], directories=given["directories"]
    )
    for call in given["start"]:
        expect(library, call["name"], call["prototype"], call["arguments"], call["result"])
    use(library, given["name"])
    if given["threads"]:
        expect(library, "in_threads", "long(long)", [1000], 4 * SUM)
    for call in given["finish"]:
        expect(library, call["name"], call["prototype"], call["arguments"], call["result"])
    if given["rounds"]:
        library.unload()


def use(library: rtlinker.Library, name: str) -> None:
    """Everything that each program has: memory, text, an error that is caught, output."""
    text, divide, error = "const char *(const char *, long)", "long(long, long)", "const char *(void)"
    expect(library, "sum_squares", "long(long)", [1000], SUM)
    expect(library, "repeat_word", text, ["ab", 3], "ab-ab-ab")
    expect(library, "repeat_word", text, ["word", 500], "-".join(["word"] * 500))
    expect(library, "try_divide", divide, [7, 2], 3)
    for number in (1, -25, 1234567):
        expect(library, "try_divide", divide, [number, 0], -1)
        expect(library, "last_error", error, [], f"cannot divide {number} by zero")
    expect(library, "say_hello", "void(const char *)", [name], None)


def expect(library: rtlinker.Library, name: str, prototype: str, arguments: list[object], wanted: object) -> None:
    """Call a function and compare what it gives."""
    got = library.function(name, prototype)(*arguments)
    if got != wanted:
        raise WrongAnswer(f"{name}({', '.join(map(repr, arguments))}) gave {got!r:.80}, not {wanted!r:.80}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
