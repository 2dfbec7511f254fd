"""`rtlinker watch`: edit, compile, and the running process takes the new version; nothing of it ends the watch."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from tests.support.child import CHECKOUT
from tests.support.compile import run
from tests.support.watching import SECONDS, Watch, gone

FLAGS = "-g -O1 -fPIC -fdata-sections"
COUNTER = """
static int count;
int step(int by) { count += by; return count; }
"""


@pytest.fixture
def compiled(tmp_path):
    """`compiled(source, name="c")`: NAME.o in the test's directory, from NAME.c, written in place as gcc does."""

    def compile(source, name="c"):
        (tmp_path / f"{name}.c").write_text(source)
        run("gcc", *FLAGS.split(), "-c", f"{name}.c", "-o", f"{name}.o", cwd=tmp_path)
        return tmp_path / f"{name}.o"

    return compile


@pytest.fixture
def watch(tmp_path):
    """`watch(*arguments)`: a watch in the test's directory, ended with the test."""
    begun = []

    def begin(*arguments, **options):
        begun.append(Watch(tmp_path, *arguments, **options))
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


BUILD = f"gcc {FLAGS} -c c.c -o c.o"


def edit(tmp_path, source, name="c.c"):
    (tmp_path / name).write_text(source)


def test_a_compiled_change_is_taken_in_and_state_is_kept(watch, compiled):
    compiled(COUNTER)
    watched = watch("c.o", "step", "1")
    watched.printed("1\n")
    compiled(COUNTER.replace("+= by", "+= 10 * by"))
    watched.printed("1\n11\n")
    compiled(COUNTER.replace("+= by", "+= 100 * by"))
    watched.printed("1\n11\n111\n")
    assert watched.interrupt() == 130
    assert re.search(r"version 2: .*\n  files +c\.o\n  changed +step\n  kept +.*count", watched.err)


def test_an_edit_is_built_and_taken_in(watch, compiled, tmp_path):
    compiled(COUNTER)
    watched = watch("c.o", "step", "1", "--build", BUILD)
    watched.printed("1\n")
    edit(tmp_path, COUNTER.replace("+= by", "+= 10 * by"))
    watched.printed("1\n11\n")
    watched.said("version 2: build ")
    watched.said("files    c.c")


def test_a_missing_object_is_built_first(watch, tmp_path):
    edit(tmp_path, COUNTER)
    watched = watch("c.o", "step", "3", "--build", BUILD)
    watched.printed("3\n")
    watched.said("version 1: build ")


def test_an_object_that_is_older_than_its_source_is_built_first(watch, compiled, tmp_path):
    object = compiled(COUNTER)
    edit(tmp_path, COUNTER.replace("+= by", "-= by"))
    os.utime(object, (1, 1))
    watched = watch("c.o", "step", "3", "--build", BUILD)
    watched.printed("-3\n")


def test_a_header_that_debug_information_names_is_watched(watch, compiled, tmp_path):
    (tmp_path / "deep/inc").mkdir(parents=True)
    edit(tmp_path, "struct by { int value; };\n#define TIMES 1\n", "deep/inc/by.h")
    source = '#include "deep/inc/by.h"\nint step(struct by by) { return by.value * TIMES; }\n'
    compiled(source)
    watched = watch("c.o", "step", "{7}", "--build", BUILD)
    watched.printed("7\n")
    edit(tmp_path, "struct by { int value; };\n#define TIMES 2\n", "deep/inc/by.h")
    watched.printed("7\n14\n")
    watched.said("files    deep/inc/by.h")


def test_a_syntax_error_is_shown_and_the_old_version_stays(watch, compiled, tmp_path):
    compiled(COUNTER)
    watched = watch("c.o", "step", "1", "--build", BUILD)
    watched.printed("1\n")
    edit(tmp_path, COUNTER.replace("return count", "return cuont"))
    watched.said("error: the build failed with exit code 1 in ")
    watched.said("cuont")
    watched.said("  version 1 stays")
    edit(tmp_path, COUNTER.replace("+= by", "+= 5"))
    watched.printed("1\n6\n")


