"""Which changes are worth a build."""

import pytest

from rtlinker.hot.sources import IN_A_ROW, Sources, compiled_from


@pytest.mark.parametrize("name", ["a.c", "Test.hs", "Makefile", "lib.rs", "grammar.y", "notes", "src/deep.h"])
def test_what_people_edit_is_a_source(name):
    assert Sources()(name)


LEFT = ["a.o", "Test.hi", "libx.a", ".a.c.swp", ".#a.c", "#a.c#", "a.c~", "4913", ".git", "x.log"]


@pytest.mark.parametrize("name", LEFT)
def test_what_tools_leave_is_none(name):
    assert not Sources()(name)


def test_a_named_file_is_a_source_whatever_its_name():
    assert Sources(["table.tmp"])("table.tmp")


def test_what_changed_while_a_build_ran_was_made_by_it():
    sources = Sources()
    assert sources.written(["a.out", "a.c"], by_build=True) == ("a.c",)
    assert not sources("a.out")
    assert sources("a.c")


def test_what_the_called_code_writes_is_no_source():
    sources = Sources()
    assert sources.written(["state.txt", "a.c"], by_build=False) == ("a.c",)
    assert not sources("state.txt")


def test_a_source_that_many_builds_in_a_row_write_is_generated():
    sources = Sources()
    for _ in range(IN_A_ROW):
        assert sources.written(["version.h"], by_build=True) == ("version.h",)
    assert sources.written(["version.h"], by_build=True) == ()
    assert not sources("version.h")


def test_edits_during_builds_that_are_apart_stay_edits():
    sources = Sources()
    for _ in range(2 * IN_A_ROW):
        assert sources.written(["a.c"], by_build=True) == ("a.c",)
        assert sources.written([], by_build=True) == ()


@pytest.mark.parametrize("flags", ["-gdwarf-4", "-gdwarf-5", "-g -gz"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_debug_information_names_the_sources(compile, tmp_path, compiler, flags):
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc/own.h").write_text("struct own { int value; };\n")
    object = compile(
        '#include <stdio.h>\n#include "inc/own.h"\nint f(struct own *it) { puts("x"); return it->value; }',
        compiler=compiler,
        flags=flags,
        name="f.o",
    )
    assert set(compiled_from(str(object))) == {str(tmp_path / "f.c"), str(tmp_path / "inc/own.h")}


def test_without_debug_information_no_source_is_known(compile, tmp_path):
    assert compiled_from(str(compile("int x;", flags="-g0"))) == ()
    assert compiled_from(str(tmp_path / "missing.o")) == ()
    (tmp_path / "text.o").write_text("text")
    assert compiled_from(str(tmp_path / "text.o")) == ()
