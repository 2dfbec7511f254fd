"""A thin archive names its members' files, counted from where the archive is, and nested archives too."""

import os

import rtlinker


def test_members_are_read_from_their_files_wherever_we_are(compile, archive, in_child, tmp_path):
    compile("int one(void) { return 1; }", name="sub/one.o")
    compile("int two(void) { return 2; }", name="sub/two.o")
    thin = archive("libthin.a", tmp_path / "sub/one.o", tmp_path / "sub/two.o", mode="rcsT")
    assert thin.read_bytes().startswith(b"!<thin>\n")

    def call(path, directory):
        os.chdir(directory)
        library = rtlinker.load(path)
        return library.one() + library.two()

    assert in_child(call, thin, "/") == 3
    assert in_child(call, "libthin.a", tmp_path) == 3


def test_members_of_a_nested_archive_are_found(compile, archive, in_child):
    inner = archive("libinner.a", compile("int deep(void) { return 7; }"), mode="rcsT")
    outer = archive("libouter.a", inner, compile("int shallow(void) { return 1; }"), mode="rcsT")

    def call():
        library = rtlinker.load(outer)
        return library.deep(), library.shallow()

    assert in_child(call) == (7, 1)