def test_a_build_that_changes_nothing_is_no_new_version(watch, compiled, tmp_path):
    compiled(COUNTER)
    watched = watch("c.o", "step", "1", "--build", BUILD)
    watched.printed("1\n")
    edit(tmp_path, COUNTER + "/* said */\n")
    watched.said("version 1 stays, the files hold what it has: build ")
    assert watched.out == "1\n"


def test_what_a_build_writes_starts_no_other_build(watch, compiled, tmp_path):
    compiled(COUNTER)
    log = f"{BUILD} && echo built >> builds && cp c.c copy.made"
    watched = watch("c.o", "step", "1", "--build", log)
    watched.printed("1\n")
    for times in (2, 3, 4):
        edit(tmp_path, COUNTER.replace("+= by", f"+= {times}"))
        watched.said(f"version {times}: ")
    assert watched.interrupt() == 130
    assert (tmp_path / "builds").read_text() == "built\n" * 3


def test_what_the_watch_itself_writes_starts_no_build(compiled, tmp_path):
    compiled("static int n;\nint step(void) { return ++n; }\n")
    build = "echo built >> builds && gcc -g -fPIC -c c.c"
    command = [sys.executable, "-m", "rtlinker", "watch", "c.o", "step", "--every", "0.01", "--build", build]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with open(tmp_path / "results", "wb") as out, open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=out, stderr=log)
    while "50\n" not in (tmp_path / "results").read_text():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(SECONDS) == 130
    assert not (tmp_path / "builds").exists()


def test_what_the_called_code_writes_starts_no_build(watch, compiled, tmp_path):
    source = """
    #include <stdio.h>
    int step(void) { static int n; FILE *f = fopen("state", "w"); fprintf(f, "%d", ++n); fclose(f); return n; }
    """
    compiled(source)
    watched = watch("c.o", "step", "--every", "0.02", "--build", f"{BUILD} && echo built >> builds.txt")
    watched.until(lambda: watched.out.count("\n") > 20)
    edit(tmp_path, source.replace("return n", "return -n"))
    watched.until(lambda: "-" in watched.out)
    assert watched.interrupt() == 130
    assert (tmp_path / "builds.txt").read_text() == "built\n"


def test_a_changed_signature_is_refused_with_both(watch, compiled):
    compiled(COUNTER)
    watched = watch("c.o", "step", "1")
    watched.printed("1\n")
    compiled(COUNTER.replace("int by", "long by, char *what"))
    watched.said("signature changed")
    watched.said("  version 1 stays")
    watched.said("long")
    compiled(COUNTER.replace("+= by", "+= 2 * by"))
    watched.printed("1\n3\n")


STATE = "struct state { int a; FIELD int b; } state = { 1, BEGIN 2 };\nint step(void) { return state.b += 10; }\n"


def test_a_changed_layout_is_refused_and_the_state_lives_on(watch, compiled):
    compiled(STATE.replace("FIELD", "").replace("BEGIN", ""))
    watched = watch("c.o", "step")
    watched.printed("12\n")
    compiled(STATE.replace("FIELD", "int new;").replace("BEGIN", "0,"))
    watched.said("layouts changed")
    watched.said("'new'")
    compiled(STATE.replace("FIELD", "").replace("BEGIN", "").replace("+= 10", "+= 100"))
    watched.printed("12\n112\n")


def test_a_refusal_starts_anew_when_that_is_asked_for(watch, compiled):
    compiled(STATE.replace("FIELD", "").replace("BEGIN", ""))
    watched = watch("c.o", "step", "--restart")
    watched.printed("12\n")
    compiled(STATE.replace("FIELD", "int new;").replace("BEGIN", "0,").replace("+= 10", "+= 20"))
    watched.printed("12\n22\n")
    watched.said("the state is lost")


def test_a_variable_begins_anew_when_that_is_asked_for(watch, compiled):
    source = "int speed = 3; static int count; int step(void) { return count += speed; }\n"
    compiled(source)
    watched = watch("c.o", "step", "--reset", "speed")
    watched.printed("3\n")
    compiled(source.replace("speed = 3", "speed = 30"))
    watched.printed("3\n33\n")


