"""Whether an object's recorded flags prove that its own calls may be redirected."""

from __future__ import annotations

import pytest

from rtlinker.dwarf.program import CompileUnit, Program, read_program
from rtlinker.hot.flags import compiler_flags, missing_flag

SOURCE = "int f(int x) { return x + 1; } int g(int x) { return f(x); }"


def flags_of(path):
    return compiler_flags(read_program(path.read_bytes(), path.name))


@pytest.mark.parametrize(
    ("flags", "missing"),
    [
        ("-O2", "-fPIC"),
        ("-O2 -fPIC", None),
        ("-O2 -fpic", None),
        ("-O2 -fPIE", "-fPIC"),
        ("-O2 -fPIC -fPIE", "-fPIC"),
        ("-O2 -fPIE -fPIC", None),
        ("-O2 -fPIC -fno-pic", "-fPIC"),
        ("-O2 -flive-patching", None),
        ("-O2 -flive-patching=inline-clone", None),
        ("-O2 -fPIC -fno-semantic-interposition", "-fsemantic-interposition"),
        ("-Ofast -fPIC", "-fsemantic-interposition"),
        ("-Ofast -fPIC -fsemantic-interposition", None),
        ("-O2 -fPIC -fvisibility=hidden", "-fvisibility=default"),
        ("-O2 -fPIC -fvisibility=default", None),
    ],
)
def test_gcc_records_what_is_asked(compile, flags, missing):
    found = flags_of(compile(SOURCE, flags=flags))
    assert found.proven == (missing is None)
    assert [each.flag for each in found.missing] == ([] if missing is None else [missing])


@pytest.mark.parametrize(
    ("flags", "missing"),
    [
        ("-O2 -fPIC", "-grecord-command-line -fPIC -fsemantic-interposition"),
        ("-O2 -fPIC -grecord-command-line", "-fsemantic-interposition"),
        ("-O2 -fsemantic-interposition -grecord-command-line", "-fPIC"),
        ("-O2 -fPIC -fsemantic-interposition -grecord-command-line", None),
    ],
)
def test_clang_must_be_asked_to_record_and_to_allow_it(compile, flags, missing):
    found = flags_of(compile(SOURCE, flags=flags, compiler="clang"))
    assert [each.flag for each in found.missing] == ([] if missing is None else [missing])


def test_every_unit_must_prove_it(compile, tmp_path, workshop):
    from tests.support.compile import run

    left, right = compile(SOURCE, flags="-O2 -fPIC", name="l.o"), compile("int h;", flags="-O2", name="r.o")
    run("ld", "-r", left, right, "-o", tmp_path / "all.o")
    found = flags_of(tmp_path / "all.o")
    assert [(each.unit.rpartition("/")[2], each.flag) for each in found.missing] == [("r.c", "-fPIC")]


def test_without_debug_information_nothing_is_proven(compile):
    assert not flags_of(compile(SOURCE, flags="-g0 -fPIC")).proven
    assert missing_flag(None) == "without -g"


def test_the_text_for_errors():
    units = tuple(CompileUnit(name, "GNU C17 12.2.0 -O2", 12) for name in ("a.c", "b.c"))
    assert missing_flag(Program(units, (), (), (), tuple)) == "a.c: without -fPIC\nb.c: without -fPIC"
    proven = (CompileUnit("a.c", "GNU C17 12.2.0 -O2 -fPIC", 12),)
    assert missing_flag(Program(proven, (), (), (), tuple)) is None
