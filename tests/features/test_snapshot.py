"""What is loaded is a snapshot: overwriting or deleting the file afterwards changes nothing."""

import rtlinker

SOURCE = "static int n = %d; int a(void) { return n; } int b(void) { return n + 1; }"


def test_an_overwritten_object_stays_as_it_was(compile, in_child):
    path, other = compile(SOURCE % 1), compile(SOURCE % 50)

    def call():
        library = rtlinker.load(path)
        path.write_bytes(b"\xcc" * path.stat().st_size)
        first = library.a()
        path.write_bytes(other.read_bytes())
        return first, library.b(), rtlinker.load(path).a()

    assert in_child(call) == (1, 2, 50)


def test_an_archive_can_be_overwritten_before_its_members_are_pulled(compile, archive, in_child):
    path = archive("lib.a", compile(SOURCE % 1))

    def call():
        library = rtlinker.load(path)
        path.write_bytes(b"!<arch>\n")
        return library.a()

    assert in_child(call) == 1
