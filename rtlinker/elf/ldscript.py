"""Linker scripts that stand in for a library, such as /usr/lib/x86_64-linux-gnu/libc.so.

    /* GNU ld script */
    OUTPUT_FORMAT(elf64-x86-64)
    GROUP ( /lib/x86_64-linux-gnu/libc.so.6 /usr/lib/x86_64-linux-gnu/libc_nonshared.a
            AS_NEEDED ( /lib64/ld-linux-x86-64.so.2 ) )

Such a file only lists other files, and that is all this module understands. A script that lays out memory (SECTIONS,
MEMORY, assignments) asks for what an in-process link cannot promise, so it is refused by name instead of being half
obeyed. Source: the GNU ld manual, "Commands Dealing with Files" and "Commands Dealing with Object File Formats".
"""

from __future__ import annotations

from rtlinker.errors import BadObjectError, UnsupportedError
from rtlinker.facts import Fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap

LISTS = {"GROUP", "INPUT"}
UNDERSTOOD = LISTS | {"OUTPUT_FORMAT", "SEARCH_DIR"}
KNOWN = UNDERSTOOD | {
    "ASSERT",
    "ENTRY",
    "EXTERN",
    "FORCE_COMMON_ALLOCATION",
    "INCLUDE",
    "INSERT",
    "MEMORY",
    "NOCROSSREFS",
    "OUTPUT",
    "OUTPUT_ARCH",
    "PHDRS",
    "PROVIDE",
    "SECTIONS",
    "STARTUP",
    "TARGET",
    "VERSION",
}
"""Commands that a script can begin with."""

PUNCTUATION = "(){},;"
LOOKED_AT = 4096


class ScriptEntry(Fact):
    """One file of a script, in its order: a path as written, or with `is_library` the NAME of `-lNAME`.

    `as_needed` is true inside AS_NEEDED: the file is wanted only if it defines something that is missing.
    """

    name: str
    as_needed: bool = False
    is_library: bool = False


class LinkerScript(Fact):
    """What a script asks for: its files, the directories of SEARCH_DIR, and the first name in OUTPUT_FORMAT or ""."""

    entries: tuple[ScriptEntry, ...]
    search_directories: tuple[str, ...] = ()
    output_format: str = ""


class Token(Fact):
    """A word, a quoted word or one character of punctuation, and its line, counted from 1."""

    text: str
    line: int
    quoted: bool = False

    def __str__(self) -> str:
        return self.text


def looks_like_script(data: bytes | memoryview | mmap) -> bool:
    """Whether the file is a linker script: text whose first word is a command of ld, or a comment that says so.

    Looks at the first 4,096 bytes and never raises.
    """
    head = bytes(data[:LOOKED_AT])
    if b"\0" in head:
        return False
    text = head.decode("utf-8", "replace")
    rest = text.lstrip()
    while rest.startswith("/*"):
        comment, end, rest = rest.partition("*/")
        if not end:
            return "GNU ld script" in comment
        if "GNU ld script" in comment:
            return True
        rest = rest.lstrip()
    length = next((at for at, character in enumerate(rest) if not (character.isalnum() or character == "_")), len(rest))
    return rest[:length] in KNOWN and rest[length:].lstrip()[:1] in ("(", "{")


def read_linker_script(text: bytes | memoryview | mmap, name: str) -> LinkerScript | None:
    """The files that the script lists, or None when it is not a linker script; `name` is for errors.

    Raises UnsupportedError, naming the command and its line, for a command that does not list files, and
    BadObjectError for a script that ends too early or is not well-formed.
    """
    if not looks_like_script(text):
        return None
    tokens = list(tokenize(bytes(text).decode("utf-8", "surrogateescape"), name))
    entries: list[ScriptEntry] = []
    directories: list[str] = []
    output_format = ""
    at = 0
    while at < len(tokens):
        command = tokens[at]
        if command.text == ";" and not command.quoted:
            at += 1
            continue
        if command.text in PUNCTUATION and not command.quoted:
            raise BadObjectError(name, "linker script is not well-formed", command.text, f"line {command.line}")
        if command.text not in UNDERSTOOD or command.quoted:
            raise unsupported(command, name)
        end = closing(tokens, at + 1, name)
        inside = tokens[at + 2 : end]
        if command.text in LISTS:
            entries += read_list(inside, name)
        else:
            words = read_words(inside, name)
            if command.text == "SEARCH_DIR":
                directories += map(without_sysroot, words)
            else:
                output_format = output_format or next(iter(words), "")
        at = end + 1
    return LinkerScript(tuple(entries), tuple(directories), output_format)


