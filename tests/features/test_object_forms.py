"""Objects as different tools leave them: linked with -r, at an address, stripped of debug information, compressed."""

import pytest

import rtlinker
from tests.support.compile import run

ONE = "static int n = 2; int one(void) { return n++ - 1; }"
TWO = """
int one(void);
int two(void) { return one() + 1; }
static int (*const table[])(void) = { one, two };
int (*get(int i))(void) { return table[i]; }
"""


def call(name, *paths):
    return rtlinker.load(*paths).function(name, "int(void)")()


def test_the_output_of_ld_r_links(compile, in_child, tmp_path):
    run("ld", "-r", compile(ONE), compile(TWO), "-o", tmp_path / "both.o")
    assert in_child(lambda: rtlinker.load(tmp_path / "both.o").two()) == 2


def test_section_addresses_in_an_object_are_ignored(compile, in_child, tmp_path):
    path = compile(TWO)
    run("objcopy", "--change-section-address", ".text=0x10000", compile(ONE), tmp_path / "moved.o")
    assert in_child(lambda: rtlinker.load(path, tmp_path / "moved.o").two()) == 2


@pytest.mark.parametrize("option", ["--strip-debug", "--strip-unneeded", "--compress-debug-sections=zlib"])
def test_objects_without_or_with_compressed_debug_information_link(compile, in_child, tmp_path, option):
    objects = [compile(ONE), compile(TWO)]
    for path in objects:
        run("objcopy", option, path)

    assert in_child(call, "two", *objects) == 2


@pytest.mark.parametrize(
    "flags", ["-gz=zlib", "-gdwarf-4", "-gdwarf-5", "-gsplit-dwarf", "-ggdb3", "-flto -ffat-lto-objects"]
)
def test_every_kind_of_debug_information_is_linked_past(compile, in_child, flags):
    path = compile(ONE, flags=flags)
    assert in_child(call, "one", path) == 1


@pytest.mark.parametrize("compiler", ["gcc", "clang", "tcc"])
@pytest.mark.parametrize("flags", ["-O0", "-O2"])
def test_objects_of_several_compilers_call_each_other(compile, in_child, compiler, flags):
    one, two = compile(ONE, flags=flags, compiler=compiler), compile(TWO, flags=flags)
    assert in_child(call, "two", one, two) == 2


def test_an_unwind_section_of_its_own_type_is_taken(compile, in_child):
    path = compile(".globl f\nf: .cfi_startproc\nmov $3, %eax\nret\n.cfi_endproc\n", "asm", compiler="clang")
    assert b".eh_frame" in path.read_bytes()
    assert (0x70000001).to_bytes(4, "little") in path.read_bytes()
    assert in_child(call, "f", path) == 3
