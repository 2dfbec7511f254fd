"""What is not an object is a BadObjectError or an OSError that names the file, whichever way it comes in."""

import os

import pytest

import rtlinker
from tests.support.compile import run


@pytest.fixture
def files(compile, shared, tmp_path):
    source = "int main(void) { return 0; }"
    path = compile(source, name="good.o")
    run("gcc", path, "-o", tmp_path / "program")
    (tmp_path / "empty.o").write_bytes(b"")
    (tmp_path / "text.o").write_text("hello, this is text and no object\n" * 10)
    (tmp_path / "cut.o").write_bytes(path.read_bytes()[:-100])
    machine = bytearray(path.read_bytes())
    machine[18] = 183  # EM_AARCH64
    (tmp_path / "arm.o").write_bytes(machine)
    width = bytearray(path.read_bytes())
    width[4] = 1  # ELFCLASS32
    (tmp_path / "narrow.o").write_bytes(width)
    run("gcc", "-flto", "-c", tmp_path / "good.c", "-o", tmp_path / "lto.o")
    return tmp_path


@pytest.mark.parametrize("name", ["program", "empty.o", "text.o", "cut.o", "arm.o", "narrow.o"])
def test_a_file_that_is_no_object_is_a_bad_object(files, in_child, name):
    with pytest.raises(rtlinker.BadObjectError) as caught:
        in_child(lambda: rtlinker.load(files / name))
    assert caught.value.file == str(files / name)
    assert len(caught.value.headline) <= 72


def test_a_shared_library_is_not_an_object(shared, in_child):
    path = shared("int f(void) { return 1; }", "libf.so")
    with pytest.raises(rtlinker.BadObjectError):
        in_child(lambda: rtlinker.Linker().load_object(path))


@pytest.mark.parametrize(("name", "error"), [("missing.o", FileNotFoundError), (".", IsADirectoryError)])
def test_what_cannot_be_read_is_an_os_error_with_the_path(tmp_path, in_child, name, error):
    with pytest.raises(error) as caught:
        in_child(lambda: rtlinker.load(tmp_path / name))
    assert caught.value.filename == os.path.join(tmp_path, name).removesuffix("/.")


def test_a_broken_member_is_named_with_its_archive(files, archive, in_child):
    path = archive("lib.a", files / "cut.o", mode="qcS")
    with pytest.raises(rtlinker.BadObjectError) as caught:
        in_child(lambda: rtlinker.load(whole_archives=[path]))
    assert caught.value.file == f"{path}(cut.o)"


def test_an_object_with_only_intermediate_code_says_so(files, in_child):
    with pytest.raises(rtlinker.LinkError, match=r"(?i)lto|intermediate"):
        in_child(lambda: rtlinker.load(files / "lto.o").main())
