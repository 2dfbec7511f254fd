"""Libraries on disk."""

import os
import shutil
import struct
import subprocess

import pytest

from rtlinker.host import ld_cache, search
from rtlinker.host.ld_cache import cached_libraries, parse_cache
from rtlinker.host.search import find_library, libgcc_archive, search_directories, who_has
from tests.support.shared import compile_shared


def archive(path):
    path.write_bytes(b"!<arch>\n")
    return str(path)


def test_the_directories_given_are_asked_first(tmp_path):
    path = compile_shared(tmp_path / "libm.so", "int x;")
    assert find_library("m", [str(tmp_path)]) == str(path)


def test_the_directories_are_asked_in_their_order(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        archive(tmp_path / name / "libq.a")
    assert find_library("q", [str(tmp_path / "two"), str(tmp_path / "one")]) == str(tmp_path / "two" / "libq.a")


def test_in_one_directory_the_shared_library_wins(tmp_path):
    path = compile_shared(tmp_path / "libq.so", "int x;")
    archive(tmp_path / "libq.a")
    assert find_library("q", [str(tmp_path)]) == str(path)


def test_an_archive_in_an_earlier_directory_wins_over_a_shared_library_in_a_later(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    path = archive(tmp_path / "one" / "libq.a")
    compile_shared(tmp_path / "two" / "libq.so", "int x;")
    assert find_library("q", [str(tmp_path / "one"), str(tmp_path / "two")]) == path


def test_a_colon_asks_for_a_file_of_that_name(tmp_path):
    path = archive(tmp_path / "odd.name")
    assert find_library(":odd.name", [str(tmp_path)]) == path


def test_a_library_nobody_has_is_not_found(tmp_path):
    assert find_library("nobody_has_this", [str(tmp_path), str(tmp_path / "missing")]) is None


def test_a_linker_script_that_lists_files_is_found_as_it_is(tmp_path):
    (tmp_path / "libq.so").write_text("/* GNU ld script */\nGROUP ( real.so.1 AS_NEEDED(b.so) )")
    assert find_library("q", [str(tmp_path)]) == str(tmp_path / "libq.so")


@pytest.mark.parametrize("contents", [b"", b"\x7fELF", b"\x7fELF\1" + bytes(80), b"some text", bytes(100)])
def test_a_file_that_is_no_library_is_passed_over(tmp_path, contents):
    (tmp_path / "libq.so").write_bytes(contents)
    path = archive(tmp_path / "libq.a")
    assert find_library("q", [str(tmp_path)]) == path


def test_another_machine_s_library_is_passed_over(tmp_path):
    path = compile_shared(tmp_path / "libq.so", "int x;")
    raw = bytearray(path.read_bytes())
    raw[18] = 183
    path.write_bytes(raw)
    assert find_library("q", [str(tmp_path)]) is None


def test_without_development_files_the_newest_runtime_library_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "cached_libraries", list)
    for version in ("2", "10", "9.1"):
        compile_shared(tmp_path / f"libq.so.{version}", "int x;")
    assert find_library("q", [str(tmp_path)]) == str(tmp_path / "libq.so.10")


def test_a_runtime_library_is_found_through_the_cache(tmp_path, monkeypatch):
    path = str(compile_shared(tmp_path / "elsewhere.so", "int x;"))
    monkeypatch.setattr(search, "cached_libraries", lambda: [("libq.so.1", path)])
    assert find_library("q") == path


@pytest.mark.parametrize("variable", ["LIBRARY_PATH", "LD_LIBRARY_PATH"])
def test_the_environment_s_directories_are_searched(tmp_path, monkeypatch, variable):
    path = archive(tmp_path / "libq.a")
    monkeypatch.setenv(variable, f"/nowhere:{tmp_path}")
    assert find_library("q") == path


def test_directories_come_once_each_and_exist():
    found = [os.path.realpath(directory) for directory in search_directories()]
    assert len(found) == len(set(found))
    assert all(os.path.isdir(directory) for directory in found)


def test_ld_so_conf_is_read_with_its_includes(tmp_path):
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "b.conf").write_text("/b # second\n")
    (tmp_path / "conf.d" / "a.conf").write_text("/a\n# nothing\n")
    (tmp_path / "conf.d" / "ignored.txt").write_text("/no\n")
    (tmp_path / "ld.so.conf").write_text(f"/first\ninclude conf.d/*.conf\ninclude {tmp_path}/ld.so.conf\n/last")
    found = search._configured(str(tmp_path / "ld.so.conf"), 0)
    assert found[:3] == ["/first", "/a", "/b"]
    assert found[-1] == "/last"


def test_libgcc_is_the_compiler_s_own():
    said = subprocess.run(["gcc", "-print-libgcc-file-name"], capture_output=True, text=True, check=True).stdout.strip()
    assert os.path.realpath(libgcc_archive()) == os.path.realpath(said)


