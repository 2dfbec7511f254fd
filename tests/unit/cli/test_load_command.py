"""`rtlinker load` as the contract has it: results on standard output, the rest on standard error, exit codes."""

import json
import os
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[3] / "fixtures"


def test_a_function_is_called_with_the_types_of_its_debug_information(rtlinker_command):
    assert rtlinker_command("load", FIXTURES / "add.o", "add", "2", "3") == (0, "5\n", "")


def test_a_prototype_overrides_debug_information(rtlinker_command):
    ended = rtlinker_command("load", FIXTURES / "add.o", "add", "2", "-3", "--sig", "long(int, int)")
    assert ended.code == 0
    assert ended.stderr == ""


def test_without_types_the_arguments_say_them_and_a_note_says_so(rtlinker_command):
    ended = rtlinker_command("load", FIXTURES / "fibonacci.o", "fibonacci", "0x0a")
    assert (ended.code, ended.stdout) == (0, "55\n")
    assert ended.stderr.startswith("note: fibonacci has no debug information")


def test_json_is_one_object(rtlinker_command):
    ended = rtlinker_command("load", FIXTURES / "shapes.o", "middle", "{0, 0}", "{3, 4}", "--json")
    assert json.loads(ended.stdout)["value"] == {"x": 1.5, "y": 2.0}


def test_data_is_printed_with_its_type(rtlinker_command):
    assert rtlinker_command("load", FIXTURES / "state.o", "total").stdout == "100\n"


def test_data_without_a_type_is_printed_as_bytes(rtlinker_command, compile):
    object = compile("unsigned char bytes[4] = {1, 2, 254, 255};", flags=["-g0"])
    assert rtlinker_command("load", object, "bytes").stdout == "01 02 fe ff\n"


def test_void_prints_nothing(rtlinker_command, compile):
    assert rtlinker_command("load", compile("void nothing(void) {}"), "nothing") == (0, "", "")


def test_an_address_is_hexadecimal(rtlinker_command):
    ended = rtlinker_command("load", FIXTURES / "add.o", "add", "--address")
    assert int(ended.stdout, 16) > 0


def test_a_program_has_its_arguments_its_input_and_its_exit_code(rtlinker_command):
    ended = rtlinker_command("load", FIXTURES / "program.o", "main", "one", "--", "-two", input="a\nb\n")
    assert ended == (3, "argument 1: one\nargument 2: -two\n2 lines of input\n", "")


def test_exit_in_a_program_is_the_exit_code(rtlinker_command, compile):
    source = '#include <stdlib.h>\n#include <stdio.h>\nvoid bye(void) { puts("bye"); }\n'
    source += "int main(void) { atexit(bye); exit(7); }"
    assert rtlinker_command("load", compile(source), "main")[:2] == (7, "bye\n")


def test_what_c_printed_comes_before_the_result(rtlinker_command):
    ended = rtlinker_command("load", FIXTURES / "greet.o", "greet", "Ada")
    assert ended.stdout == "Hello, Ada! (1 greeting so far)\n1\n"


def test_with_adds_objects_to_the_link(rtlinker_command, compile):
    hook = compile("int hook(int value) { return value * 10; }", name="hook")
    assert rtlinker_command("load", FIXTURES / "needs.o", "call_hook", "4", "-w", hook).stdout == "41\n"


def test_a_library_is_added_as_ld_does(rtlinker_command, compile, archive, tmp_path):
    archive("libhook.a", compile("int hook(int value) { return -value; }", name="hook"))
    ended = rtlinker_command("load", FIXTURES / "needs.o", "call_hook", "4", "-lhook", "-L", tmp_path)
    assert ended.stdout == "-3\n"


def test_a_crash_is_reported_and_is_the_exit_code(rtlinker_command):
    ended = rtlinker_command("load", FIXTURES / "crash.o", "crash", "1")
    assert (ended.code, ended.stdout) == (128 + 11, "")
    assert "died of SIGSEGV" in ended.stderr
    assert "follow+0x" in ended.stderr


def test_an_unknown_symbol_is_an_error_with_a_suggestion(rtlinker_command):
    ended = rtlinker_command("load", FIXTURES / "add.o", "ad")
    assert (ended.code, ended.stdout) == (1, "")
    assert "did you mean add?" in ended.stderr


@pytest.mark.parametrize("words", [["add"], ["add", "1", "2", "3"], ["add", "x", "y"], ["add", "1", "99999999999"]])
def test_arguments_that_do_not_fit_show_the_prototype(rtlinker_command, words):
    ended = rtlinker_command("load", FIXTURES / "add.o", *words)
    assert (ended.code, ended.stdout) == (2, "")
    assert "int add(int a, int b)" in ended.stderr


@pytest.mark.parametrize(
    "words", [[], ["load"], ["load", "x.o"], ["load", "--nope"], ["nope"], ["load", "a", "b", "--sig"]]
)
def test_wrong_usage_is_2_and_says_how(rtlinker_command, words):
    ended = rtlinker_command(*words)
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("usage: rtlinker")


