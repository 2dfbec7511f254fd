"""`rtlinker symbols`: the process's own symbol table."""

from __future__ import annotations

from rtlinker.cli.command import JSON, Command, Option, Positional, Words

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
    from fnmatch import fnmatchcase

    from rtlinker.host.loaded import dynamic_symbols, loaded_libraries

    pattern = words.one("PATTERN")
    glob = any(mark in pattern for mark in "*?[")
    rows = []
    for library in loaded_libraries():
        columns = dynamic_symbols(library)
        for name, address, size, kind, version, default in zip(
            columns.names, columns.addresses, columns.sizes, columns.types, columns.versions, columns.defaults
        ):
            if (fnmatchcase(name, pattern) if glob else pattern in name) and (default or words.has("all")):
                shown = name if default or not version else f"{name}@{version}"
                rows.append((address, shown, kind, size, library.name))
    rows.sort()
    if words.has("json"):
        import json

        keys = ("address", "name", "type", "size", "library")
        print(json.dumps({"symbols": [dict(zip(keys, row)) for row in rows]}, indent=1))
    elif rows:
        from rtlinker.cli.output import print_tables
        from rtlinker.show.table import Table

        texts = [(_place(address, kind), name, kind, str(size), library) for address, name, kind, size, library in rows]
        print_tables([Table("", (">address", "name", "type", ">size", "library"), texts)])
    return 0 if rows else 1


def _place(address: int, kind: str) -> str:
    """An address; for a thread-local variable its offset in the library's block, which every thread has a copy of."""
    return f"tls+{address:#x}" if kind == "tls" else f"{address:#x}"
