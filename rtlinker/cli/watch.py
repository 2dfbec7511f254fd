"""`rtlinker watch`: call a symbol again whenever its file has changed, in the running process, which keeps its state.

Three processes share the work. This one watches the files, runs the build and tells what happens; it calls nothing. The
second traces the third and reports how it died (`cli.holder`). The third holds the module, reloads it and calls it
(`cli.holding`); what it holds is lost only when the called code ends it.
"""

from __future__ import annotations

import os

from rtlinker.cli.command import JSON, Command, Option, Positional, Usage, Words

COMMAND = Command(
    "watch",
    "call a symbol, and again in its newest version whenever the file has changed",
    (
        Positional("FILE", "an object (.o) or an archive (.a)"),
        Positional("SYMBOL", "a function to call or data to print"),
        Positional("ARG", "arguments, converted to the function's types", "*"),
    ),
    (
        Option(("--build",), "a shell command that makes FILE, run when a source beside it has changed", "COMMAND"),
        Option(("--every",), "call the symbol every so many seconds, always in its newest version", "SECONDS"),
        Option(("--restart",), "when a reload is refused, start anew with the new file; the state is lost"),
        Option(("--allow",), "a function whose type may change, or that may go, although others use it", "NAME"),
        Option(("--reset",), "a variable that begins anew with each version, as its initialiser says", "NAME"),
        Option(("--assume-no-live",), "a struct whose layout may change, since no old object of it is left", "NAME"),
        Option(("--strict",), "refuse what debug information does not verify"),
        Option(("-w", "--with"), "another object or archive of the same link (repeatable, order kept)", "FILE"),
        Option(("-l",), "a library as ld means it: libNAME.so is loaded, else libNAME.a is linked", "NAME"),
        Option(("-L",), "a directory to look for -l in first (repeatable)", "DIR"),
        Option(("--whole-archive",), "an archive of which all members are linked (repeatable)", "FILE"),
        Option(("--sig",), "the C prototype, such as 'double(int, const char *)'", "PROTOTYPE"),
        JSON,
    ),
    (
        ("rtlinker watch game.o step", "call step, and again each time game.o was compiled; its variables live on"),
        ("rtlinker watch game.o step --build 'gcc -c -g game.c'", "compile, too, whenever game.c or a header changed"),
        (
            "rtlinker watch server.o serve 8080 --build make",
            "a server's loop goes on, and calls what is newest by rtlinker.h",
        ),
        ("rtlinker watch game.o score --every 0.5", "look at a variable twice a second"),
        ("rtlinker watch Test.o maFonction Haskell --build 'ghc -dynamic -c Test.hs'", "the same with Haskell"),
    ),
)


def run(words: Words) -> int:
    """Watch until Ctrl-C, which is exit code 130."""
    every = _seconds(words.last("every"))
    if words.last("build") is None:
        for path in paths_of(words):
            os.stat(path)  # noqa: PTH116  a name that is mistyped would be waited for
    _check_prototype(words)
    import gc

    from rtlinker.cli.rounds import Rounds

    gc.enable()  # a watch may last for days
    with Rounds(words, every) as rounds:
        return rounds.run()


def paths_of(words: Words) -> list[str]:
    """The files of the link, whose changes count: FILE, and what -w and --whole-archive add."""
    return [words.one("FILE"), *words.all("with"), *words.all("whole-archive")]


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        raise Usage(f"--every takes seconds, not {text!r}") from None
    if not 0 < seconds < 1e9:
        raise Usage(f"--every takes a number of seconds above 0, not {text}")
    return seconds


def _check_prototype(words: Words) -> None:
    """Raise SignatureError for a prototype that no edit will mend."""
    prototype, path = words.last("sig"), words.one("FILE")
    if prototype is None or not os.path.exists(path):  # noqa: PTH110
        return
    from rtlinker.bind.prototype import parse_prototype
    from rtlinker.cli.load import is_haskell
    from rtlinker.errors import LinkError

    try:
        haskell = is_haskell(path)
    except LinkError:
        return  # not an object yet; reading it will say so
    if not haskell:
        parse_prototype(prototype)