def test_a_signature_may_change_when_that_is_allowed(watch, compiled):
    compiled("int step(int by) { return by; }\n")
    watched = watch("c.o", "step", "7", "--allow", "step")
    watched.printed("7\n")
    compiled("double step(double by) { return by / 2; }\n")
    watched.printed("7\n3.5\n")


def test_a_struct_may_change_when_no_object_of_it_is_left(watch, compiled):
    source = "struct box { int a; MORE };\nint step(struct box *it) { return it->a; }\n"
    compiled(source.replace("MORE", ""))
    watched = watch("c.o", "step", '{"a": 4}', "--assume-no-live", "box")
    watched.printed("4\n")
    compiled(source.replace("MORE", "int b;").replace("it->a", "it->a + it->b"))
    watched.printed("4\n4\n")


def test_what_nothing_verifies_can_be_refused(watch, compiled, tmp_path):
    def compile(times):
        edit(tmp_path, f"long twice(long n) {{ return {times} * n; }}\n")
        run("gcc", "-O1", "-c", "c.c", cwd=tmp_path)

    compile(2)
    watched = watch("c.o", "twice", "4", "--strict", "--sig", "long(long)")
    watched.printed("8\n")
    compile(3)
    watched.said("error: not verified")
    watched.said("  version 1 stays")


def test_a_library_and_a_prototype_are_as_for_load(watch, tmp_path):
    def compile(function):
        edit(tmp_path, f"double {function}(double);\ndouble of(double x) {{ return {function}(x) + 1; }}\n")
        run("gcc", "-O1", "-c", "c.c", cwd=tmp_path)

    compile("cbrt")
    watched = watch("c.o", "of", "64", "-lm", "--sig", "double(double)")
    watched.printed("5.0\n")
    compile("sqrt")
    watched.printed("5.0\n9.0\n")


def test_an_undefined_symbol_is_an_error_and_the_old_version_stays(watch, compiled):
    compiled(COUNTER)
    watched = watch("c.o", "step", "1")
    watched.printed("1\n")
    compiled("int nowhere_at_all(void);\n" + COUNTER.replace("return count", "return nowhere_at_all()"))
    watched.said("error: undefined symbol\n  symbol  nowhere_at_all")
    watched.said("  version 1 stays")
    compiled(COUNTER.replace("+= by", "+= 2 * by"))
    watched.printed("1\n3\n")


@pytest.mark.parametrize("part", [0, 1, 40, 64, 0.3, 0.7, 0.99])
def test_a_truncated_object_is_an_error_until_it_is_complete(watch, compiled, tmp_path, part):
    object = compiled(COUNTER)
    watched = watch("c.o", "step", "1")
    watched.printed("1\n")
    whole = compiled(COUNTER.replace("+= by", "+= 10 * by"), "other").read_bytes()
    object.write_bytes(whole[: part if isinstance(part, int) else int(len(whole) * part)])
    watched.said("  version 1 stays")
    assert watched.out == "1\n"
    object.write_bytes(whole)
    watched.printed("1\n11\n")


def test_a_file_renamed_over_the_object_is_taken_in(watch, compiled, tmp_path):
    compiled(COUNTER)
    watched = watch("c.o", "step", "1")
    watched.printed("1\n")
    compiled(COUNTER.replace("+= by", "+= 10 * by"), "new").rename(tmp_path / "c.o")
    watched.printed("1\n11\n")


def test_files_are_replaced_in_every_way_while_calls_run(watch, compiled, tmp_path):
    def version(number, name="c"):
        return compiled(f"int step(void) {{ return {number}; }}\n", name)

    version(1)
    watched = watch("c.o", "step", "--every", "0.002")
    watched.until(lambda: watched.out.count("1\n") > 3)
    run("cp", version(2, "new"), tmp_path / "c.o")
    watched.until(lambda: watched.out.count("2\n") > 3)
    run("mv", version(3, "new"), tmp_path / "c.o")
    watched.until(lambda: watched.out.count("3\n") > 3)
    version(4)
    watched.until(lambda: watched.out.count("4\n") > 3)
    assert watched.interrupt() == 130
    assert "error" not in watched.err
    assert sorted(watched.out.split()) == watched.out.split()


