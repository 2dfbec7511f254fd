"""`load` and `Linker` refuse arguments that cannot be meant, and say what was meant."""

import os
import threading

import pytest

import rtlinker


@pytest.mark.parametrize("name", ["libraries", "directories", "whole_archives"])
def test_a_text_is_not_taken_apart(compile, name):
    with pytest.raises(TypeError, match=rf"{name}=\['x'\]"):
        rtlinker.load(compile("int f(void) { return 1; }"), **{name: "x"})


def test_symbols_must_be_a_mapping(compile):
    with pytest.raises(TypeError, match="symbols must be a mapping"):
        rtlinker.load(compile("int f(void) { return 1; }"), symbols=[1])


def test_there_must_be_something_to_load():
    with pytest.raises(TypeError, match="nothing to load"):
        rtlinker.load(symbols={"hook": 1})


def test_the_hint_for_a_missing_library_is_in_the_language_of_the_caller(compile, rtlinker_command):
    path = compile("int f(void) { return 1; }")
    with pytest.raises(rtlinker.LinkError) as caught:
        rtlinker.load(path, libraries=["nobody-has-this"])
    assert caught.value.hint == "add its directory with directories="
    assert "add its directory with -L" in rtlinker_command("load", path, "f", "-l", "nobody-has-this").stderr


def test_a_name_as_for_ld_gets_the_files_name():
    with pytest.raises(rtlinker.LinkError) as caught:
        rtlinker.Linker().load_library("stdc++")
    start, quote, path = caught.value.hint.rstrip('")').partition('load_library("')
    assert (start, bool(quote)) == ("what -l stdc++ means is ", True)
    assert os.path.exists(path)


def test_a_linker_says_what_it_has(compile, in_child):
    path = compile("int f(void) { return 1; }")

    def call():
        linker = rtlinker.Linker()
        linker.load_object(path)
        before = repr(linker)
        linker.resolve()
        after = repr(linker)
        linker.close()
        return before, after, repr(linker)

    assert in_child(call) == (
        "<rtlinker.Linker: 0 images, 1 object waiting>",
        "<rtlinker.Linker: 1 image, 0 objects waiting>",
        "<rtlinker.Linker, closed>",
    )


WAIT = "#include <unistd.h>\nint wait_for(int end) { char c; return read(end, &c, 1); }"


@pytest.mark.parametrize("kind", ["library", "linker"])
def test_the_exception_of_the_block_wins_over_a_refused_unload(compile, in_child, kind):
    path = compile(WAIT)

    def call():
        library = rtlinker.load(path)
        end, other = os.pipe()
        thread = threading.Thread(target=library.wait_for, args=(end,))
        text = ""
        try:
            with library if kind == "library" else library.linker:
                thread.start()
                while not library.linker.images[0].calls:
                    os.sched_yield()
                raise KeyError("mine")  # noqa: TRY301
        except KeyError as error:
            text = "\n".join(error.__notes__)
        os.close(other)
        thread.join()
        return text.partition("\n")[0], library.closed

    assert in_child(call) == ("not unloaded: library is in use", False)
