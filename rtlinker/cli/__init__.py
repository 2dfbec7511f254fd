"""The command line: `main` finds the command's file and turns its outcome into an exit code.

0 done; 1 the load or link failed; 2 wrong usage; 128 + N the called code died of signal N; 70 a bug of ours. Results go
to standard output, everything else to standard error.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.cli.command import Command

COMMANDS = ("load", "watch", "inspect", "symbols", "demo")
"""Every command, in the order of the help; each is a module of this room with `COMMAND` and `run`."""

DONE, FAILED, USAGE, BUG = 0, 1, 2, 70


def command() -> None:
    """The program `rtlinker`: run one command line and end the process.

    A command line lives for some milliseconds, so it neither looks for garbage nor takes the interpreter apart in the
    end: that would cost as much as linking a small object does.
    """
    import gc
    import os

    gc.disable()
    for name in ("stdout", "stderr"):  # None when the shell closed it (`>&-`)
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115  # for the life of the process
    code = main()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or FAILED
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    import os

    words = list(sys.argv[1:] if argv is None else argv)
    if "_ARGCOMPLETE" in os.environ:
        from rtlinker.cli.help import complete

        complete()
    if not words or words[0] not in COMMANDS:
        return _without_command(words)
    module = __import__(f"rtlinker.cli.{words[0]}", fromlist=["run"])  # importlib costs a third of a millisecond
    return _guarded(module.COMMAND, words[1:], module.run)


def _guarded(command: Command, words: list[str], run) -> int:  # type: ignore[no-untyped-def]
    """Parse and run; every error becomes a text on standard error and an exit code."""
    from rtlinker.cli.command import HelpWanted, Usage
    from rtlinker.errors import LinkError, SignatureError

    try:
        code: int = run(command.parse(words))
        sys.stdout.flush()
    except HelpWanted:
        from rtlinker.cli.help import help_of

        print(help_of(command))
        return DONE
    except Usage as error:
        from rtlinker.cli.help import usage_of

        print(f"{usage_of(command)}\nerror: {error}", file=sys.stderr)
        return USAGE
    except LinkError as error:
        print(f"error: {error}", file=sys.stderr)
        return USAGE if isinstance(error, SignatureError) else FAILED
    except BrokenPipeError:
        return _closed_pipe()
    except OSError as error:
        reason, where = error.strerror or str(error), f": {error.filename}" if error.filename else ""
        print(f"error: {reason[:1].lower()}{reason[1:]}{where}", file=sys.stderr)
        return FAILED
    except MemoryError as error:
        print(f"error: {error or 'out of memory'}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130
    except Exception:  # whatever is left is a bug of ours, and must be told from a failed link
        import traceback

        traceback.print_exc()
        print("error: this is a bug of rtlinker; please report it with the lines above", file=sys.stderr)
        return BUG
    return code


def _closed_pipe() -> int:
    """Whoever read our output has gone (`| head`): end quietly, as programs in C do."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + 13


def _without_command(words: list[str]) -> int:
    from rtlinker.cli.help import overview, version

    if words[:1] == ["help"] and len(words) == 2 and words[1] in COMMANDS:
        from rtlinker.cli.help import commands, help_of

        print(help_of(commands()[COMMANDS.index(words[1])]))
        return DONE
    if words and words[0] in {"-h", "--help", "help"}:
        print(overview())
        return DONE
    if words and words[0] in {"-V", "--version"}:
        print(version())
        return DONE
    print(overview(short=True), file=sys.stderr)
    known = ", ".join(COMMANDS)
    said = f"{words[0]!r} is not a command" if words else "a command is needed"
    print(f"error: {said}; the commands are {known}", file=sys.stderr)
    return USAGE
