"""The debug sections of one relocatable object, decompressed and with their relocations applied.

In a relocatable object every reference from one debug section to another is a relocation (DWARF 5 section 7.3.1), and
type units (`-fdebug-types-section`) are sections of their own: many may be called `.debug_info` or `.debug_types`. Only
absolute relocations occur there that matter to types: R_X86_64_32 and R_X86_64_64 (psABI table 4.9).
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812

from rtlinker.errors import BadObjectError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Row = tuple[int, ...]

    from rtlinker.dwarf.abbreviations import Abbreviation

_SECTION = Struct("<IIQQQQIIQQ")  # Elf64_Shdr
_RELA = Struct("<QQq")
_RELOCATIONS, _NOBITS = 4, 8  # SHT_RELA, SHT_NOBITS
_COMPRESSED = 0x800
_ABSOLUTE = {1: Struct("<Q"), 10: Struct("<I"), 11: Struct("<I")}  # R_X86_64_64, _32, _32S
_PLACES = frozenset((1, 17, 21))  # R_X86_64_64, _DTPOFF64, _DTPOFF32
_ABSENT: Any = (None, 0, 0)
_ZSTD = b"\2\0\0\0"  # ELFCOMPRESS_ZSTD
_LONGEST = 32  # no debug section has a longer name
_RATIO = 1100
"""zlib cannot make more than 1032 bytes of one; a header that claims more is broken."""

UNITS = (b".debug_info", b".debug_types")
_WANTED = {
    *UNITS, b".debug_abbrev", b".debug_str", b".debug_line_str", b".debug_str_offsets", b".debug_line",
}  # fmt: skip


class DebugSections:
    """`units` are the name and bytes of every `.debug_info` and `.debug_types`; `tables` the other sections by name.

    `suffix` is `.dwo` for the sections that split DWARF keeps apart (DWARF 5 section 7.3.2); names are without it.
    """

    __slots__ = (
        "_addressed", "_data", "_line", "_moved", "abbreviations", "files", "name", "notes", "suffix", "tables",
        "units",
    )  # fmt: skip

    def __init__(self, data: bytes, name: str, suffix: bytes = b"") -> None:
        self.units: list[tuple[str, bytes]] = []
        self.tables: dict[str, bytes] = {}
        self.abbreviations: dict[tuple[int, int, int, bool], dict[int, Abbreviation]] = {}
        self.files: dict[tuple[int, int], dict[int, str]] = {}
        self.name = name
        self.notes: list[str] = []
        self.suffix = suffix
        self._data = data
        self._moved: list[Row | None] = []
        self._addressed: Row | None = None
        self._line: tuple[Row, bytes, Row | None, list[Row]] | None = None
        headers = _headers(data, name)
        relocations = {row[7]: row for row in headers if row[1] == _RELOCATIONS}
        index = int.from_bytes(data[62:64], "little")
        index = headers[0][6] if index == 0xFFFF and headers else index
        names = headers[index] if index < len(headers) else None
        for number, row in enumerate(headers):
            label = _label(data, names, row[0])
            plain = b".debug" + label[7:] if label.startswith(b".zdebug") else label
            if not plain.endswith(suffix):
                continue
            plain = plain[: len(plain) - len(suffix)]
            if plain == b".debug_addr":
                self._addressed = relocations.get(number)
            if plain not in _WANTED or row[1] == _NOBITS:
                continue
            if row[2] & _COMPRESSED and data[row[4] : row[4] + 4] == _ZSTD:
                self.notes.append(f"{label.decode()} is compressed with zstd, which is not read; compile with -gz=zlib")
                continue
            if plain == b".debug_line":
                self._line = (row, label, relocations.get(number), headers)
                continue
            content = self._read(row, label, relocations.get(number), headers)
            if plain in UNITS:
                self.units.append((plain.decode(), content))
                self._moved.append(relocations.get(number))
            else:
                self.tables.setdefault(plain.decode(), content)

    def _read(self, row: Row, label: bytes, relocations: Row | None, headers: list[Row]) -> bytes:
        content = _content(self._data, row, label, self.name)
        return content if relocations is None else _relocate(self._data, content, relocations, headers, self.name)

    def addresses(self, section: int | None) -> dict[int, tuple[int, int]]:
        """The (symbol's index, addend) of every address in a section of `units`, or in `.debug_addr`, by its offset.

        Addresses of variables, code, and thread-local storage: R_X86_64_64, _DTPOFF64, _DTPOFF32.
        """
        row = self._addressed if section is None else self._moved[section]
        table = b"" if row is None else _slice(self._data, row, self.name)
        rows = _RELA.iter_unpack(table[: len(table) // 24 * 24])
        return {site: (word >> 32, addend) for site, word, addend in rows if word & 0xFFFFFFFF in _PLACES}

    def line_table(self) -> bytes:
        """The bytes of `.debug_line`, which only listings of files need."""
        return self._read(*self._line) if self._line else b""


def _headers(data: bytes, name: str) -> list[Row]:
    if data[:6] != b"\x7fELF\x02\x01" or len(data) < 64:
        raise BadObjectError(name, "debug information of another kind of file", data[:6].hex(), "ELF header")
    start = int.from_bytes(data[40:48], "little")
    size, count = int.from_bytes(data[58:60], "little"), int.from_bytes(data[60:62], "little")
    if start and not count and start + 64 <= len(data):  # gABI: more than 65279 sections
        count = _SECTION.unpack_from(data, start)[5]
    if size != 64 or start + count * 64 > len(data):
        raise BadObjectError(name, "section headers run past the end", f"{count} of {size} bytes", hex(start))
    return list(_SECTION.iter_unpack(data[start : start + 64 * count]))


def _label(data: bytes, names: Row | None, offset: int) -> bytes:
    if names is None:
        return b""
    start = names[4] + offset
    end = data.find(b"\0", start, start + _LONGEST)
    return data[start:end] if end >= 0 else b""


def _slice(data: bytes, row: Row, name: str) -> bytes:
    if row[4] + row[5] > len(data):
        raise BadObjectError(name, "debug section runs past the end", f"{row[5]} bytes", hex(row[4]))
    return data[row[4] : row[4] + row[5]]


def _content(data: bytes, row: Row, label: bytes, name: str) -> bytes:
    content = _slice(data, row, name)
    if row[2] & _COMPRESSED:  # Elf64_Chdr: ch_type, ch_reserved, ch_size, ch_addralign
        kind, size = int.from_bytes(content[:4], "little"), int.from_bytes(content[8:16], "little")
        if kind != 1:
            raise BadObjectError(name, "debug section compressed in an unknown way", f"ch_type {kind}", label.decode())
        content = content[24:]
    elif label.startswith(b".zdebug") and content[:4] == b"ZLIB":
        size, content = int.from_bytes(content[4:12], "big"), content[12:]
    else:
        return content
    if size > _RATIO * len(content) + 64:
        raise BadObjectError(name, "debug section claims an impossible size", f"{size} bytes", label.decode())
    import zlib

    try:
        found = zlib.decompressobj().decompress(content, size + 1)
    except zlib.error as error:
        raise BadObjectError(name, "debug section does not decompress", str(error), label.decode()) from error
    if len(found) != size:
        raise BadObjectError(name, "debug section has another size", f"{len(found)} of {size} bytes", label.decode())
    return found


def _relocate(data: bytes, content: bytes, row: Row, headers: list[Row], name: str) -> bytes:
    symbols = _slice(data, headers[row[6]], name)
    patched = bytearray(content)
    rows = _slice(data, row, name)
    rules: dict[int, tuple[Callable[[bytearray, int, int], None], int, int] | None] = {}
    try:
        for site, word, addend in _RELA.iter_unpack(rows[: len(rows) // 24 * 24]):
            rule = rules.get(word, _ABSENT)
            if rule is _ABSENT:  # few symbols, nearly all of sections: a rule per symbol and type is made once
                field = _ABSOLUTE.get(word & 0xFFFFFFFF)
                start = 24 * (word >> 32) + 8
                value = int.from_bytes(symbols[start : start + 8], "little")
                rule = rules[word] = (field.pack_into, value, (1 << 8 * field.size) - 1) if field else None
            if rule is not None:
                write, value, mask = rule
                write(patched, site, value + addend & mask)
    except StructError:
        raise BadObjectError(name, "relocation outside its debug section", hex(site), hex(row[4])) from None
    return bytes(patched)