def test_looks_by_the_clock_find_changes_too(watch, compiled, tmp_path):
    compiled(COUNTER)
    (tmp_path / "without").mkdir()
    (tmp_path / "without/watchfiles.py").write_text("raise ImportError('not here')\n")
    watched = watch("c.o", "step", "1", environment={"PYTHONPATH": f"{tmp_path / 'without'}:{CHECKOUT}"})
    watched.printed("1\n")
    compiled(COUNTER.replace("+= by", "+= 10 * by"))
    watched.printed("1\n11\n")
    watched.said("looked at 10 times a second, since watchfiles is not installed")


def test_a_touched_object_is_not_called_again(watch, compiled, tmp_path):
    object = compiled(COUNTER)
    watched = watch("c.o", "step", "1")
    watched.printed("1\n")
    os.utime(object, (1, 1))
    compiled(COUNTER.replace("+= by", "+= 10 * by"))
    watched.printed("1\n11\n")
    assert watched.interrupt() == 130
    assert "version 3" not in watched.err


def test_several_objects_are_one_version(watch, compiled):
    compiled("int factor(void);\nint step(void) { return 2 * factor(); }\n", "a")
    compiled("int factor(void) { return 3; }\n", "b")
    watched = watch("a.o", "step", "-w", "b.o")
    watched.printed("6\n")
    compiled("int factor(void) { return 5; }\n", "b")
    watched.printed("6\n10\n")
    watched.said("files    b.o")


def test_a_crash_is_reported_and_a_new_process_begins_with_the_next_version(watch, compiled):
    compiled(COUNTER)
    watched = watch("c.o", "step", "1")
    watched.printed("1\n")
    compiled("static int count;\nint step(int by) { return *(volatile int *)0 + count + by; }\n")
    watched.said("error: the called code died of SIGSEGV")
    watched.said("  the state is lost: a new process starts with the next change")
    watched.said("step+0x")
    watched.said("(a null pointer)")
    compiled(COUNTER.replace("+= by", "+= 5 * by"))
    watched.printed("1\n5\n")
    watched.said("version 1: ", times=2)


def test_a_constructor_that_crashes_leaves_the_old_version(watch, compiled):
    compiled(COUNTER)
    watched = watch("c.o", "step", "1")
    watched.printed("1\n")
    bad = "void abort(void);\n__attribute__((constructor)) static void begin(void) { abort(); }\n"
    compiled(COUNTER.replace("+= by", "+= 5 * by") + bad)
    watched.said("SIGABRT")
    watched.said("  version 1 stays")
    compiled(COUNTER.replace("+= by", "+= 10 * by"))
    watched.printed("1\n11\n")


def test_a_process_that_the_called_code_ends_is_begun_again(watch, compiled):
    source = "void exit(int);\nint step(int by) { if (by) exit(3); return 1; }\n"
    compiled(source)
    watched = watch("c.o", "step", "1")
    watched.said("error: the called code ended its process, exit code 3")
    compiled(source.replace("if (by)", "if (!by)"))
    watched.printed("1\n")


def test_a_new_process_goes_on_with_periodic_calls(watch, compiled):
    compiled("#include <stdlib.h>\nstatic int n;\nint step(void) { if (++n == 3) abort(); return n; }\n")
    watched = watch("c.o", "step", "--every", "0.01")
    watched.until(lambda: watched.out.startswith("1\n2\n1\n2\n1\n2\n"))
    watched.said("died of SIGABRT", times=2)
    watched.said("a new process calls it again", times=2)


