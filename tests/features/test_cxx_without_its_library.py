"""A C++ object needs no -l stdc++: the runtime that g++ links by itself is opened when nobody else has its names."""

import os
import subprocess
import sys

import rtlinker
from tests.support.child import CHECKOUT

SOURCE = '#include <string>\nextern "C" int length(const char *s) { return std::string(s).append("!").size(); }'
NEW = 'extern "C" int *make(void) { return new int(7); } extern "C" int call(void) { return *make(); }'


def test_the_runtime_is_opened_and_the_library_says_so(compile):
    path = compile(SOURCE, "c++")
    script = f"import rtlinker; l = rtlinker.load({str(path)!r}); print(l.length(b'four'), *l.notes)"
    command = [sys.executable, "-c", script]  # a process that has not loaded libstdc++ before us
    ran = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT, check=False)
    assert ran.stdout.startswith("5 libstdc++.so.6, the C++ runtime, was opened: it has ")


def test_the_command_says_no_more_of_the_runtime_than_gcc_does(compile, rtlinker_command):
    path = compile(SOURCE, "c++")
    assert rtlinker_command("load", path, "length", "four") == (0, "5\n", "")


def test_the_named_library_needs_no_note(compile, rtlinker_command):
    ended = rtlinker_command("load", compile(SOURCE, "c++"), "length", "four", "-l", "stdc++")
    assert (ended.code, ended.stdout, ended.stderr) == (0, "5\n", "")


def test_what_the_link_defines_is_not_taken_from_the_runtime(compile, in_child):
    own = "#include <stdlib.h>\nvoid *_Znwm(unsigned long n) { static int there[8]; return there; }"
    paths = compile(NEW, "c++", ["-O0"]), compile(own)

    def call():
        library = rtlinker.load(*paths)
        return library.call(), library.notes

    assert in_child(call) == (7, ())


def test_c_code_with_cleanups_gets_the_unwinder(compile, in_child):
    source = """
    static void up(int *n) { ++*n; }
    void outside(int *n) { *n += 10; }
    int call(void (*f)(int *)) { int seen = 0; { __attribute__((cleanup(up))) int n = 0; f(&seen); } return seen; }
    int run(void) { return call(outside); }
    """
    path = compile(source, flags=["-fexceptions", "-O0"])
    assert in_child(lambda: rtlinker.load(path).run()) == 10


def test_a_failed_load_opens_no_runtime_and_names_only_what_is_missing(compile):
    path = compile('void missing(); extern "C" int *make(void) { missing(); return new int; }', "c++")
    script = f"""
import rtlinker
try:
    rtlinker.load({str(path)!r})
except rtlinker.UndefinedSymbolsError as error:
    print([symbol.name for symbol in error.symbols], "libstdc++" in open("/proc/self/maps").read())
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=CHECKOUT, check=False)
    assert (ran.stdout, ran.stderr) == ("['_Z7missingv'] False\n", "")


def test_the_runtime_stays_for_later_links(compile, in_child):
    path = compile(SOURCE, "c++")

    def call():
        rtlinker.load(path).unload()
        with open(f"/proc/{os.getpid()}/maps") as maps:
            return "libstdc++" in maps.read(), rtlinker.load(path).length(b"four")

    assert in_child(call) == (True, 5)


def test_a_name_of_an_old_version_only_is_found_without_libgcc_a(compile, in_child, monkeypatch):
    source = 'int sse2(void) { __builtin_cpu_init(); return __builtin_cpu_supports("sse2") != 0; }'
    path = compile(source)
    monkeypatch.setattr("rtlinker.host.search.libgcc_archive", lambda: None)
    assert in_child(lambda: rtlinker.load(path).sse2()) == 1


def test_an_undefined_symbol_is_one_error_with_nothing_before_it(compile):
    path = compile('void missing(); extern "C" int *make(void) { missing(); return new int; }', "c++")
    script = f"import rtlinker\nrtlinker.load({str(path)!r})"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=CHECKOUT, check=False)
    assert (ran.stderr.count("Traceback"), ran.returncode) == (1, 1)
