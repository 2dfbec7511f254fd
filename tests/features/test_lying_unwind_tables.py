"""Unwind tables that lie are refused before any unwinder reads them, with the file and the place."""

import pytest

import rtlinker
from tests.support.child import memory_map

TRUE = """
  .text
f: ret
  .data
datum: .quad 0
  .section .eh_frame,"a",@progbits
cie: .long 1f - 0f
0: .long 0
  .byte {version}
  .string "{letters}"
  .uleb128 1
  .sleb128 -8
  .byte 16
  .uleb128 {augmentation}
  .byte {encoding}
  .byte 0xc, 7, 8, 0x90, 1
  .balign 4
1: .long {length}
2: .long {cie}
  .long {start}
  .long {size}
  .byte 0
  .balign 4
3:
  .globl f
  .type f, @function
"""
TRUTH = {
    "version": "1", "letters": "zR", "augmentation": "1", "encoding": "0x1b", "length": "3f - 2f", "cie": "2b - cie",
    "start": "f - .", "size": "1",
}  # fmt: skip
LIES = {
    "a version that does not exist": ({"version": "9"}, "version 9"),
    "a letter that nobody knows": ({"letters": "zX"}, "zX"),
    "a letter in front of the z": ({"letters": "Rz"}, "Rz"),
    "an augmentation that does not end": ({"augmentation": "99"}, "0x63 bytes of augmentation"),
    "an encoding that needs a base": ({"encoding": "0x3b"}, "0x3b"),
    "no encoding": ({"encoding": "0xff"}, "0xff"),
    "a pointer to no CIE": ({"cie": "2b - cie - 4"}, "CIE would be at 0x4"),
    "a pointer before the list": ({"cie": "0x1000"}, "CIE would be at"),
    "a range longer than the code": ({"size": "0x100000"}, "not the image's code"),
    "a range of data": ({"start": "datum - ."}, "not the image's code"),
    "a description without a range": ({"length": "4"}, ""),
}


def assembly(changes=()):
    return TRUE.format(**(TRUTH | dict(changes)))


def test_the_same_tables_are_taken_when_they_are_true(compile, in_child):
    path = compile(assembly(), "asm")
    assert in_child(lambda: rtlinker.load(path).function("f", "int(int)")(0)) is not None


@pytest.mark.parametrize("changes", [{"version": "3"}, {"start": "0", "size": "77"}], ids=str)
def test_other_forms_of_truth_are_taken(compile, in_child, changes):
    path = compile(assembly(changes), "asm")
    assert in_child(lambda: rtlinker.load(path).function("f", "int(int)")(0)) is not None


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_and_nothing_is_left(compile, in_child, lie):
    changes, found = LIES[lie]
    path, honest = compile(assembly(changes), "asm"), compile("int one(void) { return 1; }")

    def call():
        assert rtlinker.load(honest).one() == 1
        before = memory_map()
        with pytest.raises(rtlinker.BadObjectError) as raised:
            rtlinker.load(path)
        executable = [mapping for mapping in memory_map() if "x" in mapping.letters and mapping not in before]
        return raised.value, executable

    error, executable = in_child(call)
    assert (error.file, executable) == (str(path), [])
    assert ".eh_frame" in error.where
    assert found in error.found


def test_a_lie_does_not_harm_exceptions_of_others(compile, in_child):
    path = compile(assembly(LIES["a range of data"][0]), "asm")
    thrower = compile('extern "C" void thrower() { throw 3; }', "c++")

    def call():
        library = rtlinker.load(thrower, libraries=["stdc++"])
        for _ in range(3):
            with pytest.raises(rtlinker.BadObjectError):
                rtlinker.load(path)
        with pytest.raises(rtlinker.ForeignExceptionError) as raised:
            library.thrower()
        return raised.value.what

    assert in_child(call) == "3"


def test_a_list_that_goes_on_behind_its_end_is_refused(compile, in_child):
    ended = TRUE.format(**TRUTH) + ".long 0\n.long 20\n.zero 16\n"
    with pytest.raises(rtlinker.BadObjectError) as caught:
        in_child(lambda: rtlinker.load(compile(ended, "asm")))
    assert caught.value.headline == "frame descriptions do not fill .eh_frame"
