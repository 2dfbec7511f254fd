"""C++ names may be written as C++ writes them, wherever a name is asked for."""

import ctypes

import pytest

import rtlinker

SOURCE = "double area(double side) { return side * side; }\nint area(int a, int b) { return a * b; }\n"
SOURCE += "namespace plane { int only(int x) { return x + 1; } }"


def test_a_name_with_parameters_is_one_function(compile, in_child):
    path = compile(SOURCE, "c++")
    assert in_child(lambda: rtlinker.load(path).function("area(double)")(3)) == 9.0
    assert in_child(lambda: rtlinker.load(path)["area(int, int)"](3, 4)) == 12


def test_a_name_without_parameters_is_enough_when_there_is_one(compile, in_child):
    path = compile(SOURCE, "c++")
    assert in_child(lambda: rtlinker.load(path)["plane::only"](3)) == 4


def test_an_ambiguous_name_lists_its_choices(compile, in_child):
    path = compile(SOURCE, "c++")
    with pytest.raises(rtlinker.LinkError) as caught:
        in_child(lambda: rtlinker.load(path)["area"])
    assert dict(caught.value.facts)["choose"] == "area(double)\narea(int, int)"


def test_a_member_of_an_archive_is_pulled_by_its_cxx_name(compile, archive, in_child):
    path = archive("libarea.a", compile(SOURCE, "c++"))
    assert in_child(lambda: rtlinker.load(path)["area(double)"](2)) == 4.0


FORMS = """
#include <string>
template <class T> T twice(T x) { return x + x; }
template int twice<int>(int);
namespace ns {
struct Class { int n; static int method(int); int get(int) const; };
int Class::method(int x) { return x + 1; }
int Class::get(int x) const { return n + x; }
int text(const std::string &s) { return s.size(); }
int value = 7;
}
static __attribute__((used, noinline)) int inner(int x) { return x - 1; }
namespace { __attribute__((used, noinline)) int unnamed(int x) { return x - 2; } }
"""


@pytest.mark.parametrize(
    "name",
    [
        "int twice<int>(int)", "twice<int>(int)", "twice<int>", "ns::Class::method(int)", "ns::Class::method",
        "ns::Class::get(int) const", "ns::Class::get(int)", "ns::text(std::string const&)", "ns::value", "inner(int)",
        "(anonymous namespace)::unnamed(int)", "forms.o:inner(int)", "forms.o:inner",
    ],
)  # fmt: skip
def test_every_way_to_write_a_name_finds_it(compile, in_child, name):
    path = compile(FORMS, "c++", name="forms.o")

    def call():
        library = rtlinker.load(path)
        return library.address(name) == library.function(name).address if "value" not in name else library[name].value

    assert in_child(call) == (7 if "value" in name else True)


@pytest.mark.parametrize("name", ["twice<int>(int)", "int twice<int>(int)", "twice<int>"])
def test_the_command_takes_template_names(compile, rtlinker_command, name):
    assert rtlinker_command("load", compile(FORMS, "c++"), name, "21").stdout == "42\n"


def test_the_command_pulls_a_member_by_its_cxx_name(compile, archive, rtlinker_command):
    path = archive("libarea.a", compile(SOURCE, "c++"))
    assert rtlinker_command("load", path, "plane::only(int)", "3").stdout == "4\n"


def test_lookup_takes_cxx_names(compile, in_child):
    path = compile(FORMS, "c++")

    def call():
        with rtlinker.Linker() as linker:
            linker.load_object(path)
            linker.resolve()
            return (
                linker.lookup("ns::Class::method(int)") == linker.lookup("_ZN2ns5Class6methodEi") != linker.lookup("no")
            )

    assert in_child(call)


def test_given_symbols_take_cxx_names(compile, in_child):
    path = compile('namespace ns { int hook(int); } extern "C" int call(int x) { return ns::hook(x); }', "c++")
    given = [{"ns::hook(int)": (lambda x: x + 5, "int(int)")}, {"ns::hook": lambda x: x + 5}]
    for symbols in given:
        assert in_child(lambda symbols=symbols: rtlinker.load(path, symbols=symbols).call(2)) == 7


