"""Interfaces: what GHC wrote beside an object about its module, read through `ghc --show-iface`.

GHC alone reads its binary interface files; each version has a format of its own, and the text that it prints of them
has been stable for long. An Interface holds the types of what the module exports, what its synonyms and newtypes
stand for, the modules and packages it depends on, and hashes: one for each declaration (its type, its strictness and
what of it can be inlined elsewhere), and, under `usages`, the hash that each imported declaration had when this
module was compiled. A module has to be compiled again when one of those differs from what the imported module says
now: `stale_usages`.

Names that GHC prints bare are the module's own; they are made `Module.name` here, so that a `data Text` of the user is
never taken for the one that everybody knows.
"""

from __future__ import annotations

from rtlinker.errors import BadObjectError, UnsupportedError
from rtlinker.facts import Fact
from rtlinker.haskell.declarations import read_declaration
from rtlinker.haskell.types import TypeCon, TypeVar, canonical, transform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rtlinker.haskell.declarations import Declaration, Newtype, Synonym
    from rtlinker.haskell.types import Type


class Usage(Fact):
    """What a module used of one that it imports.

    `hash` is the imported module's ABI hash, `exports` the hash of its export list (empty for modules of other
    packages), `names` the hash of each declaration that was used.
    """

    module: str
    hash: str
    exports: str
    names: dict[str, str]


class Stale(Fact):
    """A declaration that changed since a module that uses it was compiled; `now` is empty when it is gone."""

    module: str
    name: str
    then: str
    now: str


class Interface(Fact):
    """One module's interface.

    `exports` maps a name (of a value, of a constructor, of a record's field, of a class's method) to its type, or to
    the text that could not be read as one; `hashes` maps every declaration to its hash; `modules` are the user's own
    modules and `packages` the unit ids it depends on; `ways` GHC's letters for how it was compiled (`d`, `y`, `n` for
    dynamic).
    """

    module: str
    path: str
    ways: tuple[str, ...]
    abi_hash: str
    exports: dict[str, Type | str]
    types: tuple[str, ...]
    hashes: dict[str, str]
    synonyms: dict[str, Synonym]
    newtypes: dict[str, Newtype]
    modules: tuple[str, ...]
    packages: tuple[str, ...]
    usages: tuple[Usage, ...]


def shown(path: str, ghc: str) -> str:
    """What `ghc --show-iface` prints.

    Raises BadObjectError when GHC cannot read it (another version's, or no interface), UnsupportedError without a GHC.
    """
    import subprocess

    try:
        done = subprocess.run([ghc, "--show-iface", path], capture_output=True, check=False)  # noqa: S603  # no shell
    except OSError as error:
        rows = [("asked", f"{ghc} --show-iface"), ("found", error.strerror or str(error))]
        hint = "install ghc, or give the signature as text"
        raise UnsupportedError("haskell interface", "types of a Haskell module need ghc", rows, hint) from error
    text = done.stdout.decode(errors="replace")
    said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
    if done.returncode or "\ninterface " not in text:
        hint = "compile the module again with the ghc that is installed"
        raise BadObjectError(path, "not an interface of this ghc", said or text[:60], hint=hint)
    return text


def read_interface(text: str, path: str = "") -> Interface:
    """An Interface from the text that `ghc --show-iface` prints."""
    lines = text.split("\n")
    start = next((at for at, line in enumerate(lines) if line.startswith("interface ")), None)
    if start is None:
        raise BadObjectError(path, "not an interface", text[:60])
    module = lines[start].split()[1].rpartition(":")[2]
    sections = _sections(lines[start + 1 :])
    declared = [each for each in (read_declaration(*item) for item in _declarations(lines)) if each is not None]
    exported, types = _exports(sections.get("exports", []))
    values = _own_values(declared, module)
    return Interface(
        module=module,
        path=path,
        ways=_ways(lines),
        abi_hash=_fact(lines, "ABI hash:"),
        exports={name: values[name] for name in exported if name in values},
        types=types,
        hashes={each.name: each.hash for each in declared},
        synonyms={f"{module}.{each.name}": each.synonym for each in _own(declared, module) if each.synonym},
        newtypes={f"{module}.{each.name}": each.newtype for each in _own(declared, module) if each.newtype},
        modules=tuple(word for word in sections.get("module dependencies", []) if word[:1].isalpha()),
        packages=tuple(word.rstrip("*") for word in sections.get("package dependencies", [])),
        usages=_usages(lines),
    )


