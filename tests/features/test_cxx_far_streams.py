"""iostream in each code model: what reaches std::cout through the GOT works, what wants it in 32 bits is refused."""

import pytest

import rtlinker

SOURCE = """
#include <iostream>
extern "C" int run() { std::cout << "text " << 4.5 << std::hex << 255 << std::endl; return std::cout.good(); }
"""


@pytest.mark.parametrize("flags", ["-fPIC", "-fPIE", "-fno-plt -fPIC", "-mcmodel=medium -fPIC", "-mcmodel=large"])
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_cout_writes(compile, rtlinker_command, compiler, flags):
    path = compile(SOURCE, "c++", flags.split(), compiler)
    ended = rtlinker_command("load", path, "run")
    assert (ended.stdout, ended.code) == ("text 4.5ff\n1\n", 0)


def test_cout_in_32_bits_is_refused_with_the_remedy(compile, in_child):
    path = compile(SOURCE, "c++", ["-fno-pic"])
    with pytest.raises(rtlinker.RelocationError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert "std::cout (_ZSt4cout)" in caught.value.target
    assert "compile with -fPIC" in caught.value.hint
    assert "-fPIE" in caught.value.hint
    assert "static archive" in caught.value.hint
    assert caught.value.site.endswith("in run")
    assert str(caught.value).count("std::cout (_ZSt4cout)") == 1


OVERFLOW = "namespace device { extern char memory[]; char *where() { return memory; } }"
KEEPS_LIBSTDCXX = "#include <string>\nstd::string text() { return std::string(20, 65); }"


def test_an_overflow_shows_cxx_names_as_people_write_them(compile, in_child):
    path, keeper = compile(OVERFLOW, "c++", ["-fno-pic"]), compile(KEEPS_LIBSTDCXX, "c++")

    def call():
        rtlinker.load(keeper)
        rtlinker.load(path, symbols={"_ZN6device6memoryE": 0x123456789000})

    with pytest.raises(rtlinker.RelocationOverflowError) as caught:
        in_child(call)
    assert caught.value.target == "device::memory (_ZN6device6memoryE) = 0x123456789000 (given by the caller)"
    assert caught.value.site.endswith(") in device::where()")
    assert f"target  {caught.value.target}" in str(caught.value)
