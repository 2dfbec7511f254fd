"""The shipped objects: each links, does what its source says, and has nothing of the machine that made it."""

import pytest

import rtlinker
from tests.support.child import CHECKOUT

FIXTURES = CHECKOUT / "fixtures"
FILES = sorted([*FIXTURES.glob("*.o"), *FIXTURES.glob("*.a")])


def load(name, **options):
    return rtlinker.load(FIXTURES / name, **options)


def test_there_is_an_object_for_every_source():
    sources = {path.stem for path in FIXTURES.iterdir() if path.suffix in {".c", ".cc", ".s"}}
    assert {path.stem for path in FILES} == sources | {"libgreet"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_path_of_a_machine_is_inside_and_it_is_small(path):
    data = path.read_bytes()
    assert not [word for word in (b"/home/", b"/root", b"/work", b"/tmp", b"/build") if word in data]
    assert len(data) < 16_384


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_fixture_links_when_its_hook_is_given(path, in_child):
    assert in_child(lambda: bool(rtlinker.load(path, symbols={"hook": (abs, "int(int)")}).linker))


def test_functions_do_what_their_sources_say(in_child):
    def call():
        shapes, state = load("shapes.o"), load("state.o")
        fibonacci = load("fibonacci.o").function("fibonacci", "unsigned long(unsigned long)")
        return {
            "add": load("add.o").add(2, 3),
            "area": shapes.area(shapes["unit_circle"].value),
            "apply": load("callback.o").apply(lambda x: x * 2, 21),
            "hook": load("needs.o", symbols={"hook": lambda x: x * 10}).call_hook(4),
            "count": (state.count(5), state.count(7), state.how_often(), state["total"].value),
            "fibonacci": [fibonacci(n) for n in (0, 1, 2, 10, 90)],
        }

    assert in_child(call) == {
        "add": 5,
        "area": pytest.approx(3.14159265),
        "apply": 42,
        "hook": 41,
        "count": (105, 112, 2, 112),
        "fibonacci": [0, 1, 1, 55, 2880067194370816120],
    }


def test_the_archive_pulls_what_is_needed_and_leaves_what_cannot_be_linked(in_child):
    def call():
        library = load("libgreet.a")
        return library.hello(b"you"), [pull.symbol for pull in library.linker.pulls()]

    assert in_child(call) == (12, ["hello", "polite"])


def test_the_program_reads_its_arguments_and_input_and_exits_with_three(rtlinker_command):
    ended = rtlinker_command("load", FIXTURES / "program.o", "main", "one", "two", input="a\nb\n")
    assert (ended.code, ended.stdout) == (3, "argument 1: one\nargument 2: two\n2 lines of input\n")


def test_the_crash_is_reported_as_a_signal(rtlinker_command):
    ended = rtlinker_command("load", FIXTURES / "crash.o", "crash", "1")
    assert ended.code == 128 + 11
    assert "SIGSEGV" in ended.stderr
    assert "follow" in ended.stderr