def _fact(lines: list[str], label: str) -> str:
    return next((line.split()[-1] for line in lines if line.strip().startswith(label)), "")


def _ways(lines: list[str]) -> tuple[str, ...]:
    """The letters of `Way: Wanted [], got [d, y, n]`: GHC prints a list of characters."""
    for at, line in enumerate(lines):
        if line.startswith("Way:"):
            shown = lines[at + 1].partition("[")[2].partition("]")[0]
            return tuple(word.strip() for word in shown.split(",") if word.strip())
    return ()


def _sections(lines: list[str]) -> dict[str, list[str]]:
    """The words below `exports:`, `module dependencies:` and their kin, which GHC breaks over indented lines."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        if line and not line[0].isspace():
            label, colon, rest = line.partition(":")
            current = found.setdefault(label, rest.split()) if colon else []
        else:
            current += line.split()
    return found


def _exports(words: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The exported values (with constructors, fields, methods) and the exported types.

    A type with what it exports of itself is one item, `Op{:+: Nil}`; `T|{A}` leaves out the type's own name.
    """
    values: list[str] = []
    types: list[str] = []
    inside = False
    for word in words:
        if inside:
            values.append(word.removesuffix("}"))
            inside = not word.endswith("}")
            continue
        name, brace, rest = word.partition("{")
        is_type = bool(brace) and name != "" and not _is_sign(name)
        if is_type:
            types.append(name.rstrip("|"))
            values.append(rest.removesuffix("}"))
            inside = not word.endswith("}")
        elif _bare(word)[:1].isupper():
            types.append(word)
        else:
            values.append(word)
    return tuple(name for name in values if name), tuple(types)


def _bare(name: str) -> str:
    """A name without its modules: `Just` of `GHC.Maybe.Just`."""
    head, dot, rest = name.partition(".")
    return _bare(rest) if dot and rest and head[:1].isupper() else name


def _is_sign(name: str) -> bool:
    return not (name[0].isalpha() or name[0] in "_$(")


def _declarations(lines: list[str]) -> list[tuple[str, list[str]]]:
    """(hash, lines) of every declaration: a hash alone on its line, then what it declares, indented."""
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        if len(line) == 32 and all(each in "0123456789abcdef" for each in line):
            found.append((line, []))
        elif found and line.startswith("  "):
            found[-1][1].append(line[2:])
        elif found:
            break
    return found


def _usages(lines: list[str]) -> tuple[Usage, ...]:
    """`import  -/  Module hash` with the hashes below it of what was used."""
    found: list[Usage] = []
    for line in lines:
        words = line.split()
        if line.startswith("import ") and len(words) >= 3:
            found.append(Usage(words[-2].rpartition(":")[2], words[-1], "", {}))
        elif found and line.startswith("  ") and len(words) == 2:
            last = found[-1]
            if words[0] == "exports:":
                found[-1] = Usage(last.module, last.hash, words[1], last.names)
            else:
                last.names[words[0]] = words[1]
        elif found:
            break
    return tuple(found)


def _own(declared: list[Declaration], module: str) -> list[Declaration]:
    """The declarations, with bare names of types made the module's own, and known ones canonical."""
    local = {each.name for each in declared}

    def change(leaf: TypeCon | TypeVar) -> Type:
        return _qualified(leaf, local, module)

    return [each.with_types(lambda kind: transform(kind, change)) for each in declared]


def _qualified(leaf: TypeCon | TypeVar, local: set[str], module: str) -> Type:
    if type(leaf) is TypeVar:
        return leaf
    return TypeCon(canonical(f"{module}.{leaf.name}" if leaf.name in local else leaf.name), leaf.arguments)


def _own_values(declared: list[Declaration], module: str) -> dict[str, Type | str]:
    """Name -> type of every value, constructor, field and method that is declared."""
    found: dict[str, Type | str] = {}
    for each in _own(declared, module):
        found |= each.values
    return found
