"""Code that needs a runtime of its compiler: sanitizers, coverage, profiling, OpenMP, atomics, the stack protector."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import rtlinker
from tests.support.child import CHECKOUT
from tests.support.compile import run

ANSWER = "int f(int x) { return x + 1; } int run(void) { return f(41); }"
HEAP = """
#include <stdlib.h>
int run(int n) { volatile int *p = malloc(16); p[n] = 42; int r = p[n]; free((void *)p); return r; }
"""
OPENMP = """
int run(void) {
    int n = 0, tasks = 0;
    #pragma omp parallel for reduction(+ : n)
    for (int i = 0; i < 32; i++) n++;
    #pragma omp parallel
    #pragma omp single
    for (int i = 0; i < 10; i++) {
        #pragma omp task shared(tasks)
        {
            #pragma omp atomic
            tasks++;
        }
    }
    return n + tasks;
}
"""
ATOMICS = """
#include <stdatomic.h>
struct big { long a, b, c; };
static _Atomic struct big shared; static _Atomic __int128 wide;
int run(void) {
    struct big x = {1, 2, 39}, y;
    atomic_store(&shared, x); y = atomic_load(&shared); wide = 3; wide += 0;
    return y.c + (int)wide;
}
"""

RUNTIMES = {
    "OpenMP: loops, reductions and tasks": (OPENMP, "-fopenmp", ["gomp"]),
    "atomics of any size": (ATOMICS, "", ["atomic"]),
    "coverage counters": (ANSWER, "--coverage", ["gcov"]),
    "profiling by mcount": (ANSWER, "-pg", []),
    "profiling by __fentry__": (ANSWER, "-pg -mfentry", []),
    "function instrumentation": (ANSWER, "-finstrument-functions", []),
    "the undefined-behaviour sanitizer": (ANSWER, "-fsanitize=undefined", ["ubsan"]),
    "the undefined-behaviour sanitizer by traps": (
        ANSWER,
        "-fsanitize=undefined -fsanitize-undefined-trap-on-error",
        [],
    ),
    "the leak sanitizer without its runtime": (ANSWER, "-fsanitize=leak", []),
    "control-flow enforcement": (ANSWER, "-fcf-protection=full", []),
}


@pytest.mark.parametrize("feature", RUNTIMES)
def test_code_with_its_runtime(compile, in_child, feature, tmp_path, monkeypatch):
    source, flags, libraries = RUNTIMES[feature]
    monkeypatch.chdir(tmp_path)
    path = compile(source, flags=flags.split())

    def call():
        with rtlinker.load(path, libraries=libraries) as library:
            return library.run()

    assert in_child(call) == 42


def test_coverage_is_written_at_unload(compile, in_child):
    path = compile(ANSWER, flags=["--coverage"])

    def call():
        with rtlinker.load(path, libraries=["gcov"]) as library:
            library.run()
        return path.with_suffix(".gcda").exists()

    assert in_child(call)


def test_threads_of_openmp_outlive_the_library_that_used_them(compile, in_child):
    path = compile(OPENMP, flags=["-fopenmp"])

    def call():
        for _ in range(3):
            with rtlinker.load(path, libraries=["gomp"]) as library:
                assert library.run() == 42
        return "libgomp" in Path("/proc/self/maps").read_text()

    assert in_child(call)  # where it is still mapped, its idle threads have code to return to


def test_undefined_behaviour_is_told(compile, rtlinker_command):
    path = compile("int run(int n) { return 2147483647 + n; }", flags=["-fsanitize=undefined"])
    ended = rtlinker_command("load", path, "run", "1", "-l", "ubsan")
    assert "signed integer overflow" in ended.stderr


HINTS = {
    "-fsanitize=address": ("gcc", "LD_PRELOAD=libasan.so"),
    "-fsanitize=thread": ("gcc", "LD_PRELOAD=libtsan.so"),
    "-fsanitize=memory": ("clang", "compile without -fsanitize=memory"),
    "-fsanitize=undefined": ("gcc", "add -l ubsan"),
    "--coverage": ("gcc", "add -l gcov"),
}


@pytest.mark.parametrize("flag", HINTS)
def test_a_missing_runtime_is_named(compile, in_child, flag):
    compiler, advice = HINTS[flag]
    path = compile("int run(int *p, int n) { p[n]++; return n + 1; }", flags=[flag, "-O0"], compiler=compiler)
    with pytest.raises(rtlinker.UndefinedSymbolsError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert advice in str(caught.value)


def test_a_missing_libatomic_is_the_first_advice(compile, in_child):
    with pytest.raises(rtlinker.UndefinedSymbolsError) as caught:
        in_child(lambda: rtlinker.load(compile(ATOMICS)))
    assert "add -l atomic" in str(caught.value)


@pytest.mark.parametrize("name", ["asan", "tsan"])
def test_a_sanitizer_that_comes_late_is_refused_and_not_opened(compile, in_child, name):
    path = compile(HEAP)
    with pytest.raises(rtlinker.UnsupportedError) as caught:
        in_child(lambda: rtlinker.load(path, libraries=[name]))
    assert caught.value.feature == "late sanitizer"
    assert f"LD_PRELOAD=lib{name}.so" in caught.value.hint


@pytest.mark.parametrize(("flag", "name"), [("address", "asan"), ("thread", "tsan")])
@pytest.mark.parametrize("asked", [False, True])
def test_sanitized_code_runs_when_its_runtime_was_preloaded(compile, flag, name, asked):
    path = compile(HEAP, flags=[f"-fsanitize={flag}", "-O0"])
    ended = _preloaded(name, "load", path, "run", "1", *(["-l", name] if asked else []))
    assert (ended.stdout, ended.returncode) == ("42\n", 0)


def test_a_preloaded_sanitizer_finds_an_overflow(compile):
    ended = _preloaded("asan", "load", compile(HEAP, flags=["-fsanitize=address", "-O0"]), "run", "4")
    assert "heap-buffer-overflow" in ended.stderr
    assert ended.returncode


def _preloaded(name, *words):
    library = Path(run("gcc", f"-print-file-name=lib{name}.so").strip()).resolve()
    environment = os.environ | {
        "LD_PRELOAD": str(library),
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONPATH": str(CHECKOUT),
    }
    command = [sys.executable, "-m", "rtlinker", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_a_smashed_stack_ends_in_the_usual_abort(compile, rtlinker_command):
    source = """
    #include <string.h>
    int run(int n) { char b[8]; memset(b, 65, n); __asm__ volatile("" : : "r"(b) : "memory"); return b[0]; }
    """
    path = compile(source, flags=["-fstack-protector-all"])
    assert rtlinker_command("load", path, "run", "8").stdout == "65\n"
    ended = rtlinker_command("load", path, "run", "64")
    assert ended.code == 128 + 6
    assert "stack smashing detected" in ended.stderr
    assert "SIGABRT" in ended.stderr


def test_trampolines_on_the_stack_are_refused(compile):
    source = """
    int apply(int (*f)(int), int x) { return f(x); }
    int run(int n) { int add(int x) { return n + x; } return apply(add, 2); }
    """
    with pytest.raises(rtlinker.UnsupportedError) as caught:
        rtlinker.load(compile(source))
    assert caught.value.feature == "executable stack"
    assert "nested functions" in caught.value.hint


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_every_indirect_target_is_marked_for_cet(compile, in_child, compiler):
    source = (
        "#include <stdlib.h>\nint own(void) { return 42; } void *both(int i) { return i ? (void *)own : (void *)abs; }"
    )
    path = compile(source, flags=["-fcf-protection=full", "-fno-pic"], compiler=compiler)

    def call():
        from ctypes import string_at

        library = rtlinker.load(path)
        both = library.function("both", "unsigned long(int)")
        return [string_at(both(which), 4) for which in (0, 1)]

    assert in_child(call) == [b"\xf3\x0f\x1e\xfa"] * 2


def test_coverage_of_clang_says_what_it_needs(compile):
    path = compile(ANSWER, flags=["--coverage"], compiler="clang")
    with pytest.raises(rtlinker.UndefinedSymbolsError) as caught:
        rtlinker.load(path)
    hints = {symbol.hint for symbol in caught.value.symbols if symbol.name.startswith("llvm_g")}
    assert all("libclang_rt.profile-x86_64.a" in hint for hint in hints)
    assert hints
