"""From bytes to an Object: the ELF header, the section headers, and where the tables are, all of it checked.

A linker must be strict where a viewer may be lenient: a table that lies is refused here, with the place in the file,
before any later stage can act on it. What is checked is what can be known without walking the tables: sizes, offsets,
links, alignments, names. The records of the symbol tables are checked when they are indexed (`elf.index`), those of
the relocation tables when they are scanned (`link.scan`); nothing reaches the process before both have passed.

Two things that look wrong are right and common. `ld -r` leaves non-zero sh_addr in relocatable output: in an object it
means nothing and is not read. clang types `.eh_frame` as SHT_X86_64_UNWIND, gcc as SHT_PROGBITS.
"""

from __future__ import annotations

from struct import iter_unpack, unpack_from

from rtlinker.elf.constants import (
    EHDR_SIZE,
    ELFCLASS64,
    ELFDATA2LSB,
    ELFMAG,
    EM_X86_64,
    ET_REL,
    EV_CURRENT,
    RELA_SIZE,
    SHDR_SIZE,
    SHF_ALLOC,
    SHN_XINDEX,
    SHT_CREL,
    SHT_GROUP,
    SHT_NOBITS,
    SHT_NOTE,
    SHT_REL,
    SHT_RELA,
    SHT_RELR,
    SHT_STRTAB,
    SHT_SYMTAB,
    SHT_SYMTAB_SHNDX,
    SYM_SIZE,
)
from rtlinker.elf.extents import check_sections, truncated
from rtlinker.elf.object import Group, Object, Relocations, Sections, Symbols, text_at
from rtlinker.errors import BadObjectError, UnsupportedError


def read_object(data: bytes, name: str) -> Object:
    """The object in `data`, whose bytes the result borrows.

    `name` is what errors call the file. Raises BadObjectError for anything that is not a well-formed ELF64 x86-64
    relocatable object, and UnsupportedError for REL tables (gABI chapters 4 and 5; psABI 4.1).
    """
    table_offset, count, names_index = _header(data, name)
    sections = _sections(data, name, table_offset, count, names_index)
    symbols, symtab = _symbols(data, name, sections)
    relocations = _relocations(data, name, sections, symtab)
    groups: tuple[Group, ...] = ()
    if SHT_GROUP in sections.types:
        from rtlinker.elf.groups import read_groups

        groups = read_groups(data, name, sections, symbols, symtab)
    return Object(name, data, sections, symbols, relocations, groups)


def _header(data: bytes, name: str) -> tuple[int, int, int]:
    """Where the section headers start in the file, how many there are, and which one holds their names."""
    if len(data) < EHDR_SIZE or data[:4] != ELFMAG:
        raise _not_an_object(data, name)
    ident = data[4], data[5], data[6]
    kind, machine, _, _, _, table_offset, _, _, _, _, entry, count, names_index = unpack_from(
        "<HHIQQQIHHHHHH", data, 16
    )
    if ident != (ELFCLASS64, ELFDATA2LSB, EV_CURRENT) or machine != EM_X86_64 or kind != ET_REL:
        raise _not_an_object(data, name)
    if not table_offset:
        raise BadObjectError(name, "object without section headers", "e_shoff 0", "ELF header")
    if entry != SHDR_SIZE:
        raise BadObjectError(name, "section headers of an unknown size", f"e_shentsize {entry}, not 64", "ELF header")
    if table_offset + SHDR_SIZE > len(data):
        raise truncated(name, "section headers", table_offset, SHDR_SIZE, len(data))
    # more than 65,279 sections: the real numbers stand in the null section's header (gABI, Sections)
    if not count:
        count = unpack_from("<Q", data, table_offset + 32)[0]
    if names_index == SHN_XINDEX:
        names_index = unpack_from("<I", data, table_offset + 40)[0]
    if table_offset + count * SHDR_SIZE > len(data):
        raise truncated(name, f"{count:,} section headers", table_offset, count * SHDR_SIZE, len(data))
    if not count or names_index >= count:
        raise BadObjectError(
            name, "section name table is not a section", f"e_shstrndx {names_index} of {count}", "ELF header"
        )
    return table_offset, count, names_index


def _not_an_object(data: bytes, name: str) -> BadObjectError:
    from rtlinker.elf.kind import file_kind

    kind = file_kind(data)
    return BadObjectError(name, "not an x86-64 relocatable object", kind.description, hint=_REMEDIES.get(kind.kind))


_REMEDIES = {
    "shared library": "a shared library is given with -l (also -l ./lib.so), libraries= or Linker.load_library",
    "executable": "an executable is already linked; load the objects it was made from",
    "llvm bitcode": "compile it to machine code first: clang -c file.bc, or build without -flto",
    "archive": "an archive was found where one object is expected",
}


def _sections(data: bytes, name: str, table_offset: int, count: int, names_index: int) -> Sections:
    rows = iter_unpack("<IIQQQQIIQQ", data[table_offset : table_offset + count * SHDR_SIZE])
    name_offsets, types, flags, _, offsets, sizes, links, infos, aligns, entsizes = zip(*rows)
    check_sections(data, name, (types, flags, offsets, sizes, links, aligns))
    if types[names_index] != SHT_STRTAB:
        raise BadObjectError(
            name,
            "section name table is not a string table",
            f"section type {types[names_index]:#x}",
            f"section {names_index}",
        )
    strings = _strings(data, name, offsets[names_index], sizes[names_index], names_index)
    if max(name_offsets) >= len(strings):
        index = next(i for i, at in enumerate(name_offsets) if at >= len(strings))
        raise BadObjectError(
            name, "section name outside its string table", f"sh_name {name_offsets[index]:#x}", f"section {index}"
        )
    names = tuple([text_at(strings, at) for at in name_offsets])
    if b".gnu.lto_.lto" in strings:
        from rtlinker.elf.slim import refuse_slim

        refuse_slim(data, name, names, offsets, sizes)
    return Sections(names, types, flags, offsets, sizes, links, infos, aligns, entsizes)


