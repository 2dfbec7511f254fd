"""An archive may have two members of one name; each is a member of its own."""

import rtlinker


def test_both_members_are_linked(compile, archive, in_child):
    one = compile("int one(void) { return 1; }", name="x/same.o")
    two = compile("int one(void); int two(void) { return one() + 1; }", name="y/same.o")
    path = archive("libsame.a", one, two, mode="qcs")

    def call():
        return rtlinker.load(path).two(), len(
            rtlinker.load(whole_archives=[path]).linker.images[0].image.resolution.objects
        )

    assert in_child(call) == (2, 2)
