"""Objects with a section per function, and with more sections than a symbol's 16-bit field can name (SHN_XINDEX)."""

import rtlinker

COUNT = 70_000


def test_function_and_data_sections(compile, in_child):
    source = "static int n = 1; int zero; int a(void) { return n++; } int b(void) { return a() + zero; }"
    path = compile(source, flags="-ffunction-sections -fdata-sections")
    assert in_child(lambda: rtlinker.load(path).b()) == 1


def test_more_sections_than_sixteen_bits_can_number(compile, in_child):
    source = (
        "".join(
            f'.section .text.f{i},"ax"\n'
            + (f".globl f{i}\nf{i}: mov ${i}, %eax\nret\n" if i % 7000 == 0 or i == COUNT - 1 else "nop\n")
            for i in range(COUNT)
        )
        + f".text\n.globl last, at\nlast: jmp f{COUNT - 1}\n.data\nat: .quad f{COUNT - 1}\n.size at, 8\n"
    )
    path = compile(source, "asm")

    def call():
        library = rtlinker.load(path)
        functions = [library.function(name, "int(void)") for name in ("f0", "f63000", "f69999", "last")]
        return [function() for function in functions], int.from_bytes(
            bytes(library["at"].value), "little"
        ) == library.address("f69999")

    assert in_child(call) == ([0, 63000, 69999, 69999], True)
