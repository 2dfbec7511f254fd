from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtlinker.elf.ldscript import LinkerScript, ScriptEntry, looks_like_script, read_linker_script
from rtlinker.errors import BadObjectError, LinkError, UnsupportedError

LIBC = b"""/* GNU ld script
   Use the shared library, but some functions are only in
   the static library, so try that secondarily.  */
OUTPUT_FORMAT(elf64-x86-64)
GROUP ( /lib/libc.so.6 /usr/lib/libc_nonshared.a  AS_NEEDED ( /lib64/ld-linux-x86-64.so.2 ) )
"""


def entries(text: bytes) -> list[tuple[str, bool, bool]]:
    script = read_linker_script(text, "x.so")
    assert script is not None
    return [(entry.name, entry.as_needed, entry.is_library) for entry in script.entries]


def test_the_script_of_glibc_is_read_whole() -> None:
    assert read_linker_script(LIBC, "libc.so") == LinkerScript(
        entries=(
            ScriptEntry("/lib/libc.so.6"),
            ScriptEntry("/usr/lib/libc_nonshared.a"),
            ScriptEntry("/lib64/ld-linux-x86-64.so.2", as_needed=True),
        ),
        output_format="elf64-x86-64",
    )


def test_a_dash_l_entry_is_a_library_name() -> None:
    assert entries(b"INPUT(-lfoo file.o)") == [("foo", False, True), ("file.o", False, False)]


def test_commas_separate_like_spaces() -> None:
    assert entries(b"INPUT(a.o,b.o , -lc)") == [("a.o", False, False), ("b.o", False, False), ("c", False, True)]


def test_quotes_keep_spaces_and_hide_dash_l() -> None:
    assert entries(b'INPUT("a b.o" "-lfoo" ")")') == [
        ("a b.o", False, False),
        ("-lfoo", False, False),
        (")", False, False),
    ]


def test_empty_quotes_end_at_once() -> None:
    assert [name for name, _, _ in entries(b'INPUT("" a)')] == ["", "a"]


def test_of_several_output_formats_the_first_counts() -> None:
    script = read_linker_script(b'OUTPUT_FORMAT("elf64-x86-64", elf32, "x") INPUT(a)', "x.so")
    assert script is not None
    assert script.output_format == "elf64-x86-64"


def test_several_search_directories_may_stand_in_one_command() -> None:
    script = read_linker_script(b'SEARCH_DIR(/a, "/b,c" /d)', "x.so")
    assert script is not None
    assert script.search_directories == ("/a", "/b,c", "/d")


def test_as_needed_ends_with_its_parenthesis() -> None:
    assert entries(b"GROUP(a AS_NEEDED(b AS_NEEDED(c) d) e)") == [
        ("a", False, False),
        ("b", True, False),
        ("c", True, False),
        ("d", True, False),
        ("e", False, False),
    ]


def test_several_commands_keep_their_order() -> None:
    assert [name for name, _, _ in entries(b"INPUT(b);\nGROUP(a)\nINPUT(c)")] == ["b", "a", "c"]


def test_comments_may_stand_between_and_inside() -> None:
    assert [name for name, _, _ in entries(b"/* x */ /**/ INPUT( a/* y */b /* z */ )")] == ["a", "b"]


def test_search_directories_are_collected() -> None:
    script = read_linker_script(b'SEARCH_DIR("/usr/lib64"); SEARCH_DIR(=/lib) INPUT(a)', "x.so")
    assert script is not None
    assert script.search_directories == ("/usr/lib64", "/lib")


@pytest.mark.parametrize("mark", [b"=", b"$SYSROOT"])
def test_the_sysroot_is_the_root(mark: bytes) -> None:
    assert entries(b"INPUT(" + mark + b"/lib/a.so)") == [("/lib/a.so", False, False)]


@pytest.mark.parametrize(
    ("text", "command", "where"),
    [
        (b"GROUP(a)\nSECTIONS { .text : { } }", "SECTIONS", "line 2"),
        (b"/* GNU ld script\n*/\n\nPROVIDE(a = 1);", "PROVIDE", "line 4"),
        (b"INPUT(a)\n__start = 5;", "__start", "line 2"),
        (b"ENTRY(main)", "ENTRY", "line 1"),
    ],
)
def test_another_command_is_refused_by_name_and_line(text: bytes, command: str, where: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        read_linker_script(text, "x.so")
    assert dict(caught.value.facts) == {"file": "x.so", "command": command, "where": where}


@pytest.mark.parametrize(
    "text",
    [
        b"GROUP ( a",
        b"GROUP ( a AS_NEEDED ( b )",
        b"GROUP ( AS_NEEDED )",
        b"GROUP ( ( a ) )",
        b"GROUP ( a ; b )",
        b"INPUT(a) )",
        b"INPUT(a) INPUT",
        b"INPUT(a) /* no end",
        b'INPUT(a "b)',
        b"OUTPUT_FORMAT(a;b)",
        b'INPUT(x) INPUT "("a)',
    ],
)
def test_a_script_that_is_not_well_formed_is_refused(text: bytes) -> None:
    with pytest.raises(BadObjectError) as caught:
        read_linker_script(text, "x.so")
    assert (caught.value.file, caught.value.where) == ("x.so", "line 1")


@pytest.mark.parametrize("text", [b"INPUT(a)\nGROUP a", b"INPUT(a)\nGROUP"])
def test_a_command_without_parenthesis_is_named_with_its_line(text: bytes) -> None:
    with pytest.raises(BadObjectError) as caught:
        read_linker_script(text, "x.so")
    error = caught.value
    assert (error.headline, error.found, error.where) == (
        "linker script is not well-formed",
        "GROUP without (",
        "line 2",
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"int main(void) { return 0; }",
        b"/* a comment */ int x;",
        b"GROUPING(a)",
        b"GROUP of people",
        b"\x7fELF\x02\x01\x01\0",
        b"GROUP(a)\0\0",
        b"\xff\xfe\xfd",
    ],
)
def test_what_is_no_script_is_left_alone(data: bytes) -> None:
    assert read_linker_script(data, "x.so") is None


def test_a_script_with_a_very_long_comment_is_recognised_by_its_first_words() -> None:
    assert looks_like_script(b"/* GNU ld script" + b" " * 5000 + b"*/ INPUT(a)")


def test_deep_nesting_is_read_in_linear_time() -> None:
    depth = 20_000
    script = read_linker_script(b"GROUP(" + b"AS_NEEDED(" * depth + b"a" + b")" * depth + b")", "x.so")
    assert script is not None
    assert script.entries == (ScriptEntry("a", as_needed=True),)


WORDS = st.sampled_from(
    ["GROUP", "INPUT", "AS_NEEDED", "(", ")", ",", ";", '"', "/*", "*/", "-l", "a.o", "{", "\n", " ", "\0"]
)


@given(st.lists(WORDS, max_size=20))
def test_any_sequence_of_tokens_is_a_script_or_an_error(words: list[str]) -> None:
    try:
        script = read_linker_script("GROUP ( a ) {}".format(" ".join(words)).encode(), "x.so")
    except LinkError as error:
        assert isinstance(error, (BadObjectError, UnsupportedError))
    else:
        assert script is None or "a" in [entry.name for entry in script.entries]


def test_a_comment_without_an_end_is_a_script_only_if_it_says_so() -> None:
    assert looks_like_script(b"/* GNU ld script, cut off here" + b" " * 5000)
    assert not looks_like_script(b"/* a program in C, whose first comment is long" + b" " * 5000)
