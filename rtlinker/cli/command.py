"""What a command takes, as data: one table that the parser below reads, and the help and completion too.

The parser is ours because importing argparse takes as long as reading, linking and calling a small object. argparse
still writes the help and drives argcomplete (`cli.help`), from the same table. Options may stand anywhere, also after
the arguments; a word that is a negative number is an argument; after `--` everything is.
"""

from __future__ import annotations

from rtlinker.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Usage(Exception):
    """The words do not fit the command."""


class HelpWanted(Exception):
    """Somebody asked for --help."""


class Option(Fact):
    """One option: its spellings, what its value is called (empty for a switch), and its help."""

    spellings: tuple[str, ...]
    help: str
    value: str = ""

    @property
    def name(self) -> str:
        """How `Words` calls it: the long spelling without dashes."""
        return next((word[2:] for word in self.spellings if word.startswith("--")), self.spellings[0].lstrip("-"))


class Positional(Fact):
    """One argument: `count` is "" for exactly one, "?" for at most one, "*" for all that are left."""

    name: str
    help: str
    count: str = ""


class Words:
    """A parsed command line: `given` are (option name, value) pairs in their order, `arguments` the rest by name."""

    __slots__ = ("arguments", "given")

    def __init__(self, given: list[tuple[str, str]], arguments: dict[str, list[str]]) -> None:
        self.given = given
        self.arguments = arguments

    def one(self, name: str) -> str:
        """The argument of that name; empty when it was optional and left out."""
        found = self.arguments[name]
        return found[0] if found else ""

    def has(self, name: str) -> bool:
        """Whether a switch was given."""
        return any(option == name for option, _ in self.given)

    def last(self, name: str) -> str | None:
        """The value of an option, the last one when it was given more than once."""
        return next((value for option, value in reversed(self.given) if option == name), None)

    def all(self, name: str) -> list[str]:
        """Every value of an option, in order."""
        return [value for option, value in self.given if option == name]


class Command(Fact):
    """One command: its name, one line about it, its arguments and options, and examples for the help."""

    name: str
    summary: str
    positionals: tuple[Positional, ...]
    options: tuple[Option, ...]
    examples: tuple[tuple[str, str], ...] = ()

    def parse(self, words: Sequence[str]) -> Words:
        """The words by name. Raises Usage for words that do not fit, HelpWanted for --help."""
        options = {spelling: option for option in self.options for spelling in option.spellings}
        given: list[tuple[str, str]] = []
        loose: list[str] = []
        at = 0
        while at < len(words):
            word = words[at]
            at += 1
            if word == "--":
                loose += words[at:]
                break
            if not word.startswith("-") or word == "-" or is_number(word):
                loose.append(word)
                continue
            if word in {"-h", "--help"}:
                raise HelpWanted
            spelling, value = _split(word, options)
            option = options.get(spelling)
            if option is None:
                raise Usage(f"unknown option {word}; put -- before arguments that begin with a dash")
            if option.value and value is None:
                if at == len(words):
                    raise Usage(f"{spelling} needs {option.value}")
                value = words[at]
                at += 1
            if not option.value and value is not None:
                raise Usage(f"{spelling} takes no value")
            given.append((option.name, value or ""))
        return Words(given, self._assign(loose))

    def _assign(self, loose: list[str]) -> dict[str, list[str]]:
        arguments: dict[str, list[str]] = {}
        rest = loose
        for positional in self.positionals:
            if positional.count == "*":
                arguments[positional.name], rest = rest, []
                continue
            if not rest and not positional.count:
                raise Usage(f"{positional.name} is missing")
            arguments[positional.name], rest = rest[:1], rest[1:]
        if rest:
            raise Usage(f"nothing is expected after the arguments, found {rest[0]!r}")
        return arguments


def _split(word: str, options: dict[str, Option]) -> tuple[str, str | None]:
    """`--sig=int(int)` and `-lm` in two; other words whole."""
    if word.startswith("--"):
        spelling, equals, value = word.partition("=")
        return (spelling, value) if equals else (word, None)
    if len(word) > 2 and word[:2] in options and options[word[:2]].value:
        return word[:2], word[2:]
    return word, None


def is_number(word: str) -> bool:
    """Whether a word that begins with a dash is a negative number: -1, -0x2a, -1.5, -1e3, -inf."""
    try:
        int(word, 0)
    except ValueError:
        try:
            float(word)
        except ValueError:
            return False
    return True


JSON = Option(("--json",), "print one JSON object instead of text")
