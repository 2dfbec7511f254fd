"""What lives how long: running calls, callbacks at exit, redefined names, and lookups that pull nothing."""

import ctypes
import subprocess
import sys

import pytest

import rtlinker


def test_a_library_whose_function_runs_is_not_unloaded(compile, in_child):
    path = compile("int run(void (*f)(void)) { f(); return 5; }")

    def call():
        library, seen = rtlinker.load(path), []

        def unload():
            for way in (library.unload, lambda: library.linker.unload(path)):
                with pytest.raises(rtlinker.LinkError, match="in use"):
                    way()
                seen.append(library.closed)

        return library.run(unload), seen, library.run(lambda: None)

    assert in_child(call) == (5, [False, False], 5)


def test_an_unloaded_object_is_gone_from_its_library(compile, in_child):
    path = compile("int f(void) { return 1; } static int s(void) { return 2; } int (*keep)(void) = s;")

    def call():
        library = rtlinker.load(path)
        function = library.f
        library.linker.unload(path)
        with pytest.raises(rtlinker.LinkError, match="unloaded"):
            function()
        return library.names(), "f" in library, "s" in library

    assert in_child(call) == ([], False, False)


def test_destructors_may_call_python_when_python_ends(compile):
    path = compile("extern void cb(void); __attribute__((destructor)) static void d(void) { cb(); } int v;")
    text = f"import rtlinker; rtlinker.load({str(path)!r}, symbols={{'cb': (lambda: print('called'), 'void(void)')}})"
    ran = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "called\n"), ran.stderr


def test_redefining_a_callback_keeps_the_one_in_use(compile, in_child):
    path = compile("extern int cb(void); int f(void) { return cb(); }")
    kind = ctypes.CFUNCTYPE(ctypes.c_int)

    def call():
        linker = rtlinker.Linker()
        linker.define("cb", kind(lambda: 1))
        linker.load_object(path)
        linker.resolve()
        linker.define("cb", kind(lambda: 2))
        others = [kind(lambda: 77) for _ in range(50)]
        return kind(linker.lookup("f"))(), len(others)

    assert in_child(call) == (1, 50)


def test_a_lookup_that_pulls_nothing_ends(compile, archive, in_child):
    path = archive("libq.a", compile("int qsort(void) { return 1; }", flags="-fno-builtin"))

    def call():
        linker = rtlinker.Linker(process_first=True)
        linker.load_archive(path)
        return bool(linker.lookup("qsort")), linker.images

    assert in_child(call) == (True, [])


def test_bytes_of_one_length_have_names_of_their_own(compile):
    data = compile("int a;").read_bytes()
    linker = rtlinker.Linker()
    assert linker.load_object(data) != linker.load_object(data)


def test_a_bad_array_leaves_the_object_waiting(compile, in_child):
    path = compile('.globl g\ng:\n.section .init_array,"aw",@init_array\n.long 1, 2, 3\n', "asm")

    def call():
        linker = rtlinker.Linker()
        linker.load_object(path)
        for _ in range(2):
            with pytest.raises(rtlinker.BadObjectError):
                linker.resolve()

    in_child(call)
