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