def _strings(data: bytes, name: str, offset: int, size: int, index: int) -> bytes:
    """A string table, which must end in NUL (gABI, String Table)."""
    strings = data[offset : offset + size]
    if not strings or strings[-1]:
        raise BadObjectError(name, "string table does not end in NUL", f"{size:#x} bytes", f"section {index}")
    return strings


def _symbols(data: bytes, name: str, sections: Sections) -> tuple[Symbols, int]:
    """The symbol table and its section index."""
    if SHT_SYMTAB not in sections.types:
        if _is_empty(sections):
            return Symbols(memoryview(bytes(SYM_SIZE)), b"\0", 1), 0
        raise BadObjectError(
            name,
            "object without a symbol table",
            "no SHT_SYMTAB section",
            hint="it was stripped; link the object as the compiler wrote it",
        )
    index = sections.types.index(SHT_SYMTAB)
    where = sections.title(index)
    size, entry, link, first = (
        sections.sizes[index],
        sections.entsizes[index],
        sections.links[index],
        sections.infos[index],
    )
    if sections.types.count(SHT_SYMTAB) > 1:
        raise BadObjectError(name, "object with two symbol tables", "SHT_SYMTAB twice", where)
    if entry != SYM_SIZE or size % SYM_SIZE or not size:
        raise BadObjectError(
            name, "symbol table is not made of 24-byte entries", f"{size:#x} bytes, sh_entsize {entry}", where
        )
    if link >= len(sections) or sections.types[link] != SHT_STRTAB:
        raise BadObjectError(name, "symbol table without a string table", f"sh_link {link}", where)
    if not 0 < first <= size // SYM_SIZE:
        raise BadObjectError(
            name, "symbol table lies about its local symbols", f"sh_info {first} of {size // SYM_SIZE}", where
        )
    table = memoryview(data)[sections.offsets[index] : sections.offsets[index] + size]
    strings = _strings(data, name, sections.offsets[link], sections.sizes[link], link)
    return Symbols(table, strings, first, _extended(data, name, sections, index, size // SYM_SIZE)), index


def _other_form(kind: int, name: str, where: str) -> UnsupportedError:
    """Relocations in a form that x86-64 objects do not use (psABI 4.4), which must not be overlooked."""
    facts = [("file", name), ("where", where)]
    if kind == SHT_REL:
        hint = "x86-64 objects use RELA (psABI 4.4); the producer of this file is at fault"
        return UnsupportedError("SHT_REL", "relocations without addends (REL)", facts, hint)
    hint = "compile without --crel; the psABI's form is RELA"
    return UnsupportedError("compact relocations", "relocations in a compact form (CREL or RELR)", facts, hint)


def _is_empty(sections: Sections) -> bool:
    """Whether the object holds nothing to link: assemblers write no symbol table for a source without any content.

    A note is no content: gcc -fcf-protection leaves .note.gnu.property in every object. The end of a function that
    crti.o begins needs no symbols: that is all that crtn.o has.
    """
    relocated = SHT_RELA in sections.types or SHT_REL in sections.types
    filled = [index for index in sections.allocated if sections.sizes[index]]
    types, names = sections.types, sections.names
    return not relocated and all(types[index] == SHT_NOTE or names[index] in {".init", ".fini"} for index in filled)


def _extended(data: bytes, name: str, sections: Sections, symtab: int, count: int) -> tuple[int, ...]:
    """The 32-bit section indices of SHT_SYMTAB_SHNDX, one per symbol; empty when there is no such table."""
    for index, kind in enumerate(sections.types):
        if kind == SHT_SYMTAB_SHNDX and sections.links[index] == symtab:
            if sections.sizes[index] != 4 * count:
                raise BadObjectError(
                    name,
                    "extended section indices are not one word per symbol",
                    f"{sections.sizes[index]:#x} bytes for {count:,} symbols",
                    sections.title(index),
                )
            return unpack_from(f"<{count}I", data, sections.offsets[index])
    return ()


def _relocations(data: bytes, name: str, sections: Sections, symtab: int) -> tuple[Relocations, ...]:
    """The relocation tables of sections that take memory; those of debug sections belong to the DWARF reader."""
    tables = []
    for index, kind in enumerate(sections.types):
        if kind not in {SHT_RELA, SHT_REL, SHT_CREL, SHT_RELR}:
            continue
        target, size = sections.infos[index], sections.sizes[index]
        if target >= len(sections) or not target:
            raise BadObjectError(
                name, "relocations of a section that is not there", f"sh_info {target}", sections.title(index)
            )
        if not sections.flags[target] & SHF_ALLOC or not size:
            continue
        if kind != SHT_RELA:
            raise _other_form(kind, name, sections.title(index))
        if sections.entsizes[index] != RELA_SIZE or size % RELA_SIZE:
            raise BadObjectError(
                name,
                "relocations are not 24-byte entries",
                f"{size:#x} bytes, sh_entsize {sections.entsizes[index]}",
                sections.title(index),
            )
        if sections.links[index] != symtab:
            raise BadObjectError(
                name,
                "relocations do not name the symbol table",
                f"sh_link {sections.links[index]}",
                sections.title(index),
            )
        if sections.types[target] == SHT_NOBITS:
            raise BadObjectError(
                name, "relocations of a section without contents", sections.names[target], sections.title(index)
            )
        table = memoryview(data)[sections.offsets[index] : sections.offsets[index] + size]
        tables.append(Relocations(target, table, index))
    return tuple(tables)
