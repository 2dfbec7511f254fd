"""The libraries of this process and their tables in memory."""

import ctypes
import mmap
import os
import struct
import subprocess

import pytest

from rtlinker.host import library_list, loaded, symbol_tables
from rtlinker.host.elf_files import dynamic_table, map_elf
from rtlinker.host.loaded import dynamic_symbols, find_in_library, library_at, loaded_libraries, size_at
from tests.support.shared import address_of, close_shared, compile_shared, open_shared

SOURCE = """
__thread long before; __thread int counter = 7;
int table[5] = {1, 2, 3, 4, 5};
__attribute__((weak)) int weakling(void) { return 1; }
__attribute__((visibility("hidden"))) int hidden_one(void) { return 2; }
static int chosen(void) { return 42; }
static void *choose(void) { return chosen; }
int picked(void) __attribute__((ifunc("choose")));
int plain(void) { return hidden_one() + picked(); }
__asm__(".globl table_alias\\n.type table_alias,@object\\n.size table_alias,8\\n.set table_alias,table\\n");
"""


def library_of(path):
    return next((library for library in loaded_libraries() if library.path == str(path)), None)


@pytest.fixture
def sample(tmp_path):
    path = compile_shared(tmp_path / "libsample.so", SOURCE, "-Wl,-soname,libsample.so.3")
    handle = open_shared(path)
    yield path, handle, library_of(path)
    close_shared(handle)


def test_the_program_comes_first():
    first = loaded_libraries()[0]
    assert (first.is_program, first.path) == (True, os.readlink("/proc/self/exe"))


def test_every_library_mapped_for_execution_is_listed():
    mapped = set()
    with open("/proc/self/maps") as lines:
        for line in lines:
            if "r-xp" in line and "/" in line and "memfd:" not in line:
                mapped.add(line.split(None, 5)[5].strip())
    assert mapped == {os.path.realpath(library.path) for library in loaded_libraries()} & mapped
    assert mapped


def test_a_library_is_called_by_its_soname(sample):
    assert sample[2].name == "libsample.so.3"


def test_a_library_without_soname_is_called_by_its_file(tmp_path):
    handle = open_shared(compile_shared(tmp_path / "nameless.so", "int x;"))
    try:
        assert library_of(tmp_path / "nameless.so").name == "nameless.so"
    finally:
        close_shared(handle)


def test_base_is_what_the_link_map_says(sample):
    _, handle, library = sample
    l_addr, _, l_ld = struct.unpack("<QQQ", ctypes.string_at(handle._handle, 24))
    assert (library.base, library.dynamic) == (l_addr, l_ld)


def test_the_vdso_is_listed_only_on_request():
    assert [library.is_vdso for library in loaded_libraries(vdso=True)].count(True) == 1
    assert not any(library.is_vdso for library in loaded_libraries())


def test_the_vdso_has_symbols_although_nobody_relocated_its_tables():
    vdso = next(library for library in loaded_libraries(vdso=True) if library.is_vdso)
    assert "__vdso_clock_gettime" in dynamic_symbols(vdso).names


def test_a_library_that_was_closed_is_listed_no_more(tmp_path):
    path = compile_shared(tmp_path / "libgone.so", "int gone;")
    handle = open_shared(path)
    seen = library_of(path)
    close_shared(handle)
    assert seen is not None
    assert library_of(path) is None


def test_a_closed_library_answers_nothing(tmp_path):
    path = compile_shared(tmp_path / "libgone.so", "int gone;")
    handle = open_shared(path)
    seen = library_of(path)
    assert find_in_library(seen, "gone")
    close_shared(handle)
    assert find_in_library(seen, "gone") is None
    assert dynamic_symbols(seen).names == ()


def test_a_rebuilt_library_at_the_same_path_is_read_anew(tmp_path):
    path = tmp_path / "libnew.so"
    sizes = []
    for count in (1, 2):
        handle = open_shared(compile_shared(path, f"int grown[{count}];"))
        sizes.append(find_in_library(library_of(path), "grown").size)
        close_shared(handle)
        path.unlink()
    assert sizes == [4, 8]


def test_a_function_is_found_where_dlsym_finds_it(sample):
    _, handle, library = sample
    found = find_in_library(library, "plain")
    assert (found.address, found.type, found.binding) == (address_of(handle, "plain"), "function", "global")


def test_data_has_its_size_in_bytes(sample):
    found = find_in_library(sample[2], "table")
    assert (found.type, found.size) == ("data", 20)


def test_a_weak_definition_says_so(sample):
    assert find_in_library(sample[2], "weakling").binding == "weak"


def test_a_tls_symbol_has_its_offset_in_the_block(sample):
    offsets = {find_in_library(sample[2], name).address for name in ("before", "counter")}
    assert offsets == {0, 8}
    assert find_in_library(sample[2], "counter").type == "tls"
    assert sample[2].tls_module > 0


def test_an_ifunc_has_the_address_of_what_was_chosen(sample):
    _, handle, library = sample
    found = find_in_library(library, "picked")
    assert (found.address, found.type, found.size) == (address_of(handle, "picked"), "ifunc", 0)


def test_an_ifunc_is_resolved_without_ld_so_too(sample, monkeypatch):
    _, handle, library = sample
    monkeypatch.setattr(loaded, "_ask", lambda *_: 0)
    assert find_in_library(library, "picked").address == address_of(handle, "picked")


def test_what_is_hidden_is_not_found(sample):
    assert find_in_library(sample[2], "hidden_one") is None


