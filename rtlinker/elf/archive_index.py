"""The symbol index of an archive: two columns, names and member offsets, in four encodings.

    `/`         count, count offsets (big-endian 32 bits), then the names, each ended by NUL     (System V, GNU)
    `/SYM64/`   the same with 64-bit words, for archives past 4 GiB
    `__.SYMDEF` bytes of pairs, pairs (offset of the name, offset of the member), bytes of names, names; 32 bits in
                the order of the machine, which for x86-64 is little-endian; `SORTED`: the pairs go by name
    `__.SYMDEF_64`  the same with 64-bit words

libc.a has 24,000 names, so columns are unpacked, decoded and split whole, never name by name.
"""

from __future__ import annotations

from itertools import accumulate
from struct import unpack_from

from rtlinker.errors import BadObjectError
from rtlinker.units import plural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtlinker.elf.archive import Archive, Member


def read_index(archive: Archive, member: Member) -> dict[str, int]:
    """Symbol name to member header offset (bytes in the file); of several definitions the first in the index.

    Raises BadObjectError when the index is cut, when its counts lie or when an offset points outside the archive.
    That a member starts at each offset is checked when the member is asked for.
    """
    table = bytes(archive.view[member.data_offset : member.data_offset + member.size])
    columns = gnu_columns if member.name.startswith("/") else bsd_columns
    names, offsets = columns(archive.name, member, table)
    index = dict(zip(names, offsets))
    if len(index) < len(offsets):
        first = dict(zip(reversed(names), reversed(offsets)))
        index = dict(zip(names, map(first.__getitem__, names)))
    last = len(archive.view) - 60
    if offsets and not 8 <= min(offsets) <= max(offsets) <= last:
        name, offset = next((name, offset) for name, offset in zip(names, offsets) if not 8 <= offset <= last)
        raise broken(archive.name, member, f"{name} at {offset:#x}, the archive has {len(archive.view):#x} bytes")
    return index


def broken(file: str, member: Member, found: str) -> BadObjectError:
    """The one error of this module: `found` says in what way the index is wrong."""
    hint = "`ranlib` writes a new index"
    return BadObjectError(file, "broken archive index", f"{member.name}: {found}", hex(member.data_offset), hint)


def gnu_columns(file: str, member: Member, table: bytes) -> tuple[Sequence[str], Sequence[int]]:
    """Names and offsets of `/` or `/SYM64/`."""
    width, letter = (8, "Q") if member.name == "/SYM64/" else (4, "I")
    count = int.from_bytes(table[:width], "big")
    start = width * (count + 1)
    if start > len(table):
        raise broken(file, member, f"{plural(count, 'symbol')} stated, the index has {len(table):,} bytes")
    offsets = unpack_from(f">{count}{letter}", table, width)
    names = table[start:].decode("utf-8", "surrogateescape").split("\0")
    if len(names) <= count and count:
        raise broken(file, member, f"{plural(count, 'symbol')} stated, {plural(len(names) - 1, 'name')}")
    rest = [name for name in names[count:] if name.strip("\n")]
    if rest:
        raise broken(file, member, f"{plural(count, 'symbol')} stated, {plural(len(rest), 'more name')}")
    return names[:count], offsets


def bsd_columns(file: str, member: Member, table: bytes) -> tuple[Sequence[str], Sequence[int]]:
    """Names and offsets of `__.SYMDEF` and its kin."""
    width, letter = (8, "Q") if "_64" in member.name else (4, "I")
    pair_bytes = int.from_bytes(table[:width], "little")
    start = width + pair_bytes + width
    if pair_bytes % (2 * width) or start > len(table):
        raise broken(file, member, f"{pair_bytes:,} bytes of pairs stated, the index has {len(table):,}")
    words = unpack_from(f"<{pair_bytes // width}{letter}", table, width)
    name_bytes = int.from_bytes(table[start - width : start], "little")
    if name_bytes > len(table) - start:
        raise broken(file, member, f"{name_bytes:,} bytes of names stated, {len(table) - start:,} left")
    pool, rest = table[start : start + name_bytes], table[start + name_bytes :].strip(b"\0\n")
    if rest:
        raise broken(file, member, f"{name_bytes:,} bytes of names stated, {len(rest):,} more follow")
    ended = pool[: pool.rfind(b"\0") + 1].split(b"\0")[:-1]
    at = dict(zip(accumulate((len(name) + 1 for name in ended), initial=0), ended))
    names = []
    for where in words[::2]:
        name = at.get(where)
        if name is None:
            # two names may share a tail, so that an entry begins inside another one
            end = pool.find(b"\0", where)
            if end < 0:
                raise broken(file, member, f"a name at {where:#x}, the names have {name_bytes:#x} bytes")
            name = pool[where:end]
        names.append(name.decode("utf-8", "surrogateescape"))
    return names, words[1::2]
