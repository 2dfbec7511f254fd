"""Archives (`.a`): which member defines a symbol, and the bytes of a member.

An archive is eight bytes of magic, then members: a 60-byte text header (ar(5): name[16] date[12] uid[6] gid[6]
mode[8] size[10] and two bytes of magic) and the contents, padded to an even offset. All else is convention, and there
are two: GNU/SysV and BSD, which this module reads side by side, since a header's name tells them apart.

                      GNU, System V                          BSD, Darwin
    short name        `crc32.o/`                             `crc32.o`
    long name         `/17`: offset in the member `//`       `#1/20`: the first 20 bytes of the contents
    symbol index      `/`, or `/SYM64/` with 64-bit words    `__.SYMDEF`, `__.SYMDEF SORTED`, `__.SYMDEF_64`

A thin archive (`!<thin>`) stores only headers; the contents are files beside it. A member `/17:104` of one is the
member at offset 104 of another archive, whose name is at 17 in `//`: ar writes it when an archive goes into a thin one.

A link wants a handful of members out of thousands, so nothing is read before it is asked for: `read_archive` looks at
the special members in front, `index()` parses the index as whole columns, and a member's header is read when the
member is wanted. What we gave up: a bad header in the middle of an archive is found when the walk or the index gets
there, not at once.
"""
# importing pathlib costs more than reading an archive does (docs/adr/0001)
# ruff: noqa: PTH116, PTH118, PTH120, PTH123

from __future__ import annotations

import os
import stat
from struct import unpack_from

from rtlinker.elf.archive_index import read_index
from rtlinker.errors import BadObjectError
from rtlinker.facts import Fact, derived

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from mmap import mmap

MAGIC, THIN_MAGIC = b"!<arch>\n", b"!<thin>\n"
HEADER_SIZE = 60
HEADER_END = b"`\n"

INDEX_NAMES = {"/", "/SYM64/", "__.SYMDEF", "__.SYMDEF SORTED", "__.SYMDEF_64", "__.SYMDEF_64 SORTED"}
LONG_NAMES = {"//", "ARFILENAMES/"}
SPECIAL_NAMES = INDEX_NAMES | LONG_NAMES | {"/<ECSYMBOLS>/", "/<XFGHASHMAP>/"}

DEEPEST = 8
"""How many archives may lie inside each other; nobody nests more than two, so more is a circle."""


class Member(Fact):
    """One member: a file inside the archive, or, of a thin archive, a file that the archive names.

    `header_offset` and `data_offset` are bytes from the start of the archive, `size` is in bytes and excludes a BSD
    name. In a thin archive `path` is the file with the contents, and `origin`, when not 0, is the offset of a
    member header inside that file, which then is an archive too.
    """

    name: str
    header_offset: int
    data_offset: int
    size: int
    path: str = ""
    origin: int = 0


