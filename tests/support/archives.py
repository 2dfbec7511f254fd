"""Writes archives for tests: GNU and BSD, thin, with 32-bit, 64-bit or no symbol index."""

from __future__ import annotations

from io import BytesIO
from struct import pack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def write_archive(
    members: Sequence[tuple[str, bytes]],
    index: bool = True,
    thin: bool = False,
    bits: int = 32,
    *,
    bsd: bool = False,
    symbols: Sequence[Sequence[str]] | None = None,
) -> bytes:
    """An archive of `members` (name, contents). `symbols`, a list per member, replaces what symbol tables say."""
    if symbols is None:
        symbols = [defined_symbols(data) for _, data in members]
    heads, table = bsd_heads(members) if bsd else gnu_heads(members, thin)
    bodies = [head if thin else padded(head + data) for head, (_, data) in zip(heads, members, strict=True)]
    start = 8 + len(table)
    if index:
        # the size of the index does not depend on the offsets in it
        start += len(encode_index([0] * len(bodies), symbols, bits, bsd))
    offsets = [start + sum(map(len, bodies[:at])) for at in range(len(bodies))]
    front = encode_index(offsets, symbols, bits, bsd) if index else b""
    return (b"!<thin>\n" if thin else b"!<arch>\n") + front + table + b"".join(bodies)


def header(name: bytes, size: int | bytes) -> bytes:
    """A member header."""
    text = size if isinstance(size, bytes) else b"%d" % size
    return b"%-16b%-12d%-6d%-6d%-8b%-10b`\n" % (name, 0, 0, 0, b"644", text)


def padded(data: bytes) -> bytes:
    return data + b"\n" if len(data) % 2 else data


def gnu_heads(members: Sequence[tuple[str, bytes]], thin: bool) -> tuple[list[bytes], bytes]:
    heads, names = [], b""
    for name, data in members:
        encoded = name.encode("utf-8", "surrogateescape")
        if thin or len(encoded) > 15 or b"/" in encoded:
            heads.append(header(b"/%d" % len(names), len(data)))
            names += encoded + b"/\n"
        else:
            heads.append(header(encoded + b"/", len(data)))
    names = padded(names)
    return heads, header(b"//", len(names)) + names if names else b""


def bsd_heads(members: Sequence[tuple[str, bytes]]) -> tuple[list[bytes], bytes]:
    heads = []
    for name, data in members:
        encoded = name.encode("utf-8", "surrogateescape")
        if len(encoded) > 16 or b" " in encoded or encoded.startswith((b"#1/", b"/")) or encoded.endswith(b"/"):
            stored = encoded + bytes(-len(encoded) % 4)
            heads.append(header(b"#1/%d" % len(stored), len(stored) + len(data)) + stored)
        else:
            heads.append(header(encoded, len(data)))
    return heads, b""


def encode_index(offsets: Sequence[int], symbols: Sequence[Sequence[str]], bits: int, bsd: bool) -> bytes:
    rows = [
        (name.encode("utf-8", "surrogateescape"), offset)
        for offset, names in zip(offsets, symbols, strict=True)
        for name in names
    ]
    letter, width = ("Q", 8) if bits == 64 else ("I", 4)
    pool = b"".join(name + b"\0" for name, _ in rows)
    if not bsd:
        data = pack(f">{1 + len(rows)}{letter}", len(rows), *(offset for _, offset in rows)) + pool
        data += bytes(len(data) % 2)
        return header(b"/SYM64/" if bits == 64 else b"/", len(data)) + data
    pairs, position = [], 0
    for name, offset in rows:
        pairs += [position, offset]
        position += len(name) + 1
    pool += bytes(-len(pool) % width)
    data = pack(f"<{1 + len(pairs)}{letter}", len(pairs) * width, *pairs) + pack(f"<{letter}", len(pool)) + pool
    return header(b"__.SYMDEF_64" if bits == 64 else b"__.SYMDEF", len(data)) + data


def defined_symbols(data: bytes) -> list[str]:
    """The global names that an object defines, as `ar s` would list them; none for what is not an object."""
    if not data.startswith(b"\x7fELF"):
        return []
    from elftools.elf.elffile import ELFFile

    table = ELFFile(BytesIO(data)).get_section_by_name(".symtab")
    return [
        symbol.name
        for symbol in (table.iter_symbols() if table else ())
        if symbol["st_info"]["bind"] != "STB_LOCAL" and symbol["st_shndx"] != "SHN_UNDEF"
    ]
