"""C++ names may be written as C++ writes them, wherever a name is asked for."""

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