class Archive(Fact):
    """An archive as its front says it is; members and index are read on demand from the borrowed `data`."""

    data: bytes | memoryview | mmap
    name: str
    directory: str
    thin: bool
    index_member: Member | None
    long_names: bytes
    depth: int = 0

    def __repr__(self) -> str:
        return f"Archive({self.name!r}, {len(self.data):,} bytes)"

    @derived
    def view(self) -> memoryview:
        """The whole archive; every slice handed out borrows from it, and keeps it alive."""
        return memoryview(self.data)

    @derived
    def has_index(self) -> bool:
        """Whether the archive carries a symbol index (`ar s`, ranlib)."""
        return self.index_member is not None

    @derived
    def members(self) -> tuple[Member, ...]:
        """All ordinary members in file order, duplicates included. Raises BadObjectError for a broken header."""
        return tuple(walk_members(self))

    @derived
    def index_table(self) -> dict[str, int]:
        """What `index()` returns."""
        if self.index_member is None:
            if not self.members:
                return {}
            hint = "`ranlib` adds one; rtlinker can also make its own by reading every member"
            raise BadObjectError(self.name, "archive without a symbol index", hint=hint)
        return read_index(self, self.index_member)

    @derived
    def nested(self) -> dict[str, Archive]:
        """The archives inside this thin one that have been opened so far, by path."""
        return {}

    def index(self) -> dict[str, int]:
        """Symbol name to member header offset (bytes from the start of the file), the first definition of each name.

        The dict is kept and shared: treat it as read-only. Raises BadObjectError when the archive has no index though
        it has members (see `has_index` and `index_with`), when the index is cut, miscounts, or points outside.
        """
        return self.index_table

    def index_with(self, define: Callable[[Archive, Member], Iterable[str]]) -> dict[str, int]:
        """The same mapping, made from the members: `define(archive, member)` yields the names a member defines."""
        index: dict[str, int] = {}
        for member in self.members:
            for name in define(self, member):
                index.setdefault(name, member.header_offset)
        return index

    def member_at(self, header_offset: int) -> Member:
        """The ordinary member whose header is there. Raises BadObjectError when there is none."""
        member = read_member(self, header_offset)
        if member.name in SPECIAL_NAMES:
            raise BadObjectError(self.name, "archive index points at no object", repr(member.name), hex(header_offset))
        return member

    def contents(self, member: Member) -> memoryview:
        """The bytes of `member`: a slice that borrows from the archive; for a thin archive the file, read now.

        Raises BadObjectError, naming archive and member, when the file of a thin member cannot be read.
        """
        if not self.thin:
            return self.view[member.data_offset : member.data_offset + member.size]
        if not member.origin:
            return memoryview(read_file(self, member))
        inner = self.nested.get(member.path)
        if inner is None:
            if self.depth == DEEPEST:
                raise BadObjectError(self.label(member), "thin archives nested too deep, or in a circle")
            data, directory = read_file(self, member), os.path.dirname(member.path)
            inner = self.nested[member.path] = open_archive(data, member.path, directory, self.depth + 1)
        return inner.contents(inner.member_at(member.origin))

    def label(self, member: Member) -> str:
        """`libz.a(crc32.o)`: how errors and maps name a member."""
        return f"{self.name}({member.name})"


def read_archive(data: bytes | memoryview | mmap, name: str, directory: str = "") -> Archive:
    """The archive in `data`, which stays borrowed for as long as the archive or a slice of it lives.

    `name` is for errors, `directory` is where the relative members of a thin archive are looked for (its own
    directory). Cheap: only magic and special members are looked at. Raises BadObjectError when they are broken.
    Source: ar(5), and the GNU binutils manual on thin archives.
    """
    return open_archive(data, name, directory, 0)


def open_archive(data: bytes | memoryview | mmap, name: str, directory: str, depth: int) -> Archive:
    """An archive that lies inside `depth` others."""
    magic = bytes(data[: len(MAGIC)])
    if magic not in (MAGIC, THIN_MAGIC):
        headline = "archive cut short" if MAGIC.startswith(magic) or THIN_MAGIC.startswith(magic) else "not an archive"
        raise BadObjectError(name, headline, f"{magic!r} instead of {MAGIC!r}", "0x0")
    front = Archive(data, name, directory, magic == THIN_MAGIC, None, b"", depth)
    index, long_names, offset = None, b"", len(MAGIC)
    while offset < len(front.view):
        member = read_special(front, offset)
        if member is None:
            break
        if member.name in LONG_NAMES:
            long_names = bytes(front.view[member.data_offset : member.data_offset + member.size])
        elif member.name in INDEX_NAMES and index is None:
            index = member
        offset = after(member)
    return Archive(data, name, directory, front.thin, index, long_names, depth)


def walk_members(archive: Archive) -> Iterable[Member]:
    """Every ordinary member, in file order. Ends, since each step moves on by a header at least."""
    offset, end = len(MAGIC), len(archive.view)
    while offset < end:
        member = read_member(archive, offset)
        if member.name not in SPECIAL_NAMES:
            yield member
        offset = offset + HEADER_SIZE if archive.thin and member.path else after(member)


def after(member: Member) -> int:
    """The offset behind contents stored in the archive. The last pad byte may be missing: then it is the end + 1."""
    return (member.data_offset + member.size + 1) & ~1


