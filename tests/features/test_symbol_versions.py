"""A reference `name@VERSION` binds to that version of the process's symbol and to no other."""

import ctypes

import pytest

import rtlinker

SOURCE = """
.symver old_memcpy, memcpy@%s
.globl address, copy
address: mov old_memcpy@GOTPCREL(%%rip), %%rax
         ret
copy:    jmp old_memcpy@PLT
"""


def dlvsym(name, version):
    find = ctypes.CDLL(None).dlvsym
    find.restype, find.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
    return find(None, name, version)


@pytest.mark.parametrize("version", ["GLIBC_2.2.5", "GLIBC_2.14"])
def test_the_version_asked_for_is_bound(compile, in_child, version):
    path = compile(SOURCE % version, "asm")
    expected = dlvsym(b"memcpy", version.encode())

    def call():
        return rtlinker.load(path).function("address", "unsigned long(void)")()

    assert in_child(call) == expected


def test_a_version_that_nobody_has_is_undefined(compile, in_child):
    path = compile(SOURCE % "GLIBC_99", "asm")
    with pytest.raises(rtlinker.UndefinedSymbolsError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert [symbol.name for symbol in caught.value.symbols] == ["memcpy@GLIBC_99"]