CONSTRUCTED = """
#include <cstdio>
namespace ns {
struct Base { int value; Base(int x); ~Base(); };
Base::Base(int x) : value(x) {}
Base::~Base() { value = -1; }
struct fC1E { static int get(int); };
int fC1E::get(int x) { return x; }
struct Virtual : virtual Base { Virtual(char c); };
Virtual::Virtual(char c) : Base(c) {}
}
"""


def test_both_names_of_a_constructor_and_a_destructor_are_typed(compile, in_child):
    for compiler in ("g++", "clang++"):
        for level in ("-O0", "-O2"):
            path = compile(CONSTRUCTED, "c++", flags=level, compiler=compiler)

            def call(path=path):
                library = rtlinker.load(path)
                names = ["_ZN2ns4BaseC1Ei", "_ZN2ns4BaseC2Ei", "_ZN2ns4BaseD1Ev", "_ZN2ns4BaseD2Ev"]
                types = [str(library[name].prototype) for name in names]
                room = (ctypes.c_int * 1)()
                library["ns::Base::Base(int)"](room, 7)
                virtual = [library[f"_ZN2ns7VirtualC{kind}Ec"].prototype.count(",") + 1 for kind in "12"]
                return types, room[0], virtual

            types, value, virtual = in_child(call)
            assert value == 7
            assert all(each.startswith("void ") and "Base *" in each for each in types), types
            assert types[0].endswith("int x)")
            assert virtual == [2, 3]  # the table of virtual bases is passed, too


def test_an_undefined_symbol_is_shown_as_people_write_it(compile, in_child):
    path = compile("namespace ns { int hook(int); } int use(int x) { return ns::hook(x); }", "c++")
    with pytest.raises(rtlinker.UndefinedSymbolsError) as caught:
        in_child(rtlinker.load, path)
    (symbol,) = caught.value.symbols
    assert symbol.name == "_ZN2ns4hookEi"
    assert "symbol  ns::hook(int)  (_ZN2ns4hookEi)\n" in str(caught.value)


def test_functions_and_places_are_shown_as_people_write_them(compile, in_child):
    path = compile(FORMS, "c++", name="shown.o")

    def call():
        library = rtlinker.load(path)
        function, datum = library["twice<int>"], library["ns::value"]
        place = library.linker.describe(function.address)
        return function.__name__, function.__doc__, repr(function), datum.__doc__, place

    name, text, shown, datum, place = in_child(call)
    assert (name, text, datum) == ("_Z5twiceIiET_S0_", "int twice<int>(int x)", "int ns::value")
    assert shown.startswith("<function int twice<int>(int x) at 0x")
    assert place.startswith("int twice<int>(int)+0x0 (")


def test_lookup_finds_cxx_names_of_the_process(in_child):
    def call():
        with rtlinker.Linker() as linker:
            linker.load_library("libstdc++.so.6")
            names = {
                "std::cout": "_ZSt4cout",
                "operator new(unsigned long)": "_Znwm",
                "std::ostream::flush()": "_ZNSo5flushEv",
                "std::ios_base::Init::Init()": "_ZNSt8ios_base4InitC1Ev",
            }
            found = [linker.lookup(name) for name in names]
            right = [address == linker.lookup(symbol) for address, symbol in zip(found, names.values())]
            assert None not in found
            assert linker.lookup("std::no_such_name") is None
            try:
                linker.lookup("std::string::size() const")  # of the old ABI and the new
            except rtlinker.LinkError as error:
                return right, error.headline
        return None

    assert in_child(call) == ([True] * 4, "several C++ symbols have this name")


def test_an_undefined_symbol_shows_who_refers_to_it_in_cxx(compile, in_child):
    path = compile("void gone(int); namespace plane { void lost() { gone(4); } }", "c++")

    def call():
        try:
            rtlinker.load(path)
        except rtlinker.UndefinedSymbolsError as error:
            return str(error), error.symbols[0].referrers
        return None

    text, referrers = in_child(call)
    assert ") in plane::lost()\n" in text + "\n"
    assert referrers[0].endswith(") in _ZN5plane4lostEv")
