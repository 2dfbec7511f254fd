"""Our reader of the four hot tables against pyelftools, on objects of several compilers and of real packages."""

import glob
import io
import shutil
from struct import iter_unpack

import pytest
from elftools.elf.elffile import ELFFile

from rtlinker.elf.archive import read_archive
from rtlinker.elf.reader import read_object

SOURCE = """
inline int twice(int x) { return x * 2; }
int table[9]; static int s; int f(int x) { s = x; return twice(x) + table[1]; }
"""


def theirs(data):
    """Sections, symbols and relocations of allocated sections as pyelftools sees them."""
    elf = ELFFile(io.BytesIO(data))
    sections = [(s.name, s["sh_size"], s["sh_addralign"], s["sh_flags"]) for s in elf.iter_sections()]
    symtab = elf.get_section_by_name(".symtab")
    symbols = [(s.name, s["st_value"], s["st_size"]) for s in symtab.iter_symbols()]
    relocations = [
        (r["r_offset"], r["r_info_type"], r["r_info_sym"], r["r_addend"])
        for table in elf.iter_sections()
        if table["sh_type"] == "SHT_RELA" and elf.get_section(table["sh_info"])["sh_flags"] & 2
        for r in table.iter_relocations()
    ]
    return sections, symbols, relocations


def ours(data):
    object = read_object(data, "object")
    part = object.sections
    sections = list(zip(part.names, part.sizes, part.aligns, part.flags))
    entries = [object.symbols.symbol(index) for index in range(len(object.symbols))]
    symbols = [(entry.name, entry.value, entry.size) for entry in entries]
    relocations = [
        (offset, info & 0xFFFFFFFF, info >> 32, addend)
        for table in object.relocations
        for offset, info, addend in iter_unpack("<QQq", table.table)
    ]
    return sections, symbols, relocations


def nameless(symbols):
    """pyelftools names section symbols after their section; the table itself does not."""
    return [(value, size) for _, value, size in symbols], [name for name, _, _ in symbols if not name.startswith(".")]


def assert_same(data):
    mine, other = ours(data), theirs(data)
    assert mine[0] == other[0]
    assert nameless(mine[1])[0] == nameless(other[1])[0]
    assert [name for name in nameless(mine[1])[1] if name] == [name for name in nameless(other[1])[1] if name]
    assert mine[2] == other[2]


@pytest.mark.parametrize(
    ("compiler", "language"), [("gcc", "c"), ("clang", "c"), ("tcc", "c"), ("g++", "c++"), ("clang++", "c++")]
)
def test_objects_of_compilers_read_the_same(compile, compiler, language):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is missing")
    source = SOURCE.replace("inline", "static") if compiler == "tcc" else SOURCE
    assert_same(compile(source, language, compiler=compiler).read_bytes())


@pytest.mark.parametrize("name", ["libz.a", "liblua5.4.a", "libm-2.36.a"])
def test_members_of_real_archives_read_the_same(name):
    found = glob.glob(f"/usr/lib/x86_64-linux-gnu/{name}")
    if not found:
        pytest.skip(f"{name} is missing")
    with open(found[0], "rb") as file:
        archive = read_archive(file.read(), found[0])
    compared = 0
    for member in archive.members[:60]:
        data = bytes(archive.contents(member))
        if ELFFile(io.BytesIO(data)).get_section_by_name(".symtab"):
            assert_same(data)
            compared += 1
    assert compared > 10
