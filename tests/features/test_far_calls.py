"""A call that does not reach its target goes through a stub, whatever relocation asks for it."""

import pytest

import rtlinker

FAR = "static int t[3] = { 1, 2, 3 }; int far(int i) { return t[i]; }"
NEAR = "\n.data\n.reloc ., R_X86_64_PC32, optind\n.long 0\n.text"
"""Must lie near libc, so that the image cannot go where the far function is."""
CALLS = {
    "PLT32": "call far@PLT",
    "PC32": ".byte 0xe8\n.reloc ., R_X86_64_PC32, far-4\n.long 0" + NEAR,
    "PC32 jump": "add $8, %rsp\n.byte 0xe9\n.reloc ., R_X86_64_PC32, far-4\n.long 0" + NEAR,
    "PLTOFF64": "lea _GLOBAL_OFFSET_TABLE_(%rip), %rcx\nmovabs $far@PLTOFF, %rax\nadd %rcx, %rax\ncall *%rax",
}


@pytest.mark.parametrize("kind", CALLS)
def test_a_far_function_is_called(compile, in_child, kind):
    far = compile(FAR, flags="-fno-pic")
    path = compile(f".globl call\ncall: sub $8, %rsp\n{CALLS[kind]}\nadd $8, %rsp\nret\n", "asm")

    def call():
        low = rtlinker.load(far)
        library = rtlinker.load(path, symbols={"far": low.address("far")})
        distance = library.address("call") - low.address("far")
        return library.function("call", "int(int)")(1), distance > 1 << 31

    assert in_child(call) == (2, True)


def test_a_far_datum_is_a_clear_error_and_never_a_wrong_value(compile, in_child):
    far = compile("int variable = 5;" + FAR, flags="-fno-pic")
    path = compile("extern int variable, optind; int get(void) { return variable + optind; }", flags="-fno-pic")

    def call():
        low = rtlinker.load(far)
        with pytest.raises(rtlinker.RelocationError) as caught:
            rtlinker.load(path, symbols={"variable": low.address("variable")})
        return caught.value.site.rpartition(" in ")[2], "variable" in caught.value.target

    assert in_child(call) == ("get", True)


def test_an_image_goes_where_it_reaches_the_data_it_names(compile, in_child):
    far = compile("int variable = 5;" + FAR, flags="-fno-pic")
    path = compile("extern int variable; int get(void) { return variable; }", flags="-fno-pic")

    def call():
        low = rtlinker.load(far)
        return rtlinker.load(path, symbols={"variable": low.address("variable")}).get()

    assert in_child(call) == 5