def test_the_newest_gcc_is_chosen_by_number(tmp_path, monkeypatch):
    for version in ("9", "12", "12.2.0"):
        (tmp_path / "x86_64-linux-gnu" / version).mkdir(parents=True)
        archive(tmp_path / "x86_64-linux-gnu" / version / "libgcc.a")
    monkeypatch.setattr(search, "GCC", str(tmp_path))
    assert libgcc_archive() == f"{tmp_path}/x86_64-linux-gnu/12.2.0/libgcc.a"


def test_without_gcc_there_is_no_libgcc(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "GCC", str(tmp_path))
    assert libgcc_archive() is None


def test_the_mathematical_library_has_the_cosine():
    assert [os.path.basename(path) for path in who_has(["cos"])["cos"]] == ["libm.so.6"]


def test_a_name_nobody_defines_is_left_out():
    assert who_has(["cos", "nobody_defines_this"]).keys() == {"cos"}


def test_what_a_library_only_needs_it_does_not_have(tmp_path, monkeypatch):
    path = compile_shared(tmp_path / "libq.so", "int puts(const char *); int mine(void) { return puts(0); }")
    monkeypatch.setattr(search, "cached_libraries", lambda: [("libq.so", str(path))])
    assert who_has(["puts", "mine"]) == {"mine": [str(path)]}


def test_two_names_of_one_file_count_once(tmp_path, monkeypatch):
    path = compile_shared(tmp_path / "libq.so", "int mine;")
    os.symlink(path, tmp_path / "libr.so")
    paths = [str(path), str(tmp_path / "libr.so")]
    monkeypatch.setattr(search, "cached_libraries", lambda: [("x", path) for path in paths])
    assert who_has(["mine"]) == {"mine": [str(path)]}


def test_without_a_cache_the_directories_are_listed(tmp_path, monkeypatch):
    path = compile_shared(tmp_path / "libq.so", "int mine;")
    monkeypatch.setattr(search, "cached_libraries", list)
    monkeypatch.setattr(search, "search_directories", lambda: [str(tmp_path)])
    assert who_has(["mine"]) == {"mine": [str(path)]}


def test_an_interposer_is_named_last(tmp_path, monkeypatch):
    paths = [str(compile_shared(tmp_path / name, "int mine;")) for name in ("libasan.so.8", "libowner.so")]
    monkeypatch.setattr(search, "cached_libraries", lambda: [("x", path) for path in paths])
    assert who_has(["mine"])["mine"] == paths[::-1]


def test_damaged_libraries_never_raise(tmp_path, monkeypatch):
    raw = compile_shared(tmp_path / "libq.so", "int mine; int other(void) { return mine; }").read_bytes()
    paths = []
    for place in range(16, 0x400, 4):
        damaged = bytearray(raw)
        damaged[place : place + 4] = b"\xff\xff\xff\x7f"
        paths.append(tmp_path / f"libq{place}.so")
        paths[-1].write_bytes(damaged)
    for size in range(0, len(raw), 257):
        paths.append(tmp_path / f"libcut{size}.so")
        paths[-1].write_bytes(raw[:size])
    monkeypatch.setattr(search, "cached_libraries", lambda: [("x", str(path)) for path in paths])
    found = who_has(["mine", "other", "third"])
    assert 0 < len(found["mine"]) < len(paths)
    assert "third" not in found


@pytest.mark.skipif(not shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin"), reason="ldconfig is missing")
def test_the_cache_holds_what_ldconfig_prints():
    command = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin")
    printed = subprocess.run([command, "-p"], capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    rows = [line.strip().split(" => ") for line in printed if "(libc6,x86-64" in line]
    expected = {(name.split(" (")[0], path) for name, path in rows}
    assert set(cached_libraries()) == expected
    assert expected


def cache(strings=b"libq.so.1\0/lib/libq.so.1\0", flags=0x0303, name=0, path=10, count=1):
    head = ld_cache.MAGIC + struct.pack("<II20x", count, len(strings))
    base = len(head) + 24
    return head + struct.pack("<iIIIQ", flags, base + name, base + path, 0, 0) + strings


def test_an_entry_is_soname_and_path():
    assert parse_cache(cache()) == [("libq.so.1", "/lib/libq.so.1")]


def test_offsets_count_from_the_new_header_in_a_cache_of_both_formats():
    assert parse_cache(b"ld.so-1.7.0\0" + bytes(52) + cache()) == [("libq.so.1", "/lib/libq.so.1")]


def test_other_machines_entries_are_left_out():
    assert parse_cache(cache(flags=0x0803)) == []


@pytest.mark.parametrize("damage", [{"name": 10**6}, {"path": 2**31}, {"strings": b"unterminated"}])
def test_entries_that_point_outside_are_left_out(damage):
    assert parse_cache(cache(**damage)) == []


def test_a_count_beyond_the_file_reads_what_is_there():
    assert ("libq.so.1", "/lib/libq.so.1") in parse_cache(cache(count=2**32 - 1))


def test_a_missing_cache_is_an_empty_one(tmp_path):
    assert cached_libraries(str(tmp_path / "missing")) == []