def read_header(archive: Archive, offset: int) -> tuple[bytes, int]:
    """The raw name, right-stripped, and the size in bytes that the header at `offset` states."""
    header = bytes(archive.view[offset : offset + HEADER_SIZE]) if offset >= 0 else b""
    if len(header) < HEADER_SIZE:
        raise BadObjectError(archive.name, "archive ends inside a member header", f"{len(header)} bytes", hex(offset))
    (raw, digits, end) = unpack_from("16s32x10s2s", header)
    if end != HEADER_END:
        raise BadObjectError(archive.name, "no member header here", f"{end!r} instead of {HEADER_END!r}", hex(offset))
    digits = digits.rstrip(b" ")
    if not digits.isdigit():
        raise BadObjectError(archive.name, "member size is not a number", repr(digits), hex(offset + 48))
    return raw.rstrip(b" "), int(digits)


def read_special(archive: Archive, offset: int) -> Member | None:
    """The member at `offset` when it is an index or a table of names, else None."""
    raw, size = read_header(archive, offset)
    if raw.startswith(b"#1/") and not archive.thin:
        member = bsd_member(archive, offset, raw, size)
        return member if member.name in SPECIAL_NAMES else None
    if decoded(raw) not in SPECIAL_NAMES:
        return None
    return stored_member(archive, decoded(raw), offset, offset + HEADER_SIZE, size)


def read_member(archive: Archive, offset: int) -> Member:
    """The member whose header is at `offset`, special ones included."""
    raw, size = read_header(archive, offset)
    if raw.startswith(b"#1/") and not archive.thin:
        return bsd_member(archive, offset, raw, size)
    name, origin = decoded(raw), 0
    special = name in SPECIAL_NAMES
    if not special:
        if name.startswith("/"):
            name, origin = long_name(archive, raw, offset)
        name = name.removesuffix("/")
    if special or not archive.thin:
        return stored_member(archive, name, offset, offset + HEADER_SIZE, size)
    path = os.path.join(archive.directory, name)
    return Member(f"{name}:{origin}" if origin else name, offset, offset + HEADER_SIZE, size, path, origin)


def stored_member(archive: Archive, name: str, header_offset: int, data_offset: int, size: int) -> Member:
    """A member whose contents are inside the archive, which is checked here and nowhere else."""
    room = len(archive.view) - data_offset
    if size > room:
        found = f"{size:,} bytes stated, {max(room, 0):,} left"
        raise BadObjectError(f"{archive.name}({name})", "archive ends inside a member", found, hex(header_offset))
    return Member(name, header_offset, data_offset, size)


def bsd_member(archive: Archive, offset: int, raw: bytes, size: int) -> Member:
    """A member whose name is the first bytes of its contents, padded with NUL."""
    digits, start = raw[3:], offset + HEADER_SIZE
    if not digits.isdigit() or int(digits) > size:
        raise BadObjectError(archive.name, "bad length of a member name", repr(raw), hex(offset))
    length = int(digits)
    name = decoded(bytes(archive.view[start : start + length]).rstrip(b"\0"))
    return stored_member(archive, name, offset, start + length, size - length)


def long_name(archive: Archive, raw: bytes, offset: int) -> tuple[str, int]:
    """The name that `/17` or `/17:104` stands for, and the offset behind the colon (0 without one)."""
    position, colon, inner = raw[1:].partition(b":")
    if not position.isdigit() or (colon and not (inner.isdigit() and archive.thin)):
        raise BadObjectError(archive.name, "bad member name", repr(raw), hex(offset))
    start = int(position)
    end = archive.long_names.find(b"\n", start)
    if end < 0:
        found = f"{raw!r}, and {len(archive.long_names):,} bytes of long names"
        raise BadObjectError(archive.name, "member name outside the table of long names", found, hex(offset))
    return decoded(archive.long_names[start:end]), int(inner or b"0")


def decoded(name: bytes) -> str:
    """A file name as the rest of Python writes it (os.fsdecode, but independent of the locale)."""
    return name.decode("utf-8", "surrogateescape")


def read_file(archive: Archive, member: Member) -> bytes:
    """The file of a thin member. Only regular files: a pipe would block, a device would never end."""
    label = archive.label(member)
    try:
        if not stat.S_ISREG(os.stat(member.path).st_mode):
            raise BadObjectError(label, "thin archive member is not a regular file", member.path)
        with open(member.path, "rb") as file:
            return file.read()
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        hint = "a thin archive names files; they must stay where they were when it was made"
        found = f"{member.path}: {reason}"
        raise BadObjectError(label, "thin archive member cannot be read", found, hint=hint) from None
