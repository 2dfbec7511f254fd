"""Files to what a link takes: objects, archives, libraries, and scripts that stand for several of them."""

from __future__ import annotations

import os
import stat
from struct import unpack_from

from rtlinker.elf.constants import ELFMAG, ET_DYN
from rtlinker.elf.reader import read_object
from rtlinker.errors import BadObjectError, LinkError, UnsupportedError
from rtlinker.host.one_step import read_whole, with_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rtlinker.elf.archive import Archive, Member
    from rtlinker.elf.builtin import BuiltinArchive
    from rtlinker.elf.object import Object


START = 1 << 16
"""As much of a file as tells what it is."""


def read_file(path: str, most: int | None = None) -> bytes:
    """A snapshot of a file's bytes: what is loaded from it does not change when the file does.

    `most` is how many bytes of a regular file are wanted; of a pipe all are read in any case. Raises OSError with the
    path (missing, a directory, no permission), BadObjectError for a device.
    """

    def read(file: int) -> bytes:
        status = os.fstat(file)
        if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):  # may have no end
            raise BadObjectError(path, "not an x86-64 relocatable object", "a device")
        size = status.st_size
        if most is not None and most < size:
            return os.read(file, most)
        data = os.read(file, size + 1)
        return data if len(data) == size else data + read_whole(file)  # it grew, or is no regular file

    try:
        return with_file(path, read)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None


def map_file(path: str) -> bytes:
    """A file's bytes as a private mapping, which reads like bytes; for files that are replaced and never written to.

    What is installed is such: the dynamic linker maps it in the same way. Raises OSError, and ValueError for a file
    without contents.
    """
    import mmap

    flags = mmap.MAP_PRIVATE | getattr(mmap, "MAP_POPULATE", 0)
    # slices of it are bytes
    return with_file(path, lambda file: mmap.mmap(file, 0, flags, mmap.PROT_READ))  # type: ignore[return-value]


def sort_of(data: bytes) -> str:
    """`object`, `archive`, `library` (a shared one) or `script`, as far as the first bytes tell; objects by default."""
    if data[:8] in {b"!<arch>\n", b"!<thin>\n"}:
        return "archive"
    if data[:4] == ELFMAG:
        return "library" if data[16:18] == ET_DYN.to_bytes(2, "little") else "object"
    from rtlinker.elf.ldscript import looks_like_script

    return "script" if looks_like_script(data) else "object"


def check_shared_library(path: str) -> None:
    """Raise BadObjectError for a shared library that is cut off: the dynamic linker would map it, and die of SIGBUS.

    Anything else that is wrong with the file is left to dlopen, which says it better.
    """
    if not os.path.isfile(path):  # noqa: PTH113
        return
    data = read_file(path, START)
    if sort_of(data) != "library" or len(data) < 64:
        return
    table, entry, count = unpack_from("<32xQ14xHH", data)
    end = os.path.getsize(path)  # noqa: PTH202
    if table + entry * count > len(data):
        data = read_file(path)
    for at in range(table, min(table + entry * count, len(data) - 55), max(entry, 56)):
        kind, offset, size = unpack_from("<I4xQ16xQ", data, at)
        if kind == 1 and offset + size > end:
            found = f"a segment at {offset:#x} to {offset + size:#x}"
            raise BadObjectError(path, "file is cut off", found, f"the file ends at {end:#x}")


def check_is_no_late_sanitizer(path: str) -> None:
    """Raise UnsupportedError for a sanitizer's runtime that the process was not started with.

    It replaces malloc and maps shadow memory before anything else runs; opened later it ends the process.
    """
    file = os.path.basename(path)  # noqa: PTH119
    if not file.startswith(("libasan.so", "libtsan.so", "libhwasan.so", "liblsan.so", "libclang_rt.")):
        return
    from rtlinker.host import dynamic
    from rtlinker.live.hints import preload_hint

    if "ubsan" not in file and not dynamic.is_open(path):
        headline = "sanitizer runtime that was not there from the start"
        file = os.path.basename(os.path.realpath(path))  # noqa: PTH119  a preload is looked for by its full name
        raise UnsupportedError("late sanitizer", headline, [("library", path)], preload_hint(file))