@pytest.mark.parametrize("command", ["load", "watch", "inspect", "symbols", "demo"])
def test_every_command_has_a_help_with_examples(rtlinker_command, command):
    ended = rtlinker_command(command, "--help")
    assert ended.code == 0
    assert "examples:\n  rtlinker " in ended.stdout
    assert rtlinker_command("help", command) == ended


def bad_files(directory, valid):
    """Every sort of file that is not an object, by what the error says of it."""
    (directory / "folder").mkdir()
    (directory / "archive.a").write_bytes(b"!<arch>\nlibrary/        0           0     0     100     99999     `\n")
    machine, word = bytearray(valid), bytearray(valid)
    machine[18] = 183
    word[4] = 1
    contents = {
        "empty.o": (b"", "empty"),
        "text.o": (b"int add(int a);\n", "text"),
        "cut.o": (valid[:300], "cut off"),
        "machine.o": (bytes(machine), "AArch64"),
        "class.o": (bytes(word), "32"),
        "bitcode.o": (b"BC\xc0\xde" + bytes(60), "bitcode"),
        "folder": (None, "is a directory"),
        "missing.o": (None, "no such file"),
        "archive.a": (None, "archive"),
    }
    for name, (data, said) in contents.items():
        if data is not None:
            (directory / name).write_bytes(data)
        yield directory / name, said


def test_every_bad_file_is_refused_with_its_name_and_what_it_is(rtlinker_command, tmp_path):
    for path, said in bad_files(tmp_path, (FIXTURES / "add.o").read_bytes()):
        ended = rtlinker_command("load", path, "add", "1", "2")
        assert (ended.code, ended.stdout) == (1, ""), path
        assert ended.stderr.startswith("error: ")
        assert said in ended.stderr, ended.stderr
        assert path.name in ended.stderr
        assert "Traceback" not in ended.stderr


def test_an_executable_and_a_shared_library_and_a_stripped_object_are_refused(rtlinker_command, workshop, tmp_path):
    import shutil
    import subprocess
    import sys

    stripped = shutil.copy(FIXTURES / "add.o", tmp_path / "stripped.o")
    subprocess.run(["strip", stripped], check=True)
    for path, said in [(sys.executable, "executable"), (stripped, "symbol table")]:
        ended = rtlinker_command("load", path, "add", "1", "2")
        assert (ended.code, ended.stdout) == (1, "")
        assert said in ended.stderr


def test_a_file_without_permission_is_refused(rtlinker_command, tmp_path):
    path = tmp_path / "secret.o"
    path.write_bytes((FIXTURES / "add.o").read_bytes())
    path.chmod(0)
    if os.geteuid() == 0:
        pytest.skip("expected: root may read every file")
    ended = rtlinker_command("load", path, "add", "1", "2")
    assert ended.code == 1
    assert "permission denied" in ended.stderr


def test_inspect_tells_who_provides_what_is_undefined(rtlinker_command):
    seen = json.loads(rtlinker_command("inspect", FIXTURES / "greet.o", "--json").stdout)
    assert {row["name"]: row["provider"] for row in seen["undefined"]}["printf"] == "libc.so.6"


def test_inspect_shows_what_members_need_of_each_other(rtlinker_command):
    seen = json.loads(rtlinker_command("inspect", FIXTURES / "libgreet.a", "--json").stdout)
    needs = {row["member"].rpartition("(")[2][:-1]: row["needs"] for row in seen["members"]}
    assert [need.rpartition("(")[2] for need in needs["hello.o"]] == ["polite.o)"]


def test_symbols_finds_a_name_of_libc(rtlinker_command):
    rows = json.loads(rtlinker_command("symbols", "qsort", "--json").stdout)["symbols"]
    assert {"qsort", "qsort_r"} <= {row["name"] for row in rows}
    assert all("qsort" in row["name"] for row in rows)


def test_symbols_takes_and_shows_cxx_names(rtlinker_command, monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "libstdc++.so.6")
    rows = json.loads(rtlinker_command("symbols", "std::cout", "--json").stdout)["symbols"]
    assert ("_ZSt4cout", "std::cout") in {(row["name"], row["demangled"]) for row in rows}
    for pattern in ("_ZSt4cout", "std::cout", "std::c*t"):
        assert "  std::cout  " in rtlinker_command("symbols", pattern).stdout
    assert "operator new[](unsigned long)  " in rtlinker_command("symbols", "operator new[]").stdout
    rows = json.loads(rtlinker_command("symbols", "--all", "std::", "--json").stdout)["symbols"]
    assert any(row["demangled"].endswith("@GLIBCXX_3.4.11") and "@GLIBCXX_3.4.11" in row["name"] for row in rows)


def test_symbols_of_c_have_no_other_name(rtlinker_command):
    rows = json.loads(rtlinker_command("symbols", "qsort", "--json").stdout)["symbols"]
    assert {row["demangled"] for row in rows} == {None}