def test_a_hidden_symbol_left_in_the_dynamic_table_is_not_found(tmp_path):
    path = compile_shared(tmp_path / "libq.so", "int first(void) { return 1; }")
    raw = bytearray(path.read_bytes())
    table = dynamic_table(map_elf(path))
    name = bytes(table.strings).index(b"\0first\0") + 1
    entry = struct.pack("<IBB", name, 0x12, 0)
    assert raw.count(entry) == 1
    raw[raw.index(entry) + 5] = 2  # ld makes such symbols local, other linkers need not
    path.write_bytes(raw)
    handle = open_shared(path)
    try:
        assert address_of(handle, "first") is None
        assert find_in_library(library_of(path), "first") is None
    finally:
        close_shared(handle)


def test_what_a_library_only_needs_is_not_found_in_it(sample):
    assert find_in_library(sample[2], "__cxa_finalize") is None


def test_the_size_at_an_address_is_that_of_the_largest_alias(sample):
    _, _, library = sample
    alias = find_in_library(library, "table_alias")
    assert (alias.size, size_at(library, alias.address)) == (8, 20)


def test_no_symbol_starts_inside_another(sample):
    assert size_at(sample[2], find_in_library(sample[2], "table").address + 4) == 0


@pytest.mark.parametrize("style", ["gnu", "sysv"])
def test_either_hash_table_finds_every_symbol(tmp_path, style):
    names = [f"name_{number}" for number in range(300)]
    source = "".join(f"int {name}(void) {{ return 0; }}\n" for name in names)
    path = compile_shared(tmp_path / "libmany.so", source, f"-Wl,--hash-style={style}")
    handle = open_shared(path)
    try:
        library = library_of(path)
        assert [find_in_library(library, name).address for name in names] == [
            address_of(handle, name) for name in names
        ]
        assert find_in_library(library, "name_300") is None
        assert set(names) <= set(dynamic_symbols(library).names)
    finally:
        close_shared(handle)


@pytest.fixture
def versioned(tmp_path):
    source = """
    __asm__(".symver old, f@V1"); __asm__(".symver new, f@@V2");
    int old(void) { return 1; } int new(void) { return 2; } int unversioned_name;
    """
    (tmp_path / "map").write_text("V1 { }; V2 { global: f; unversioned_name; local: *; } V1;")
    path = compile_shared(tmp_path / "libversions.so", source, f"-Wl,--version-script={tmp_path}/map")
    handle = open_shared(path)
    yield handle, library_of(path)
    close_shared(handle)


def test_without_a_version_the_default_is_found(versioned):
    handle, library = versioned
    found = find_in_library(library, "f")
    assert (found.version, found.address) == ("V2", address_of(handle, "f"))


def test_with_a_version_exactly_that_is_found(versioned):
    _, library = versioned
    assert find_in_library(library, "f", "V1").version == "V1"
    assert find_in_library(library, "f", "V1").address != find_in_library(library, "f").address


def test_a_version_nobody_defined_is_not_found(versioned):
    assert find_in_library(versioned[1], "f", "V3") is None


def test_a_library_without_versions_answers_to_any(sample):
    assert find_in_library(sample[2], "plain", "V9").version is None


def test_columns_hold_each_version_and_which_is_the_default(versioned):
    columns = dynamic_symbols(versioned[1])
    rows = {
        (name, version, default) for name, version, default in zip(columns.names, columns.versions, columns.defaults)
    }
    assert {("f", "V1", False), ("f", "V2", True)} <= rows


def test_the_base_version_is_no_version(tmp_path):
    (tmp_path / "map").write_text("V1 { global: f; };")
    path = compile_shared(tmp_path / "libq.so", "int f; int g;", f"-Wl,--version-script={tmp_path}/map")
    handle = open_shared(path)
    try:
        library = library_of(path)
        assert [find_in_library(library, name).version for name in ("f", "g")] == ["V1", None]
    finally:
        close_shared(handle)


def test_version_names_are_no_symbols(versioned):
    assert not {"V1", "V2"} & set(dynamic_symbols(versioned[1]).names)


def test_default_rows_lead_to_the_default_version(versioned):
    columns = dynamic_symbols(versioned[1])
    assert columns.versions[columns.default_rows["f"]] == "V2"


def test_an_address_belongs_to_the_library_that_holds_it(sample):
    _, handle, library = sample
    assert library_at(address_of(handle, "plain")) == library


def test_memory_of_no_library_belongs_to_none():
    with mmap.mmap(-1, 4096) as memory:
        assert library_at(ctypes.addressof(ctypes.c_char.from_buffer(memory))) is None


def test_the_collector_is_the_assembly_beside_it(tmp_path):
    source = ".intel_syntax noprefix\n" + "\n".join(text for _, text in library_list.COLLECT) + "\n"
    subprocess.run(["as", "-", "-o", tmp_path / "c.o"], input=source, text=True, check=True)
    subprocess.run(["objcopy", "-O", "binary", "-j.text", tmp_path / "c.o", tmp_path / "c.bin"], check=True)
    assert (tmp_path / "c.bin").read_bytes().hex(" ") == " ".join(code for code, _ in library_list.COLLECT)


def test_the_list_is_whole_however_small_the_first_guess():
    assert library_list.library_records(2) == library_list.library_records(64)


def test_the_list_is_the_same_where_no_code_may_be_mapped(monkeypatch):
    native = library_list.library_records(64)
    monkeypatch.setattr(library_list, "_native_collector", lambda: None)
    monkeypatch.setattr(library_list, "_collector", None)
    assert library_list.library_records(64) == native


def test_a_table_outside_every_segment_is_no_table():
    span = symbol_tables.memory_span([])
    assert symbol_tables.read_table(0, {6: 0x1000, 5: 0x2000, 10: 64}, span) is None
