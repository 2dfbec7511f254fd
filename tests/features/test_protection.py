"""No page of an image is ever writable and executable at once; code and constants cannot be written."""

import pytest

import rtlinker
from tests.support.child import mapped, memory_map

SOURCE = """
int puts(const char *);
int variable = 1, zero;
const int constant = 2;
int *const relocated = &variable;
int code(void) { return puts ? variable + constant + *relocated : 0; }
"""


@pytest.mark.parametrize("flags", ["-fPIC", "-fno-pic"])
def test_everything_has_the_protection_it_needs_and_no_more(compile, in_child, flags):
    path = compile(SOURCE, flags=flags)

    def call():
        before = [mapping for mapping in memory_map() if "w" in mapping.letters and "x" in mapping.letters]
        library = rtlinker.load(path)
        both = [mapping for mapping in memory_map() if "w" in mapping.letters and "x" in mapping.letters]
        names = ("code", "constant", "relocated", "variable", "zero")
        return library.code(), before, both, [mapped(library.address(name))[:3] for name in names]

    result, before, both, letters = in_child(call)
    assert (result, letters) == (4, ["r-x", "r--", "r--", "rw-", "rw-"])
    assert both == before


def test_a_section_that_is_writable_code_is_refused(compile, in_child):
    path = compile('.section both,"awx"\n.globl f\nf: ret\n', "asm")
    with pytest.raises(rtlinker.UnsupportedError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert caught.value.feature == "writable code"
