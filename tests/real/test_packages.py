"""Archives of real packages, as a user of them would call them."""

import ctypes
import os
import sqlite3
import zlib

import pytest

import rtlinker
from rtlinker.host.search import find_library, search_directories


def package(name):
    """The path of an archive of a Debian -dev package."""
    for directory in search_directories():
        path = os.path.join(directory, name)
        if os.path.exists(path):
            return path
    pytest.skip(f"{name} is missing")


def round_trip(data):
    with rtlinker.load(package("libz.a")) as library:
        compress = library.function("compress", "int(void *, unsigned long *, const void *, unsigned long)")
        uncompress = library.function("uncompress", "int(void *, unsigned long *, const void *, unsigned long)")
        packed, length = bytearray(len(data) + 1000), (ctypes.c_ulong * 1)(len(data) + 1000)
        first = compress(packed, length, data, len(data))
        small = bytes(packed[: length[0]])
        back, size = bytearray(len(data)), (ctypes.c_ulong * 1)(len(data))
        theirs = zlib.compress(data, 6)
        second = uncompress(back, size, theirs, len(theirs))
        return first, second, small, bytes(back)


def test_zlib_compresses_a_megabyte_that_python_can_read_and_reads_what_python_compressed(in_child):
    data = os.urandom(1 << 10) * 512 + bytes(range(256)) * 2048
    first, second, small, back = in_child(round_trip, data)
    assert (first, second) == (0, 0)
    assert len(small) < len(data)
    assert zlib.decompress(small) == data
    assert back == data


def test_crc32_of_the_archive_is_pythons(rtlinker_command):
    ended = rtlinker_command("load", package("libz.a"), "crc32", "0", "hello", "5")
    assert (ended.code, ended.stdout) == (0, f"{zlib.crc32(b'hello')}\n")


def test_only_the_members_that_crc32_needs_are_linked(in_child):
    def pulled():
        with rtlinker.load(package("libz.a")) as library:
            library.address("crc32")
            return [pull.member.rpartition("(")[2] for pull in library.linker.pulls()]

    assert in_child(pulled) == ["crc32.o)"]


def rows_of(sql):
    with rtlinker.load(package("libsqlite3.a"), libraries=["m"]) as library:
        handle, rows = (ctypes.c_void_p * 1)(), []

        def each(_, count, values, names):
            rows.append({names[at]: values[at] for at in range(count)})
            return 0

        opened = library.function("sqlite3_open", "int(const char *, void **)")(":memory:", handle)
        execute = library.function(
            "sqlite3_exec", "int(void *, const char *, int (*)(void *, int, char **, char **), void *, char **)"
        )
        code = execute(handle[0], sql, each, None, None)
        closed = library.function("sqlite3_close", "int(void *)")(handle[0])
        version = library.function("sqlite3_libversion", "const char *(void)")()
        return opened, code, closed, rows, version


def test_sqlite_calls_a_python_function_for_every_row(in_child):
    sql = "create table t (a int, b text); insert into t values (1, 'one'), (2, 'two'); select a, b from t order by a"
    opened, code, closed, rows, version = in_child(rows_of, sql)
    assert (opened, code, closed) == (0, 0, 0)
    assert rows == [{"a": "1", "b": "one"}, {"a": "2", "b": "two"}]
    assert version.count(".") == 2


def test_sqlite_loaded_here_and_pythons_own_are_two_libraries(in_child):
    def both():
        with rtlinker.load(package("libsqlite3.a"), libraries=["m"]) as library:
            ours = library.function("sqlite3_libversion", "const char *(void)")()
            memory = sqlite3.connect(":memory:")
            return ours, memory.execute("select sqlite_version()").fetchone()[0]

    ours, theirs = in_child(both)
    assert ours
    assert theirs


def script_results(script):
    with rtlinker.load(package("liblua5.4.a"), libraries=["m"]) as lua:
        state = lua.function("luaL_newstate", "void *(void)")()
        lua.function("luaL_openlibs", "void(void *)")(state)
        text = lua.function("luaL_checklstring", "const char *(void *, int, void *)")
        push = lua.function("lua_pushinteger", "void(void *, long)")
        heard = []

        def listen(inner):
            heard.append(text(inner, 1, None))
            push(inner, len(heard))
            return 1

        lua.function("lua_pushcclosure", "void(void *, int (*)(void *), int)")(state, listen, 0)
        lua.function("lua_setglobal", "void(void *, const char *)")(state, "listen")
        loaded = lua.function("luaL_loadstring", "int(void *, const char *)")(state, script)
        ran = lua.function("lua_pcallk", "int(void *, int, int, int, long, void *)")(state, 0, 0, 0, 0, None)
        lua.function("lua_close", "void(void *)")(state)
        return loaded, ran, heard


def test_a_lua_script_calls_a_python_function(in_child):
    script = "local n = listen('hello ' .. math.floor(7.5)); listen(string.rep('x', n + 2))"
    assert in_child(script_results, script) == (0, 0, ["hello 7", "xxx"])


def test_the_math_library_is_found_as_ld_finds_it():
    assert os.path.basename(find_library("m")).startswith("libm.so")
