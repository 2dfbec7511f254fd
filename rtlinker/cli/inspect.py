"""`rtlinker inspect`: what is in an object or archive, and who would provide what it leaves undefined."""

from __future__ import annotations

from rtlinker.cli.command import JSON, Command, Option, Positional, Words
from rtlinker.errors import BadObjectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMAND = Command(
    "inspect",
    "sections, symbols, relocations, what is undefined and who would provide it",
    (Positional("FILE", "an object (.o) or an archive (.a)"),),
    (Option(("-C", "--demangle"), "show C++ names as people write them, as nm -C does"), JSON),
    (
        ("rtlinker inspect add.o", "tables for people"),
        ("rtlinker inspect add.o --json | jq .undefined", "the same as data"),
        ("rtlinker inspect libz.a", "an archive: its members, what they define and need of each other"),
    ),
)


def run(words: Words) -> int:
    """Read the file, and print what it says."""
    from rtlinker.live.files import read_archive_source, read_file, sort_of
    from rtlinker.show import inspection

    path = words.one("FILE")
    data = read_file(path)
    if sort_of(data) == "archive":
        seen = _archive(path, read_archive_source(data, path))
        tables = inspection.archive_tables
    else:
        from rtlinker.elf.reader import read_object

        if sort_of(data) == "script":
            raise BadObjectError(path, "a linker script, which only names other files", hint="inspect one of those")
        seen = inspection.inspect_object(read_object(data, path), _provider())
        tables = inspection.object_tables
    if words.has("demangle"):
        seen = _demangled(seen)
    if words.has("json"):
        import json

        print(json.dumps(seen, indent=1))
    else:
        from rtlinker.cli.output import print_tables

        print_tables(tables(seen))
    return 0


def _demangled(seen: Any) -> Any:
    """The same data with every symbol readable; sections and files keep their names."""
    from rtlinker.host.demangle import demangle
    from rtlinker.live.mangled import abbreviated

    if isinstance(seen, dict):
        return {key: _demangled(value) for key, value in seen.items()}
    if isinstance(seen, list):
        return [_demangled(value) for value in seen]
    return abbreviated(demangle(seen) or seen) if isinstance(seen, str) else seen


def _archive(path: str, source: Any) -> dict[str, Any]:
    from rtlinker.show.inspection import archive_data

    members, refused, names = [], {}, {}
    for position, label in source.places():
        try:
            members.append(source.object_at(position))
        except BadObjectError as error:
            refused[label] = error.headline
    for name, position in source.index().items():
        names[name] = source.label_at(position)
    return archive_data(path, members, refused, names)


class _Provider:
    """Who would provide a name: asked once per name, the search path last."""

    def __init__(self) -> None:
        from rtlinker.live.files import LastSource
        from rtlinker.live.scopes import ProcessScope

        self._process, self._last = ProcessScope(), LastSource()

    def __call__(self, name: str) -> str | None:
        from rtlinker.host.search import who_has
        from rtlinker.link.linker_symbols import is_linker_defined

        if is_linker_defined(name, ()):
            return "the linker"
        base, _, version = name.partition("@")
        found = self._process.find(base, version.lstrip("@") or None)
        if found is not None:
            return self._process.examine(found).provider
        position = self._last.index().get(base)
        if position is not None:
            return self._last.object_at(position).name
        libraries = who_has([base]).get(base)
        return f"{libraries[0]} (not loaded)" if libraries else None


def _provider() -> _Provider:
    return _Provider()
