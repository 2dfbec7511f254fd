"""What no file of the link defines is looked for in the process: also in libraries that were loaded RTLD_LOCAL."""

import ctypes
import os

import rtlinker

MAIN = "int from_library(void); int call(void) { return from_library() + 1; }"


def test_a_library_that_was_loaded_locally_serves(compile, shared, in_child):
    path, library = compile(MAIN), shared("int from_library(void) { return 5; }", "liblocal.so")

    def call():
        ctypes.CDLL(str(library), mode=os.RTLD_LOCAL)
        return rtlinker.load(path).call()

    assert in_child(call) == 6


def test_the_objects_of_the_link_win_over_the_process(compile, in_child):
    path = compile("int getpid(void) { return -5; } int call(void) { return getpid(); }", flags="-fPIC")
    assert in_child(lambda: rtlinker.load(path).call()) == -5


def test_an_archive_of_the_link_wins_over_the_process(compile, archive, in_child):
    path, library = (
        compile("int getpid(void); int call(void) { return getpid(); }"),
        archive("l.a", compile("int getpid(void) { return -6; }")),
    )
    assert in_child(lambda: rtlinker.load(path, library).call()) == -6


def test_libraries_are_found_by_name(compile, in_child):
    path = compile("double nearbyint(double); double call(double x) { return nearbyint(x); }")
    assert in_child(lambda: rtlinker.load(path, libraries=["m"]).call(2.75)) == 3.0


def test_an_archive_is_found_by_name_in_a_directory(compile, archive, in_child, tmp_path):
    path = compile(MAIN)
    archive("libmine.a", compile("int from_library(void) { return 50; }"))
    assert in_child(lambda: rtlinker.load(path, libraries=["mine"], directories=[str(tmp_path)]).call()) == 51


def test_the_python_interpreters_own_api_can_be_called(compile, in_child):
    path = compile("int Py_IsInitialized(void); int call(void) { return Py_IsInitialized(); }")
    assert in_child(lambda: rtlinker.load(path).call()) == 1
