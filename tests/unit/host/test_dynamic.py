"""Questions to the dynamic linker."""

import ctypes

from elftools.elf.elffile import ELFFile

from rtlinker.host import dynamic


def test_the_counter_is_its_assembly(compile):
    with compile("\n".join(line for _, line in dynamic.COUNT), "asm").open("rb") as file:
        code = ELFFile(file).get_section_by_name(".text").data()
    assert code == bytes.fromhex("".join(code for code, _ in dynamic.COUNT))


def test_a_library_that_comes_is_counted(shared, in_child):
    path = str(shared("int x;", "libcounted.so"))

    def call():
        before = dynamic.libraries_added()
        assert dynamic.libraries_added() == before
        ctypes.CDLL(path)
        after = dynamic.libraries_added()
        ctypes.CDLL(path)
        return after - before, dynamic.libraries_added() - after

    assert in_child(call) == (1, 0)


def test_a_library_is_found_only_when_it_is_loaded(shared, in_child):
    path = str(shared("int x;", "libasked.so"))

    def call():
        before = dynamic.loaded_library(path, [])
        ctypes.CDLL(path)
        return before, bool(dynamic.loaded_library(path, []))

    assert in_child(call) == (None, True)
