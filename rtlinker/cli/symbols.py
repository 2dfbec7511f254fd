"""`rtlinker symbols`: the process's own symbol table."""

from __future__ import annotations

from rtlinker.cli.command import JSON, Command, Option, Positional, Words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Row = tuple[int, str, str, int, str, str | None]
    """Address, symbol, type, size, library, C++ name."""

COMMAND = Command(
    "symbols",
    "the process's own symbol table: address, name, library",
    (Positional("PATTERN", "a part of the name, or a shell pattern such as 'str*cmp'; all names without it", "?"),),
    (Option(("--all",), "older versions of names too, not just the ones that dlsym finds"), JSON),
    (
        ("rtlinker symbols qsort", "every name with qsort in it"),
        ("rtlinker symbols 'str*cmp' --json", "a shell pattern, as data"),
    ),
)


def run(words: Words) -> int:
    """List what the pattern matches; exit code 1 when nothing does, as grep's."""
    rows = sorted(_rows(words.has("all")))
    rows = _matching(words.one("PATTERN"), rows)
    if words.has("json"):
        import json

        keys = ("address", "name", "type", "size", "library", "demangled")
        print(json.dumps({"symbols": [dict(zip(keys, row)) for row in rows]}, indent=1))
    elif rows:
        from rtlinker.cli.output import print_tables
        from rtlinker.show.table import Table

        texts = [
            (_place(address, kind), full or name, kind, str(size), library)
            for address, name, kind, size, library, full in rows
        ]
        print_tables([Table("", (">address", "name", "type", ">size", "library"), texts)])
    return 0 if rows else 1


def _rows(every_version: bool) -> Iterator[Row]:
    """What the libraries define, C++ names not demangled yet."""
    from rtlinker.host.loaded import dynamic_symbols, loaded_libraries

    for library in loaded_libraries():
        columns = dynamic_symbols(library)
        for name, address, size, kind, version, default in zip(
            columns.names, columns.addresses, columns.sizes, columns.types, columns.versions, columns.defaults
        ):
            if default or every_version:
                shown = name if default or not version else f"{name}@{version}"
                yield address, shown, kind, size, library.name, None


def _matching(pattern: str, rows: list[Row]) -> list[Row]:
    """The rows whose symbol or C++ name matches, with the latter. A C++ name may hold what else makes a pattern."""
    from fnmatch import fnmatchcase

    glob = any(mark in pattern for mark in "*?[")
    found = []
    for row in rows:
        name, full = row[1], _cxx_name(row[1])
        if any(pattern in text or (glob and fnmatchcase(text, pattern)) for text in (name, full) if text):
            found.append((*row[:5], full))
    return found


def _cxx_name(name: str) -> str | None:
    """A name as C++ has it, with its version; None when it is not C++."""
    if not name.startswith("_Z"):
        return None
    from rtlinker.host.demangle import demangle
    from rtlinker.live.mangled import abbreviated

    symbol, at, version = name.partition("@")
    full = demangle(symbol)
    return f"{abbreviated(full)}{at}{version}" if full else None


def _place(address: int, kind: str) -> str:
    """An address; for a thread-local variable its offset in the library's block, which every thread has a copy of."""
    return f"tls+{address:#x}" if kind == "tls" else f"{address:#x}"