class ArchiveSource:
    """An archive of a link: members become objects when one of their names is asked for, once each."""

    def __init__(self, archive: Archive | BuiltinArchive) -> None:
        self.name = archive.name
        self._archive = archive
        self._objects: dict[int, Object] = {}
        self._index: Mapping[str, int] | None = None

    def index(self) -> Mapping[str, int]:
        """Every name the archive defines, with where its member is; made from the members where there is no index."""
        if self._index is None:
            self._index = self._archive.index() if self._archive.has_index else self._archive.index_with(self._names)
        return self._index

    def object_at(self, position: int) -> Object:
        """The member whose header is there, as an object. Raises BadObjectError when it is not one."""
        found = self._objects.get(position)
        if found is None:
            member = self._archive.member_at(position)
            data = bytes(self._archive.contents(member))
            found = self._objects[position] = read_object(data, self._archive.label(member))
        return found

    def places(self) -> list[tuple[int, str]]:
        """Where every member is, with its label, in the archive's order."""
        return [(member.header_offset, self._archive.label(member)) for member in self._archive.members]

    def label_at(self, position: int) -> str:
        """The label of the member there: `libz.a(crc32.o)`."""
        return self._archive.label(self._archive.member_at(position))

    def members(self) -> list[Object]:
        """All members as objects, in their order."""
        return [self.object_at(member.header_offset) for member in self._archive.members]

    def _names(self, archive: Archive, member: Member) -> Iterable[str]:
        from rtlinker.elf.index import index_symbols

        try:
            found = index_symbols(self.object_at(member.header_offset))
        except BadObjectError:
            return ()  # an index made by ar leaves out what is not an object, too
        return (*found.defined, *found.commons)


def read_archive_source(data: bytes, path: str) -> ArchiveSource:
    """An archive as a source of objects; `path` is what errors call it and where thin members are looked for."""
    from rtlinker.elf.archive import read_archive

    return ArchiveSource(read_archive(data, path, os.path.dirname(path)))  # noqa: PTH120


def last_sources() -> tuple[ArchiveSource, ...]:
    """Archives for names that no shared library has: libc_nonshared's, built in, and libgcc.a where there is one."""
    from rtlinker.elf.builtin import builtin_archive
    from rtlinker.host.search import libgcc_archive

    sources = [ArchiveSource(builtin_archive())]
    path = libgcc_archive()
    if path is not None:
        sources.append(read_archive_source(read_file(path), path))
    return tuple(sources)


class LastSource:
    """The last resorts as one source that reads nothing until it is asked: few links need it, and it costs files."""

    name = "libc_nonshared.a and libgcc.a"

    def __init__(self) -> None:
        self._sources: tuple[ArchiveSource, ...] | None = None
        self._index: dict[str, int] = {}
        self._places: list[tuple[ArchiveSource, int]] = []

    def index(self) -> Mapping[str, int]:
        """Every name of the archives behind it."""
        if self._sources is None:
            self._sources = last_sources()
            for source in self._sources:
                for name, position in source.index().items():
                    if name not in self._index:
                        self._index[name] = len(self._places)
                        self._places.append((source, position))
        return self._index

    def object_at(self, position: int) -> Object:
        """The member behind one of the index's numbers."""
        source, place = self._places[position]
        return source.object_at(place)


def library_path(name: str, directories: Sequence[str], option: str = "directories=") -> str:
    """The file that ld's -l means; a name with a slash is the file itself. Raises LinkError when there is none.

    `option` is where the caller was to name more directories, for the hint.
    """
    if "/" in name:
        return name
    from rtlinker.host.search import find_library

    found = find_library(name, directories)
    if found is None:
        places = "\n".join(directories) or "the system's usual directories"
        facts = [("name", f"-l {name}"), ("searched", places)]
        raise LinkError("library not found", facts, f"add its directory with {option}")
    return found