def test_symbols_without_a_match_is_exit_code_1(rtlinker_command):
    assert rtlinker_command("symbols", "no_such_name_anywhere") == (1, "", "")


def test_the_demo_ends_as_it_should(rtlinker_command):
    ended = rtlinker_command("demo")
    assert ended.code == 0
    assert "9 of 9 steps" in ended.stdout


def test_a_cxx_name_is_accepted(rtlinker_command):
    assert rtlinker_command("load", FIXTURES / "shape.o", "area(double)", "2")[:2] == (0, "4.0\n")


def test_a_struct_for_a_pointer_is_written_as_in_c(rtlinker_command):
    ended = rtlinker_command("load", FIXTURES / "shapes.o", "area", "{1, {0, 0}, {2, 3}}")
    assert ended == (0, "6.0\n", "")


def test_a_shared_library_that_is_cut_off_is_refused_before_it_can_kill(rtlinker_command, tmp_path):
    from rtlinker.host.loaded import loaded_libraries

    whole = next(library.path for library in loaded_libraries() if library.name.startswith("libc.so"))
    cut = tmp_path / "libcut.so"
    cut.write_bytes(Path(whole).read_bytes()[:3000])
    ended = rtlinker_command("load", FIXTURES / "add.o", "add", "1", "2", "-l", cut)
    assert (ended.code, ended.stdout) == (1, "")
    assert "file is cut off" in ended.stderr


def test_a_device_is_not_read_for_ever(rtlinker_command):
    ended = rtlinker_command("load", "/dev/zero", "x")
    assert ended.code == 1
    assert "a device" in ended.stderr


def test_the_hint_of_an_undefined_symbol_works_when_followed(rtlinker_command, compile):
    object = compile("const char *zlibVersion(void); const char *version(void) { return zlibVersion(); }")
    ended = rtlinker_command("load", object, "version")
    if "zlibVersion" in ended.stderr:
        assert "add -l z" in ended.stderr
    assert rtlinker_command("load", object, "version", "-l", "z").stdout.count(".") >= 1


def test_data_of_assembler_without_a_size_is_shown_to_the_next_symbol(rtlinker_command, compile):
    object = compile(".data\n.globl x\nx: .long 42\ny: .quad 7\n", "asm")
    assert rtlinker_command("load", object, "x").stdout == "2a 00 00 00\n"


def test_static_symbols_of_files_with_one_basename_are_told_apart_by_path(rtlinker_command, compile, tmp_path):
    paths = []
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        made = compile(
            f"static int h(void) {{ return {number}; }} int use{number}(void) {{ return h(); }}", flags="-O0"
        )
        paths.append(made.rename(tmp_path / str(number) / "s.o"))
    ended = rtlinker_command("load", paths[0], "h", "-w", paths[1])
    assert f"{paths[0]}:h" in ended.stderr
    assert rtlinker_command("load", paths[0], f"{paths[1]}:h", "-w", paths[1]).stdout == "2\n"


def test_a_closed_standard_output_is_no_bug_of_ours(tmp_path):
    import subprocess
    import sys

    command = f"{sys.executable} -m rtlinker load {FIXTURES / 'add.o'} add 2 3"
    for redirection, code in ((">&-", 0), (">/dev/full", 1)):
        ended = subprocess.run(["bash", "-c", f"{command} {redirection}"], capture_output=True, text=True, check=False)
        assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)


def test_inspect_shows_cxx_names_as_people_write_them_when_asked(compile, rtlinker_command):
    path = compile("namespace ns { int hook(int); } int use(int x) { return ns::hook(x); }", "c++")
    assert "_ZN2ns4hookEi" in rtlinker_command("inspect", path).stdout
    seen = json.loads(rtlinker_command("inspect", path, "-C", "--json").stdout)
    assert [row["name"] for row in seen["undefined"]] == ["ns::hook(int)"]
    assert "_ZN2ns4hookEi" not in rtlinker_command("inspect", path, "--demangle").stdout


def test_a_long_name_widens_its_own_line_only(compile, rtlinker_command):
    name = "n" * 200
    seen = rtlinker_command("inspect", compile(f"int {name}, small;"))
    assert all(len(line) < 120 for line in seen.stdout.splitlines() if "nnn" not in line)


def test_the_tables_of_inspect_show_both_ends_of_long_names(compile, rtlinker_command):
    path = compile(f"int start{'n' * 500}end(void) {{ return 1; }}", flags="-ffunction-sections")
    seen = rtlinker_command("inspect", path).stdout
    assert max(map(len, seen.splitlines())) < 300
    assert "  startnnn" in seen
    assert "nnnend " in seen


def test_the_note_about_types_names_a_function_as_it_was_asked_for(compile, rtlinker_command):
    path = compile("int twice(int n) { return 2 * n; }", "c++", flags="-g0")
    assert rtlinker_command("load", path, "twice(int)", "2").stderr.startswith("note: twice(int) has no debug")
