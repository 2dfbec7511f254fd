"""Objects with thousands of names, whose index is a table that Python asks instead of a dictionary."""

import pytest

import rtlinker
from rtlinker.errors import DuplicateSymbolError
from rtlinker.link.names import MANY

COUNT = MANY + 500


def functions(prefix, mark="", more=""):
    """C with so many functions; each returns its number."""
    return "\n".join(f"{mark}int {prefix}{number}(void) {{ return {number}; }}" for number in range(COUNT)) + more


@pytest.fixture
def many(compile):
    return compile(functions("f", more="\nint other(void); int both(void) { return f7() + other(); }"))


@pytest.mark.parametrize("engine", ["scalar", "auto"])
def test_names_are_found_and_others_are_not(compile, many, in_child, engine):
    small = compile("int f2400(void); int other(void) { return f2400(); }")

    def call():
        linker = rtlinker.Linker(engine=engine)
        linker.load_object(many)
        linker.load_object(small)
        linker.resolve()
        library = rtlinker.Library(linker, "many")
        found = library.function("f2499", "int()")(), library.function("both", "int()")()
        absent = [linker.lookup(name) for name in ("f2500", "", "f1\0f2", "f", "f1 ")]
        return found, absent, {f"f{number}" for number in range(COUNT)} <= {*library.names()}

    assert in_child(call) == ((2499, 2407), [None] * 5, True)


@pytest.mark.parametrize("engine", ["scalar", "auto"])
def test_all_names_that_two_large_objects_define_are_told(compile, many, engine):
    again = compile(functions("g", more="int f3(void) { return 0; } int f12(void) { return 0; }"))
    linker = rtlinker.Linker(engine=engine)
    linker.define("other", 1)
    linker.load_object(many)
    linker.load_object(again)
    with pytest.raises(DuplicateSymbolError) as caught:
        linker.resolve()
    assert sorted(name for name, *_ in caught.value.duplicates) == ["f12", "f3"]


@pytest.mark.parametrize("engine", ["scalar", "auto"])
@pytest.mark.parametrize("weak_first", [False, True])
def test_weak_ones_give_way_whichever_comes_first(compile, many, in_child, engine, weak_first):
    weak = compile(functions("f", "__attribute__((weak)) ").replace("return 7;", "return -7;"))

    def call():
        linker = rtlinker.Linker(engine=engine)
        linker.define("other", 1)
        for path in (weak, many) if weak_first else (many, weak):
            linker.load_object(path)
        linker.resolve()
        return rtlinker.Library(linker, "many").function("f7", "int()")()

    assert in_child(call) == 7


def test_a_later_link_finds_them_and_clashes_with_them(compile, many, in_child):
    user = compile("int f9(void); int f10(void); int use(void) { return f9() + f10(); }")
    clash = compile(functions("h", more="int f11(void) { return 0; }"))

    def call():
        linker = rtlinker.Linker()
        linker.define("other", 1)
        linker.load_object(many)
        linker.resolve()
        linker.load_object(user)
        linker.resolve()
        linker.load_object(clash)
        try:
            linker.resolve()
        except DuplicateSymbolError as error:
            return rtlinker.Library(linker, "many").function("use", "int()")(), [name for name, *_ in error.duplicates]

    assert in_child(call) == (19, ["f11"])