def test_a_periodic_call_that_crashes_at_once_waits_for_a_change(watch, compiled):
    source = "#include <stdlib.h>\nint step(void) { abort(); }\n"
    compiled(source)
    watched = watch("c.o", "step", "--every", "0.01")
    watched.said("a new process starts with the next change")
    compiled("int step(void) { return 1; }\n")
    watched.until(lambda: watched.out.count("1\n") > 2)
    assert watched.err.count("SIGABRT") == 1


def test_a_failure_that_repeats_is_told_once(watch, compiled):
    other = "static int n; int turns(void) { return ++n; }\n"
    compiled(other)
    watched = watch("c.o", "step", "--every", "0.01")
    watched.said("error: ")
    compiled(other + "int step(void) { static int n; return ++n; }")
    watched.until(lambda: watched.out.startswith("1\n2\n"))
    assert watched.err.count("error: ") == 1


def test_a_cxx_exception_does_not_end_the_watch(watch, compiled, tmp_path):
    def compile(source):
        edit(tmp_path, source, "c.cc")
        run("g++", *FLAGS.split(), "-c", "c.cc", cwd=tmp_path)

    source = "#include <stdexcept>\n"
    source += 'extern "C" int step() { static int n; if (n++) return n; throw std::runtime_error("no"); }\n'
    compile(source)
    watched = watch("c.o", "step")
    watched.said("error: C++ exception std::runtime_error: no")
    compile(source.replace("return n", "return 10 * n"))
    watched.printed("20\n")


def test_calls_every_so_often_are_in_the_newest_version(watch, compiled):
    source = "static int n;\nint step(void) { return ++n; }\n"
    compiled(source)
    watched = watch("c.o", "step", "--every", "0.01")
    watched.until(lambda: watched.out.startswith("1\n2\n3\n4\n"))
    compiled(source.replace("return ++n", "return -++n"))
    watched.until(lambda: watched.out.count("-") > 3)
    numbers = [int(line) for line in watched.out.split("\n")[:-1]]
    assert [abs(number) for number in numbers] == [*range(1, len(numbers) + 1)]
    assert sorted(numbers, key=lambda number: number < 0) == numbers


LOOP = """
#include <stdio.h>
#include <unistd.h>
#define VERSION 1
int turn(int state) __asm__("turn");
extern int latest_turn(int state) __asm__("__rtl_latest_turn");
int turn(int state) { printf("%d:%d\\n", VERSION, state); fflush(stdout); return state + 1; }
int serve(void) { for (int state = 0;; usleep(10000)) state = latest_turn(state); }
"""


def test_a_call_that_never_returns_goes_on_in_the_new_version(watch, compiled):
    compiled(LOOP)
    watched = watch("c.o", "serve")
    watched.until(lambda: "1:2\n" in watched.out)
    compiled(LOOP.replace("VERSION 1", "VERSION 2"))
    watched.until(lambda: watched.out.count("2:") > 2)
    watched.said("the call that began ")
    turns = [line.split(":") for line in watched.out.split("\n")[:-1]]
    assert [int(state) for _, state in turns] == [*range(len(turns))]
    assert watched.interrupt() == 130


def test_a_variable_is_shown(watch, compiled):
    compiled("int total = 7;\nint other(void) { return total; }\n")
    watched = watch("c.o", "total")
    watched.printed("7\n")
    compiled("int total = 7;\nint other(void) { return -total; }\n")
    watched.printed("7\n7\n")


def test_a_program_is_called_with_its_arguments(watch, compiled):
    source = "#include <stdio.h>\n"
    source += 'int main(int n, char **words) { printf("%d %s %s\\n", n, words[0], words[1]); return 4; }\n'
    compiled(source)
    watched = watch("c.o", "main", "one")
    watched.printed("2 c.o one\n")
    watched.said("note: main returned 4")
    compiled(source.replace("%d %s", "%d: %s"))
    watched.printed("2 c.o one\n2: c.o one\n")


def test_json_is_an_object_for_each_call(watch, compiled):
    compiled(COUNTER)
    watched = watch("c.o", "step", "1", "--json")
    watched.until(lambda: "\n" in watched.out)
    compiled(COUNTER.replace("+= by", "+= 10 * by"))
    watched.until(lambda: watched.out.count("\n") == 2)
    assert [json.loads(line)["value"] for line in watched.out.splitlines()] == [1, 11]


