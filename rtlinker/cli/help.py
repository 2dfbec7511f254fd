"""Help, usage lines and shell completion, made by argparse from the commands' tables."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

import rtlinker
from rtlinker.cli import COMMANDS
from rtlinker.cli.command import Command


def help_of(command: Command) -> str:
    """The full help text of one command."""
    return _parser(command).format_help().rstrip()


def usage_of(command: Command) -> str:
    """The usage line of one command."""
    return _parser(command).format_usage().rstrip()


def version() -> str:
    """`rtlinker 0.1.0`."""
    return f"rtlinker {rtlinker.__version__}"


def overview(short: bool = False) -> str:
    """What the program does and which commands it has; `short` for errors."""
    usage = "usage: rtlinker COMMAND ..."
    if short:
        return usage + "\n       rtlinker COMMAND --help"
    rows = [f"  {command.name:<10} {command.summary}" for command in commands()]
    return "\n".join(
        [
            usage,
            "",
            "Load, link and call ELF objects and archives in this process.",
            "",
            *rows,
            "",
            "rtlinker COMMAND --help tells more about a command.",
            'Completion in bash: eval "$(register-python-argcomplete rtlinker)"',
        ]
    )


def commands() -> list[Command]:
    """The table of every command."""
    return [import_module(f"rtlinker.cli.{name}").COMMAND for name in COMMANDS]


def _parser(command: Command) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"rtlinker {command.name}",
        description=f"{command.summary[:1].upper()}{command.summary[1:]}.",
        epilog=_examples(command),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _fill(parser, command)
    return parser


def _fill(parser: argparse.ArgumentParser, command: Command) -> None:
    for positional in command.positionals:
        if positional.count:
            parser.add_argument(positional.name, help=positional.help, nargs=positional.count)
        else:
            parser.add_argument(positional.name, help=positional.help)
    for option in command.options:
        if option.value:
            parser.add_argument(*option.spellings, metavar=option.value, help=option.help, action="append")
        else:
            parser.add_argument(*option.spellings, help=option.help, action="store_true")


def _examples(command: Command) -> str:
    if not command.examples:
        return ""
    return "examples:\n" + "\n".join(f"  {text}\n      {what}" for text, what in command.examples)


def complete() -> None:
    """Answer the shell that asks for completions, and exit; return when argcomplete is not installed."""
    try:
        import argcomplete
    except ImportError:
        sys.exit(1)
    parser = argparse.ArgumentParser(prog="rtlinker")
    subparsers = parser.add_subparsers(dest="command")
    for command in commands():
        _fill(subparsers.add_parser(command.name, help=command.summary), command)
    argcomplete.autocomplete(parser)
