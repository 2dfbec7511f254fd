"""GOTPCRELX: a load through the GOT of a target in reach becomes the address itself; others keep their slot."""

import ctypes

import pytest

import rtlinker

SOURCE = """
.globl load, load_rex, call, jump, test, offset, target, value
load:     mov value@GOTPCREL(%rip), %eax
          ret
load_rex: mov value@GOTPCREL(%rip), %r9
          mov (%r9), %eax
          ret
call:     sub $8, %rsp
          call *target@GOTPCREL(%rip)
          add $8, %rsp
          ret
jump:     jmp *target@GOTPCREL(%rip)
test:     xor %eax, %eax
          cmp value@GOTPCREL(%rip), %rax
          setne %al
          ret
offset:   movzbl value@GOTPCREL+1(%rip), %eax
          ret
target:   mov $42, %eax
          ret
.data
value:    .long 7
"""
CODE = {
    "load": (0, b"\x8d\x05"),  # mov to lea
    "load_rex": (0, b"\x4c\x8d\x0d"),
    "call": (4, b"\x67\xe8"),
    "jump": (0, b"\xe9"),
    "test": (2, b"\x48\x3b\x05"),  # not rewritten
}


@pytest.fixture
def path(compile):
    return compile(SOURCE, "asm")


def test_instructions_in_reach_do_without_the_slot(path, in_child):
    def call():
        library = rtlinker.load(path)
        return {name: ctypes.string_at(library.address(name) + at, len(code)) for name, (at, code) in CODE.items()}

    assert in_child(call) == {name: code for name, (_, code) in CODE.items()}


def test_the_rewritten_code_does_what_it_did(path, in_child):
    def call():
        library = rtlinker.load(path)
        results = {name: library.function(name, "int(void)")() for name in ("load_rex", "call", "jump", "test")}
        low = library.function("load", "unsigned(void)")() == library.address("value") & 0xFFFFFFFF
        return results, low

    assert in_child(call) == ({"load_rex": 7, "call": 42, "jump": 42, "test": 1}, True)


def test_an_addend_other_than_minus_four_reads_the_slot(path, in_child):
    def call():
        library = rtlinker.load(path)
        return library.function("offset", "int(void)")(), library.address("value") >> 8 & 0xFF

    result, second_byte_of_the_slot = in_child(call)
    assert result == second_byte_of_the_slot


def test_a_mov_whose_addend_is_not_minus_four_is_not_rewritten(compile, in_child):
    source = ".globl high, value\nhigh: mov value@GOTPCREL+4(%rip), %eax\nret\n.data\nvalue: .long 7\n"
    path = compile(source, "asm")

    def call():
        library = rtlinker.load(path)
        code = ctypes.string_at(library.address("high"), 2)
        return code, library.function("high", "unsigned(void)")() == library.address("value") >> 32

    assert in_child(call) == (b"\x8b\x05", True)


def test_a_far_target_is_reached_through_the_slot(compile, in_child):
    far = compile("static int t[3] = { 1, 2, 3 }; int target(int i) { return t[i]; }", flags="-fno-pic")
    path = compile(".globl jump\njump: jmp *target@GOTPCREL(%rip)\n", "asm")

    def call():
        low = rtlinker.load(far)
        library = rtlinker.load(path, symbols={"target": low.address("target")})
        return ctypes.string_at(library.address("jump"), 2), library.function("jump", "int(int)")(2)

    assert in_child(call) == (b"\xff\x25", 3)


@pytest.mark.parametrize("engine", ["scalar", "native"])
@pytest.mark.parametrize("before", [0, 1])
def test_bytes_of_the_section_before_are_no_instruction_of_the_site(compile, in_child, before, engine):
    path = compile(
        ".globl target\ntarget: nop\n"
        f'.section .text.a,"ax"\n.globl first\nfirst: .byte {"0x8b, 0x05" if not before else "0x90, 0x8b"}\n'
        f'.section .text.b,"ax"\n{".byte 0x05" if before else ""}\n'
        ".reloc ., R_X86_64_GOTPCRELX, target - 4\n.long 0\n",
        "asm",
    )

    def call():
        linker = rtlinker.Linker()
        linker._engine = engine
        linker.load_object(path)
        linker.resolve()
        return ctypes.string_at(linker.lookup("first"), 3)

    assert in_child(call)[:2] == (b"\x90\x8b" if before else b"\x8b\x05")
