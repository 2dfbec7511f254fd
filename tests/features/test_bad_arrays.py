"""Arrays of constructors hold addresses of code, 0 or -1; anything else is refused before anything runs."""

import pytest

import rtlinker

GOOD = '.section {0},"aw",@{1}\n.quad 0, f, -1, abs, weak\n.weak weak\n.text\nf: mov $5, %edi\njmp note@PLT\n'
BAD = GOOD + '.section {0},"aw"\n.quad {2}\n.data\ndatum: .quad 0\n'
ARRAYS = [(".init_array", "init_array"), (".fini_array", "fini_array"), (".ctors", "progbits")]


@pytest.mark.parametrize(("array", "kind"), ARRAYS)
def test_zero_and_minus_one_mean_nothing(compile, in_child, array, kind):
    path = compile(GOOD.format(array, kind), "asm")

    def call():
        seen = []
        rtlinker.load(path, symbols={"note": (seen.append, "void(int)")}).unload()
        return seen

    assert in_child(call) == [5]


@pytest.mark.parametrize("value", ["datum", "4096", "environ"])
@pytest.mark.parametrize(("array", "kind"), ARRAYS)
def test_an_entry_that_is_no_code_is_refused(compile, in_child, array, kind, value):
    path = compile(BAD.format(array, kind, value), "asm")

    def call():
        seen = []
        with pytest.raises(rtlinker.BadObjectError) as caught:
            rtlinker.load(path, symbols={"note": (seen.append, "void(int)")})
        return caught.value.where, seen

    assert in_child(call) == (f"{array}, entry 5", [])
