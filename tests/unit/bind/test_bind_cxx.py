"""C++ functions through their own declarations, by their mangled names."""

from __future__ import annotations

import pytest

from rtlinker.bind.records import new_struct
from rtlinker.errors import UnsupportedError

SOURCE = """
struct Base { int id; };
struct Shape : Base { double w, h; double area() const; void grow(double k); };
double Shape::area() const { return w * h; }
void Shape::grow(double k) { w *= k; h *= k; }
Shape unit(double w) { Shape s; s.id = 7; s.w = w; s.h = 1; return s; }
int identify(Shape s) { return s.id; }
void increment(int &x) { ++x; }
struct Owner { int a; Owner(int v) : a(v) {} Owner(const Owner &o) : a(o.a) {} ~Owner() {} };
struct Holder { Owner owner; };
int take(Owner o) { return o.a; }
int hold(Holder h) { return h.owner.a; }
Owner give(int a) { return Owner(a); }
int peek(const Owner &o) { return o.a; }
struct Point { int x, y; Point() = default; Point(int a, int b) : x(a), y(b) {} };
int sum(Point p) { return p.x + p.y; }
enum class Kind : unsigned char { Small, Large = 200 };
Kind other(Kind k) { return k == Kind::Small ? Kind::Large : Kind::Small; }
namespace n { int twice(int v) { return 2 * v; } }
"""


@pytest.fixture(scope="module")
def native(build):
    return build(SOURCE, suffix=".cc")


def function(native, name):
    return getattr(native, name)


def test_a_member_function_takes_this_by_pointer(native):
    shape = function(native, "_Z4unitd")(3.0)
    function(native, "_ZN5Shape4growEd")(shape, 2)
    assert function(native, "_ZNK5Shape4areaEv")(shape) == 12.0


def test_members_of_a_base_class_are_fields(native):
    shape = function(native, "_Z4unitd")(3.0)
    assert (shape.id, shape.w) == (7, 3.0)
    assert function(native, "_Z8identify5Shape")(shape) == 7


def test_a_reference_takes_a_list_of_one(native):
    values = [41]
    function(native, "_Z9incrementRi")(values)
    assert values == [42]


@pytest.mark.parametrize("name", ["_Z4take5Owner", "_Z4hold6Holder"])
def test_a_class_that_its_constructor_copies_is_refused_by_value(native, name):
    with pytest.raises(UnsupportedError, match="constructor"):
        function(native, name)({})


def test_a_class_that_its_constructor_copies_is_refused_as_a_result(native):
    with pytest.raises(UnsupportedError, match="constructor"):
        function(native, "_Z4givei")(1)


def test_such_a_class_goes_by_reference(native):
    peek = function(native, "_Z4peekRK5Owner")
    assert peek(new_struct(peek.ctype.parameters[0].type.target.target, a=5)) == 5


def test_a_class_with_other_constructors_goes_by_value(native):
    assert function(native, "_Z3sum5Point")((2, 3)) == 5


def test_a_scoped_enum_goes_by_name(native):
    assert function(native, "_Z5other4Kind")("Small") == 200
    assert function(native, "_Z5other4Kind")("Kind::Large").name == "Small"


def test_a_function_of_a_namespace_is_called(native):
    assert function(native, "_ZN1n5twiceEi")(21) == 42
