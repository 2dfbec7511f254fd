"""Our tables in memory against dlsym and against readelf."""

import ctypes
import os
import subprocess

import pytest

from rtlinker.host.loaded import dynamic_symbols, find_in_library, loaded_libraries

PROCESS = ctypes.CDLL(None)
PROCESS.dlsym.argtypes, PROCESS.dlsym.restype = [ctypes.c_void_p, ctypes.c_char_p], ctypes.c_void_p
PROCESS.dlvsym.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
PROCESS.dlvsym.restype = ctypes.c_void_p

TYPES = {"FUNC": "function", "OBJECT": "data", "TLS": "tls", "IFUNC": "ifunc", "NOTYPE": "notype"}
BINDINGS = {"GLOBAL": "global", "WEAK": "weak", "UNIQUE": "unique"}

LD_SO = "ld-linux-x86-64.so.2"

ctypes.CDLL("libm.so.6")


def library_named(name):
    return next(library for library in loaded_libraries() if library.name == name)


def handle_of(library):
    # dlsym finds nothing through a handle of ld.so itself, whose symbols are in the global scope anyway
    in_global_scope = library.is_program or library.name == LD_SO
    return ctypes.CDLL(None if in_global_scope else library.path)._handle


@pytest.mark.parametrize("library", [library.name for library in loaded_libraries()])
def test_every_default_version_is_where_dlsym_finds_it(library):
    library = library_named(library)
    handle = handle_of(library)
    columns = dynamic_symbols(library)
    different = []
    # libc comes before ld.so in the global scope and has some of its names
    elsewhere = dynamic_symbols(library_named("libc.so.6")).default_rows if library.name == LD_SO else ()
    for name, row in columns.default_rows.items():
        if columns.types[row] == "tls" or name in elsewhere:
            continue  # dlsym gives the calling thread's copy of a TLS variable
        found = find_in_library(library, name).address
        if found != PROCESS.dlsym(handle, name.encode()):
            different.append(name)
    assert different == []
    assert columns.names


@pytest.mark.parametrize("library", ["libc.so.6", "libm.so.6"])
def test_every_version_is_where_dlvsym_finds_it(library):
    library = library_named(library)
    handle = handle_of(library)
    columns = dynamic_symbols(library)
    different = []
    for name, version, type_ in zip(columns.names, columns.versions, columns.types):
        if version is not None and type_ != "tls":
            found = find_in_library(library, name, version)
            if found.address != PROCESS.dlvsym(handle, name.encode(), version.encode()):
                different.append((name, version))
    assert different == []


@pytest.mark.parametrize("library", ["libc.so.6", "libm.so.6"])
def test_columns_are_what_readelf_prints(library):
    library = library_named(library)
    command = ["readelf", "--dyn-syms", "-W", os.path.realpath(library.path)]
    expected = set()
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        words = line.split()
        if len(words) < 8 or words[4] not in BINDINGS or words[6] in ("UND", "ABS"):
            continue
        name, at, version = words[7].partition("@")
        base = 0 if words[3] == "TLS" else library.base
        address, size = base + int(words[1], 16), int(words[2], 0)
        default = not at or version.startswith("@")
        row = (name, address, size, TYPES[words[3]], BINDINGS[words[4]], version.lstrip("@") or None, default)
        expected.add(row)
    columns = dynamic_symbols(library)
    assert set(zip(*(getattr(columns, field) for field in type(columns)._fields))) == expected
    assert len(expected) > 500
