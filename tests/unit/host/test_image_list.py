"""The machine code of image_list against the assembly beside it."""

from rtlinker.host.image_list import ITERATE, POINTERS
from rtlinker.units import PAGE
from tests.support.compile import run


def test_the_bytes_are_those_of_the_assembly(tmp_path):
    text = "\n".join([".intel_syntax noprefix", *(line for _, line in ITERATE), f".org {PAGE}"])
    text += "".join(f"\n{name}: .quad 0" for name in POINTERS)
    (tmp_path / "x.s").write_text(text + "\n")
    run("as", "-o", tmp_path / "x.o", tmp_path / "x.s")
    run("objcopy", "-O", "binary", "-j", ".text", tmp_path / "x.o", tmp_path / "x.bin")
    code = bytes.fromhex("".join(row for row, _ in ITERATE))
    assert (tmp_path / "x.bin").read_bytes()[: len(code) + 1] == code + b"\0"