def tokenize(text: str, name: str) -> Iterator[Token]:
    """The tokens of the script. A word of ld may contain nearly anything: it ends at space or punctuation."""
    at, line, end = 0, 1, len(text)
    while at < end:
        character, start = text[at], at
        if character.isspace():
            at += 1
        elif text.startswith("/*", at):
            at = text.find("*/", at + 2) + 2
            if at < 2:
                raise BadObjectError(name, "comment without an end in a linker script", where=f"line {line}")
        elif character == '"':
            at = text.find('"', at + 1) + 1
            if not at:
                raise BadObjectError(name, "quote without an end in a linker script", where=f"line {line}")
            yield Token(text[start + 1 : at - 1], line, True)
        elif character in PUNCTUATION:
            at += 1
            yield Token(character, line)
        else:
            while at < end and not text[at].isspace() and text[at] not in PUNCTUATION and text[at] != '"':
                if text.startswith("/*", at):
                    break
                at += 1
            yield Token(text[start:at], line)
        line += text.count("\n", start, at)


def closing(tokens: list[Token], at: int, name: str) -> int:
    """The position of the parenthesis that closes the one which must be at `at`."""
    command = tokens[at - 1]
    if at >= len(tokens) or tokens[at].text != "(" or tokens[at].quoted:
        raise BadObjectError(name, "linker script is not well-formed", f"{command} without (", f"line {command.line}")
    depth = 0
    for position in range(at, len(tokens)):
        token = tokens[position]
        if not token.quoted:
            depth += (token.text == "(") - (token.text == ")")
        if not depth:
            return position
    raise BadObjectError(name, "linker script ends too early", f"{command} ( without )", f"line {command.line}")


def read_list(tokens: list[Token], name: str) -> Iterator[ScriptEntry]:
    """The entries inside GROUP or INPUT. AS_NEEDED may hold a list of its own, in principle at any depth."""
    depth = 0
    opening = False
    for token in tokens:
        text = "word" if token.quoted else token.text
        if opening != (text == "("):
            raise BadObjectError(name, "linker script is not well-formed", repr(text), f"line {token.line}")
        opening = text == "AS_NEEDED"
        if text in "()":
            depth += 1 if text == "(" else -1
        elif text in PUNCTUATION and text != ",":
            raise BadObjectError(name, "linker script is not well-formed", repr(text), f"line {token.line}")
        elif not opening and text != ",":
            yield entry(token, depth > 0)
    if opening:
        raise BadObjectError(name, "linker script is not well-formed", "AS_NEEDED without (", f"line {tokens[-1].line}")


def entry(token: Token, as_needed: bool) -> ScriptEntry:
    """The file that a word names."""
    if token.text.startswith("-l") and not token.quoted:
        return ScriptEntry(token.text[2:], as_needed, True)
    return ScriptEntry(without_sysroot(token.text), as_needed)


def without_sysroot(path: str) -> str:
    """The path without the mark for "below the sysroot", which is / for the process we run in."""
    return path.removeprefix("$SYSROOT").removeprefix("=")


def read_words(tokens: list[Token], name: str) -> list[str]:
    """The words inside OUTPUT_FORMAT or SEARCH_DIR, commas dropped."""
    for token in tokens:
        if token.text in PUNCTUATION and token.text != "," and not token.quoted:
            raise BadObjectError(name, "linker script is not well-formed", repr(token.text), f"line {token.line}")
    return [token.text for token in tokens if token.quoted or token.text != ","]


def unsupported(command: Token, name: str) -> UnsupportedError:
    """The error for a command that does more than list files."""
    facts = [("file", name), ("command", command.text[:60]), ("where", f"line {command.line}")]
    hint = "only GROUP, INPUT, AS_NEEDED, OUTPUT_FORMAT and SEARCH_DIR are understood"
    return UnsupportedError("linker script", "linker script with an unsupported command", facts, hint)
