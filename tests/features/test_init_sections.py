"""Pieces of `.init` and `.fini` are one function each, and run where the dynamic linker runs them."""

import ctypes
import subprocess

import pytest

import rtlinker
from tests.support.compile import run

PIECES = """
.section .init,"ax"
mov ${0}, %edi
call note@PLT
.p2align 4
mov ${1}, %edi
call note@PLT
.section .fini,"ax"
mov ${2}, %edi
call note@PLT
.text
a: mov ${3}, %edi
jmp note@PLT
b: mov ${4}, %edi
jmp note@PLT
.section .init_array,"aw",@init_array
.quad a
.section .fini_array,"aw",@fini_array
.quad b
"""
NOTE = '#include <stdio.h>\nvoid note(int n) { printf("%d\\n", n); fflush(stdout); }'
OWN = ".globl {0}\n.type {0},@function\n.text\n{0}: mov ${1}, %edi\njmp note@PLT\n"


def part(base):
    return PIECES.format(*range(base, base + 5))


def ours(*paths):
    seen = []
    rtlinker.load(*paths, symbols={"note": (seen.append, "void(int)")}).unload()
    return seen


def opened(library):
    """What the functions of a shared library print when it is opened and closed."""
    text = f"import _ctypes; _ctypes.dlclose(_ctypes.dlopen({str(library)!r}, 2))"
    ran = subprocess.run(["python3", "-c", text], capture_output=True, text=True, check=True)
    return [int(line) for line in ran.stdout.split()]


def test_the_order_is_that_of_a_shared_library_made_by_gcc(compile, in_child, tmp_path):
    one, two, note = compile(part(10), "asm"), compile(part(20), "asm"), compile(NOTE, flags="-fPIC")
    run("gcc", "-shared", one, two, note, "-o", tmp_path / "lib.so")
    wanted = opened(tmp_path / "lib.so")
    assert wanted == [10, 11, 20, 21, 13, 23, 24, 14, 12, 22]
    assert in_child(ours, one, two) == wanted


def test_objects_may_bring_crti_and_crtn(compile, in_child, tmp_path):
    one, two = compile(part(10), "asm"), compile(part(20), "asm")
    crti, crtn = (run("gcc", f"-print-file-name={name}").strip() for name in ("crti.o", "crtn.o"))
    note = compile(NOTE, flags="-fPIC")
    run("ld", "-shared", crti, one, two, note, crtn, "-o", tmp_path / "lib.so")
    assert in_child(ours, crti, one, two, crtn) == opened(tmp_path / "lib.so")


@pytest.mark.parametrize("framed", [True, False])
def test_a_function_of_that_name_is_what_runs(compile, in_child, tmp_path, framed):
    path = compile(OWN.format("_init", 1) + (OWN.format("_fini", 2) if framed else ""), "asm")
    run("ld", "-shared", path, compile(NOTE, flags="-fPIC"), "-o", tmp_path / "lib.so")
    assert in_child(ours, path) == opened(tmp_path / "lib.so")


def test_init_runs_with_the_arguments_and_an_aligned_stack(compile, in_child):
    path = compile(
        '.section .init,"ax"\nmov %edi, count(%rip)\nmov %rsp, stack(%rip)\n.bss\n'
        ".globl count, stack\n.type count,@object\n.type stack,@object\n.size count,4\n.size stack,8\n"
        "stack: .quad 0\ncount: .long 0\n",
        "asm",
    )

    def call():
        library = rtlinker.load(path)
        read = ctypes.c_uint64.from_address(library.address("stack")).value
        return ctypes.c_int.from_address(library.address("count")).value > 0, read % 16

    assert in_child(call) == (True, 0)


def test_a_datum_of_the_name_is_not_the_function(compile, in_child):
    path = compile(
        ".data\n.globl _init\n_init: .quad 7\n"
        '.section .init,"ax",@progbits\nmov $1, %edi\ncall note\n'
        ".text\n.globl get\nget: mov _init(%rip), %rax\nret\n",
        "asm",
    )

    def call():
        seen = []
        library = rtlinker.load(path, symbols={"note": (seen.append, "void(int)")})
        return seen, library.function("get", "long(void)")()

    assert in_child(call) == ([1], 7)
