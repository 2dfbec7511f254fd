"""The program's own .symtab: asked in small programs that embed nothing, through this Python's own file format code."""

import ctypes
import os
import subprocess
import sys

import pytest

from rtlinker.host import executable
from rtlinker.host.executable import find_in_executable, read_program_table
from rtlinker.host.loaded import find_in_library, loaded_libraries

SOURCE = """
__thread int per_thread = 3;
static int twice_static(void) { return 1; }
int exported(void) { return twice_static(); }
__attribute__((weak)) int weakling = 5;
static int lonely = 9;
int *keep(void) { return &lonely; }
static int in_both(void) { return 1; }
int (*keep_both)(void) = in_both;
int longer_name(void) { return 0; }
int main(void) { return per_thread; }
"""
SECOND = "static int twice_static(void) { return 2; } int also(void) { return twice_static(); } int in_both;"


def build(path, *flags):
    (path / "a.c").write_text(SOURCE)
    (path / "b.c").write_text(SECOND)
    out = path / "program"
    subprocess.run(["gcc", "-O0", "-g0", path / "a.c", path / "b.c", "-o", out, *flags], check=True)
    return out


def ask(monkeypatch, program, name, base=0):
    """The answer this process would give if `program` were its executable, loaded at `base`."""
    monkeypatch.setattr(executable, "_table", read_program_table(str(program)))
    monkeypatch.setattr(executable, "_is_read", True)
    first = loaded_libraries()[0]
    fields = {field: getattr(first, field) for field in type(first)._fields}
    monkeypatch.setattr(executable, "loaded_libraries", lambda: (type(first)(**fields | {"base": base}),))
    return find_in_executable(name)


def nm(program):
    rows = subprocess.run(["nm", program], capture_output=True, text=True, check=True).stdout.splitlines()
    return {row.split()[-1]: int(row.split()[0], 16) for row in rows if len(row.split()) == 3}


@pytest.mark.parametrize("flags", [("-pie",), ("-no-pie",)])
def test_addresses_are_the_file_s_plus_the_load_bias(monkeypatch, tmp_path, flags):
    program = build(tmp_path, *flags)
    assert ask(monkeypatch, program, "exported", 0x10000).address == nm(program)["exported"] + 0x10000


def test_this_python_s_start_is_where_the_loader_put_it():
    found = find_in_executable("_start")
    if found is None:
        pytest.skip("expected: this python is stripped, as Debian's is")
    header = ctypes.string_at(loaded_libraries()[0].segments[0].address, 32)
    bias = loaded_libraries()[0].base
    assert found.address == int.from_bytes(header[24:32], "little") + bias


def test_a_static_function_of_one_file_is_found_as_local(monkeypatch, tmp_path):
    found = ask(monkeypatch, build(tmp_path), "lonely")
    assert (found.binding, found.type, found.size) == ("local", "data", 4)


def test_a_static_function_of_two_files_is_not_guessed(monkeypatch, tmp_path):
    assert ask(monkeypatch, build(tmp_path), "twice_static") is None


def test_a_global_definition_comes_before_a_static_one(monkeypatch, tmp_path):
    found = ask(monkeypatch, build(tmp_path), "in_both")
    assert (found.binding, found.type) == ("global", "data")


def test_a_weak_definition_says_so(monkeypatch, tmp_path):
    assert ask(monkeypatch, build(tmp_path), "weakling").binding == "weak"


def test_a_tls_symbol_is_an_offset_and_says_so(monkeypatch, tmp_path):
    found = ask(monkeypatch, build(tmp_path), "per_thread", 0x10000)
    assert (found.type, found.address) == ("tls", 0)


def test_the_tail_of_another_name_is_not_the_name(monkeypatch, tmp_path):
    program = build(tmp_path)
    assert ask(monkeypatch, program, "longer_name") is not None
    assert ask(monkeypatch, program, "name") is None


def test_a_name_stored_as_the_tail_of_another_is_found(monkeypatch, tmp_path):
    program = build(tmp_path)
    renamed = tmp_path / "renamed"
    # objcopy merges string tails: `er_name` is stored inside `longer_name`
    subprocess.run(["objcopy", "--add-symbol", "er_name=.text:0,global,function", program, renamed], check=True)
    assert ask(monkeypatch, renamed, "er_name").type == "function"


def test_what_the_program_needs_is_not_found_in_it(monkeypatch, tmp_path):
    assert ask(monkeypatch, build(tmp_path), "__libc_start_main") is None


def test_an_empty_name_is_not_found():
    assert find_in_executable("") is None


def test_a_stripped_program_has_no_table(tmp_path):
    program = build(tmp_path)
    assert read_program_table(str(program)) is not None
    subprocess.run(["strip", program], check=True)
    assert read_program_table(str(program)) is None


@pytest.mark.parametrize("keep", [0, 1, 63, 64, 5000])
def test_a_truncated_program_has_no_table(tmp_path, keep):
    program = build(tmp_path)
    raw = program.read_bytes()
    (tmp_path / "cut").write_bytes(raw[:keep])
    assert len(raw) > keep
    assert read_program_table(str(tmp_path / "cut")) is None


def test_a_directory_or_a_missing_file_has_no_table(tmp_path):
    assert read_program_table(str(tmp_path)) is None
    assert read_program_table(str(tmp_path / "missing")) is None


def test_exported_and_full_table_agree_on_this_python():
    program = loaded_libraries()[0]
    full, exported = find_in_executable("_IO_stdin_used"), find_in_library(program, "_IO_stdin_used")
    if full is None or exported is None:
        assert os.path.realpath(sys.executable) == os.path.realpath(program.path)
    else:
        assert full.address == exported.address
