"""Finding libraries on disk, as `ld -l` and ld.so do, and finding who could define a symbol.

`-l NAME` asks each directory in turn for libNAME.so, then libNAME.a (ld(1), `-l`): the -L directories, LIBRARY_PATH (as
gcc does), LD_LIBRARY_PATH, then the system's. Linkers know only the names that development packages install; a user
who wants to *run* something has only libNAME.so.N, so that is the last resort: the highest N ld.so's cache knows.
A libNAME.so that is no ELF file is a linker script, as /usr/lib's libc.so is: the first library it names is meant, and
what else it names (libc_nonshared.a, AS_NEEDED libraries) is left to the caller.
"""

# pathlib costs 6 ms to import, more than a whole search
# ruff: noqa: PTH116, PTH208

from __future__ import annotations

import os

from rtlinker.host import symbol_tables
from rtlinker.host.elf_files import ET_DYN, dynamic_table, file_type, map_elf
from rtlinker.host.ld_cache import cached_libraries
from rtlinker.host.one_step import read_whole, with_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

USUAL = (
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
)
CONFIGURATION = "/etc/ld.so.conf"
GCC = "/usr/lib/gcc"
ARCHIVE = b"!<arch>\n"
THIN_ARCHIVE = b"!<thin>\n"
INTERPOSERS = ("libasan", "libhwasan", "liblsan", "libtsan", "libubsan", "libfakeroot", "libfaketime", "libjemalloc")
"""Libraries that define what others own, to watch or replace it: never the first to be advised."""


def find_library(name: str, directories: Sequence[str] = ()) -> str | None:
    """The path of what `-l NAME` with these -L directories stands for: a shared library or an archive; None if nothing.

    `name` is as after -l: `m`, or `:libfoo.so.1` for a file of exactly that name.
    """
    places = [*directories, *search_directories()]
    wanted = [name[1:]] if name.startswith(":") else [f"lib{name}.so", f"lib{name}.a"]
    for directory in places:
        for file in wanted:
            path = _linkable(_joined(directory, file))
            if path:
                return path
    return _versioned(wanted[0], places)


def search_directories() -> list[str]:
    """Where libraries are looked for, after the -L directories: absolute paths of directories that exist, once each."""
    given = [*_listed("LIBRARY_PATH"), *_listed("LD_LIBRARY_PATH")]
    archive = libgcc_archive()
    compiler = [archive.rpartition("/")[0]] if archive else []
    return _existing([*given, *_configured(CONFIGURATION, 0), *USUAL, *compiler])


def libgcc_archive() -> str | None:
    """The newest gcc's libgcc.a for x86-64, where the helpers that no shared library exports are; None without gcc."""
    found = []
    for target in _entries(GCC):
        if target.startswith("x86_64"):
            for version in _entries(f"{GCC}/{target}"):
                path = f"{GCC}/{target}/{version}/libgcc.a"
                if os.access(path, os.R_OK):
                    found.append((_numbers(version), path))
    return max(found)[1] if found else None


def who_has(names: Iterable[str]) -> dict[str, list[str]]:
    """For each of `names` that some library on the usual search path defines: those libraries' paths, interposers last.

    Defined means exported in the default version. The libraries are those in ld.so's cache, else those in the usual
    directories; several names of one file count once. Files that make no sense are passed over. About 30 us per
    library, whatever its size: the hash table's Bloom filter answers most questions.
    """
    wanted = {name: name.encode("utf-8", "surrogateescape") for name in names}
    found: dict[str, list[str]] = {}
    for path in _libraries_on_path() if wanted else ():
        data = map_elf(path)
        table = dynamic_table(data) if data is not None else None
        if table is None:
            continue
        for name, raw in wanted.items():
            if _defines(table, raw):
                found.setdefault(name, []).append(path)
    for paths in found.values():
        paths.sort(key=lambda path: path.rpartition("/")[2].startswith(INTERPOSERS))
    return found


def names_in(soname: str, names: Iterable[str]) -> set[str] | None:
    """Those of `names` that the library of this soname defines, in whatever version; it is not opened.

    None where ld.so's cache has no such library, which need not mean that ld.so finds none.
    """
    path = next((path for name, path in cached_libraries() if name == soname), None)
    data = map_elf(path) if path is not None else None
    table = dynamic_table(data) if data is not None else None
    if table is None:
        return None
    versions = [None, *table.version_names.values()]
    return {
        name
        for name in names
        if any(_defines(table, name.encode("utf-8", "surrogateescape"), version) for version in versions)
    }