def test_without_types_a_note_says_once_what_is_assumed(watch, tmp_path):
    def compile(times):
        edit(tmp_path, f"long twice(long n) {{ return {times} * n; }}\n")
        run("gcc", "-O1", "-fPIC", "-c", "c.c", cwd=tmp_path)

    compile(2)
    watched = watch("c.o", "twice", "4")
    watched.printed("8\n")
    compile(3)
    watched.printed("8\n12\n")
    assert watched.interrupt() == 130
    assert watched.err.count("note: twice has no debug information: long(long) assumed") == 1


def test_a_first_version_that_cannot_be_linked_is_waited_for(watch, compiled):
    compiled("int nowhere_at_all(void);\nint step(void) { return nowhere_at_all(); }\n")
    watched = watch("c.o", "step")
    watched.said("undefined symbol")
    watched.said("  the next change is tried")
    compiled("int step(void) { return 1; }\n")
    watched.printed("1\n")


def test_a_symbol_that_is_not_there_yet_is_waited_for(watch, compiled):
    compiled("int other(void) { return 1; }\n")
    watched = watch("c.o", "step")
    watched.said("symbol")
    compiled("int other(void) { return 1; }\nint step(void) { return 2; }\n")
    watched.printed("2\n")


def test_a_removed_symbol_is_an_error_and_may_come_back(watch, compiled):
    other = "int other(void) { return 1; }\n"
    compiled(other + COUNTER)
    watched = watch("c.o", "step", "1", "--allow", "step")
    watched.printed("1\n")
    compiled(other + "static int count; int get(void) { return count; } void put(int n) { count = n; }")
    watched.said("removed")
    compiled(other + COUNTER)
    watched.until(lambda: watched.out.count("\n") == 2)


def test_destructors_run_when_the_watch_ends(watch, compiled):
    source = "#include <stdio.h>\nint step(void) { return 1; }\n"
    source += '__attribute__((destructor)) void bye(void) { puts("bye"); }\n'
    compiled(source)
    watched = watch("c.o", "step")
    watched.printed("1\n")
    assert watched.interrupt() == 130
    watched.printed("1\nbye\n")


def test_no_process_is_left_behind(watch, compiled):
    compiled("int step(void) { for (;;); }\n")
    watched = watch("c.o", "step")
    watched.said("version 1")
    processes = watched.children()
    assert len(processes) == 2
    assert watched.interrupt() == 130
    assert all(map(gone, processes))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_a_watch_that_was_killed(watch, compiled, number):
    compiled("int step(void) { for (;;); }\n")
    watched = watch("c.o", "step")
    watched.said("version 1")
    processes = watched.children()
    assert len(processes) == 2
    watched.process.send_signal(number)
    watched.process.wait()
    assert all(map(gone, processes))


def test_a_reader_of_results_who_goes_ends_the_watch(compiled, tmp_path):
    compiled("static int n;\nint step(void) { return ++n; }\n")
    command = [sys.executable, "-m", "rtlinker", "watch", "c.o", "step", "--every", "0.01"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout.readline() == b"1\n"
    process.stdout.close()
    assert process.wait(SECONDS) == 141


ENDS = [["--every", "soon"], ["--every", "-1"], ["--sig", "int("]]
WRONG = [["step"], ["c.o"], *[["c.o", "step", *end] for end in ENDS]]


@pytest.mark.parametrize("words", WRONG)
def test_wrong_usage_is_2(rtlinker_command, compiled, tmp_path, words):
    compiled("int step(void) { return 1; }\n")
    ended = rtlinker_command("watch", *words, cwd=tmp_path)
    assert (ended.code, ended.stdout) == (2, "")


def test_a_missing_file_that_nothing_builds_is_1(rtlinker_command, tmp_path):
    ended = rtlinker_command("watch", "missing.o", "step", cwd=tmp_path)
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr == "error: no such file or directory: missing.o\n"
