"""`rtlinker load`: link a file and call one of its functions, in a child whose death is reported.

The link is made here and the call in a forked child: a crash of the called code is told from a failure of the link,
and this process knows every symbol of the image when it reports the crash. Constructors are code of the object too,
so they run in the child.
"""

from __future__ import annotations

import os
import sys

from rtlinker.cli.command import JSON, Command, Option, Positional, Usage, Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.library import Library
    from rtlinker.live.found import Found

COMMAND = Command(
    "load",
    "link an object or archive into this process, call a symbol, print what it returns",
    (
        Positional("FILE", "an object (.o) or an archive (.a)"),
        Positional("SYMBOL", "a function to call or data to print; file.o:name chooses among static ones"),
        Positional("ARG", "arguments, converted to the function's types", "*"),
    ),
    (
        Option(("-w", "--with"), "another object or archive of the same link (repeatable, order kept)", "FILE"),
        Option(("-l",), "a library as ld means it: libNAME.so is loaded, else libNAME.a is linked", "NAME"),
        Option(("-L",), "a directory to look for -l in first (repeatable)", "DIR"),
        Option(("--whole-archive",), "an archive of which all members are linked (repeatable)", "FILE"),
        Option(("--sig",), "the C prototype, such as 'double(int, const char *)'", "PROTOTYPE"),
        Option(("--address",), "print the symbol's address instead of calling it"),
        JSON,
    ),
    (
        ("rtlinker load add.o add 2 3", "types from the object's debug information"),
        ("rtlinker load add.o add 2 3 --sig 'int(int, int)'", "types by hand"),
        ("rtlinker load libz.a crc32 0 hello 5", "an archive: only the members that crc32 needs are linked"),
        ("rtlinker load program.o main -- -v file", "a program: its standard output and exit code are its own"),
        ("rtlinker load app.o run -w util.o -l m", "several files of one link"),
    ),
)


def run(words: Words) -> int:
    """Link, call in a child, and return the exit code of the contract."""
    if is_haskell(words.one("FILE")):
        from rtlinker.cli.haskell import run_haskell

        return run_haskell(words)
    library = _link(words)
    name = words.one("SYMBOL")
    try:
        found = library.find(name)
    finally:
        _tell(library.notes)
    if words.has("address"):
        if words.arguments["ARG"]:
            raise Usage("--address takes no arguments for the symbol")
        return _address(found, words)
    from rtlinker.cli.call import call_in_child

    return call_in_child(library, found, words)


def _tell(notes: Sequence[str]) -> None:
    """Print notes, but for those that every C++ object brings with it: g++ says nothing of its runtime either."""
    if notes:
        from rtlinker.live.runtimes import is_usual

        for note in notes:
            if not is_usual(note):
                print(f"note: {note}", file=sys.stderr)


def is_haskell(path: str) -> bool:
    """Whether an object or an archive has code by GHC, as a quick look at its bytes tells and then its symbols."""
    from rtlinker.live.files import read_file, sort_of

    data = read_file(path)
    if sort_of(data) not in {"object", "archive"} or b"_closure\0" not in data:
        return False
    from rtlinker.haskell.objects import read_haskell_file

    return bool(read_haskell_file(path).objects)


def _link(words: Words) -> Library:
    """The library of FILE and what the options add, in their order; constructors have not run."""
    from rtlinker.api import Linker
    from rtlinker.library import Library
    from rtlinker.live.files import library_path

    linker, directories = Linker(rescue=False), words.all("L")
    path = words.one("FILE")
    linker.load(path)
    for option, value in words.given:
        if option == "with":
            linker.load(value)
        elif option == "whole-archive":
            linker.load(value, whole=True)
        elif option == "l":
            linker.load(library_path(value, directories, "-L"), shared=True)
    name = words.one("SYMBOL")
    root = name if linker.offered(name) else linker.symbol_called(name)
    linker.resolve((root,) if root else (), start=False)
    return Library(linker, os.path.basename(path))  # noqa: PTH119


def _address(found: Found, words: Words) -> int:
    if words.has("json"):
        import json

        print(json.dumps({"symbol": found.name, "kind": found.kind, "address": hex(found.address), "size": found.size}))
    else:
        print(hex(found.address))
    return 0