def _defines(table: symbol_tables.DynamicTable, name: bytes, version: str | None = None) -> bool:
    try:
        return symbol_tables.find_row(table, name, version) is not None
    except IndexError:  # a damaged table points outside itself
        return False


def _libraries_on_path() -> list[str]:
    """Paths of the shared libraries ld.so would find, each file once."""
    paths = [path for _, path in cached_libraries()]
    if not paths:
        for directory in search_directories():
            paths += [f"{directory}/{entry}" for entry in sorted(_entries(directory)) if ".so" in entry]
    once: dict[tuple[int, int], str] = {}
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            continue
        once.setdefault((status.st_dev, status.st_ino), path)
    return list(once.values())


def _linkable(path: str) -> str | None:
    """`path` if it is a shared library, an archive or a linker script that lists files, else None."""
    start = _start_of(path)
    if start[:4] == b"\x7fELF":
        data = map_elf(path)
        return path if data is not None and file_type(data) == ET_DYN else None
    if start[:8] in (ARCHIVE, THIN_ARCHIVE):
        return path
    return path if b"\0" not in start and (b"GROUP" in start or b"INPUT" in start) else None


def _start_of(path: str) -> bytes:
    """The first bytes of a file, enough for any linker script; empty if it cannot be read."""
    try:
        return with_file(path, lambda file: os.read(file, 4096), os.O_NONBLOCK)
    except (OSError, ValueError):
        return b""


def _joined(directory: str, file: str) -> str:
    return f"{directory.rstrip('/')}/{file}" if directory else file


def _versioned(file: str, directories: Sequence[str]) -> str | None:
    """The highest `file.N` in ld.so's cache or else in `directories`; None if `file` is not of the form libNAME.so."""
    if not file.endswith(".so"):
        return None
    start = f"{file}."
    found = [(_numbers(soname[len(start) :]), path) for soname, path in cached_libraries() if soname.startswith(start)]
    if not found:
        for directory in directories:
            found += [
                (_numbers(entry[len(start) :]), f"{directory}/{entry}")
                for entry in _entries(directory)
                if entry.startswith(start)
            ]
    found = [pair for pair in found if _linkable(pair[1])]
    return max(found)[1] if found else None


def _numbers(version: str) -> list[int]:
    """`1.10.2` as [1, 10, 2], for comparing; what is no number counts as -1."""
    return [int(part) if part.isdigit() else -1 for part in version.split(".")]


def _listed(variable: str) -> list[str]:
    return [part for part in os.environ.get(variable, "").replace(";", ":").split(":") if part]


def _configured(path: str, depth: int) -> list[str]:
    """The directories in ld.so.conf (ldconfig(8)), `include` lines followed."""
    try:
        text = os.fsdecode(with_file(path, read_whole))
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        words = line.partition("#")[0].replace(",", " ").replace(":", " ").split()
        if words[:1] == ["include"]:
            for pattern in words[1:] if depth < 8 else ():
                for included in _matching(pattern, path):
                    found += _configured(included, depth + 1)
        elif words[:1] != ["hwcap"]:
            found += [word.partition("=")[0] for word in words]
    return found


def _matching(pattern: str, origin: str) -> list[str]:
    """The files an include line means: a pattern whose last part may hold one `*`, from the including file's place."""
    directory, _, last = pattern.rpartition("/")
    if not pattern.startswith("/"):
        directory = f"{origin.rpartition('/')[0]}/{directory}".rstrip("/")
    head, star, tail = last.partition("*")
    if not star:
        return [f"{directory}/{last}"]
    names = [name for name in _entries(directory) if name.startswith(head) and name.endswith(tail)]
    return [f"{directory}/{name}" for name in sorted(names) if len(name) >= len(head) + len(tail)]


def _existing(directories: Iterable[str]) -> list[str]:
    """Those that are directories, without the ones that are another spelling of an earlier one."""
    once: dict[tuple[int, int], str] = {}
    for directory in directories:
        try:
            status = os.stat(directory)
        except (OSError, ValueError):
            continue
        once.setdefault((status.st_dev, status.st_ino), directory)
    return list(once.values())


def _entries(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except (OSError, ValueError):
        return []
