"""Structs, unions, arrays and variables."""

from __future__ import annotations

import pytest

from rtlinker.bind.ctype import plain
from rtlinker.bind.records import new_struct
from rtlinker.errors import LinkError, SignatureError, UnsupportedError

SOURCE = """
#include <stdint.h>
struct point { int x; double y; };
struct floats { float a, b, c; };
struct letters { char text[3]; };
struct large { long a, b, c; int d; };
struct pair { double a, b; };
struct ints { int a, b; };
struct nested { struct point p; union { int i; float f; }; int tail[2]; };
union either { double d; long l; };
struct bits { unsigned a : 3; int b : 5; unsigned long c : 40; };
struct bitpair { int low : 4; double d; };
struct packed { char c; int i; } __attribute__((packed));
struct wide { long double v; int i; };
struct one { long double v; };
struct blank {};
struct node { struct node *next; int value; };
struct op { const char *name; int (*run)(int); };

struct point make(int x, double y) { struct point p = {x, y}; return p; }
double use(struct point p) { return p.x + p.y; }
void scale(struct point *p, int k) { p->x *= k; p->y *= k; }
double peek(const struct point *p, int n) { double s = 0; for (int i = 0; i < n; i++) s += p[i].y; return s; }
struct floats floats(struct floats f) { f.a *= 2; f.b *= 3; f.c *= 4; return f; }
int letters(struct letters l) { return l.text[0] + l.text[1] + l.text[2]; }
struct large large(struct large l, int k) { l.a += k; l.d += k; return l; }
struct pair swap(struct pair p) { struct pair q = {p.b, p.a}; return q; }
struct ints swapi(struct ints p) { struct ints q = {p.b, p.a}; return q; }
struct nested nest(struct nested n) { n.p.x++; n.i++; n.tail[1]++; return n; }
long bits_of(union either e) { return e.l; }
union either either(double d) { union either e; e.d = d; return e; }
struct bits bits(struct bits b) { b.a++; b.b--; b.c++; return b; }
struct bitpair bitpair(struct bitpair b) { b.low++; b.d *= 2; return b; }
int packed(struct packed p) { return p.i; }
int packed_at(struct packed *p) { return p->i; }
double wide(int a, struct wide w) { return a + w.v + w.i; }
double one(struct one o) { return o.v; }
struct one one_back(double d) { struct one o = {d}; return o; }
int sum7(int a, int b, int c, int d, int e, struct ints s, struct pair p, struct point q)
{ return a+b+c+d+e+s.a+s.b+p.a+p.b+q.x+q.y; }
double last(double x, int a, int b, int c, int d, int e, struct point p, double y)
{ return x * 100 + e + p.x + p.y + y; }
int total(struct node *n) { int s = 0; for (; n; n = n->next) s += n->value; return s; }
static struct node tail = {0, 2}; struct node chain = {&tail, 1};
struct node *head(void) { return &chain; }
int run(struct op *o, int x) { return o->run(x); }
int call(int (*f)(struct ints), int a) { struct ints i = {a, a}; return f(i); }

int counter = 7;
const int fixed = 5;
int numbers[4] = {1, 2, 3, 4};
int grid[2][3] = {{1, 2, 3}, {4, 5, 6}};
char text[8] = "abc";
const char *name = "old";
struct point here = {3, 4.5};
struct point places[2] = {{1, 1}, {2, 2}};
const struct point origin = {0, 0};
struct bits flags = {1, -2, 3};
double ratio = 0.5;
int (*handler)(int);
int handle(int x) { return handler ? handler(x) : -1; }
_Bool on = 1;
enum { LOW, HIGH } level = HIGH;
char letter = 'q';
"""


@pytest.fixture(scope="module")
def native(build):
    return build(SOURCE)


def test_a_struct_comes_back_with_fields(native):
    point = native.make(3, 4.5)
    assert (point.x, point.y) == (3, 4.5)
    assert repr(point) == "point(x=3, y=4.5)"


def test_a_struct_goes_by_value(native):
    assert native.use(native.make(3, 4.5)) == 7.5


def test_a_dict_or_tuple_is_a_struct(native):
    assert native.use({"x": 1, "y": 2}) == native.use((1, 2)) == 3.0


def test_an_unknown_field_of_a_dict_is_refused(native):
    with pytest.raises(SignatureError, match="no field 'z'"):
        native.use({"z": 1})


def test_a_struct_goes_by_pointer_and_is_written(native):
    point = native.make(2, 3)
    native.scale(point, 10)
    assert tuple(point) == (20, 30.0)


def test_a_dict_by_pointer_gets_back_what_c_wrote(native):
    point = {"x": 2, "y": 3.0}
    native.scale(point, 10)
    assert point == {"x": 20, "y": 30.0}


def test_a_list_of_structs_is_an_array(native):
    assert native.peek([(0, 1.5), (0, 2.5)], 2) == 4.0


def test_another_struct_is_refused(native):
    with pytest.raises(SignatureError, match="wants struct point, got struct ints"):
        native.use(native.swapi((1, 2)))


def test_fields_are_checked_as_arguments_are(native):
    point = native.make(1, 2)
    with pytest.raises(SignatureError):
        point.x = "text"
    with pytest.raises(AttributeError, match="it has x, y"):
        point.z = 1


def test_a_struct_is_made_from_python(native):
    record = plain(native.use.ctype.parameters[0].type)
    assert native.use(new_struct(record, 1, y=2.5)) == 3.5


def test_equal_structs_are_equal(native):
    assert native.make(1, 2) == native.make(1, 2) != native.make(1, 3)


def test_three_floats_travel(native):
    assert tuple(native.floats((1, 2, 3))) == (2.0, 6.0, 12.0)


def test_a_struct_of_characters_travels(native):
    assert native.letters(("abc",)) == 97 + 98 + 99


def test_a_large_struct_travels_in_memory(native):
    assert tuple(native.large((1, 2, 3, 4), 10)) == (11, 2, 3, 14)


def test_two_doubles_and_two_ints_travel(native):
    assert tuple(native.swap((1, 2))) == (2.0, 1.0)
    assert tuple(native.swapi((1, 2))) == (2, 1)


def test_members_of_an_anonymous_union_belong_to_the_struct(native):
    found = native.nest({"p": (1, 2.0), "i": 5, "tail": [7, 8]})
    assert (found.p.x, found.i, found.tail) == (2, 6, [7, 9])


def test_a_union_travels(native):
    assert native.bits_of({"d": 1.5}) == 0x3FF8000000000000
    assert native.either(2.0).d == 2.0


def test_bit_fields_travel_and_keep_their_sign(native):
    assert tuple(native.bits((1, -3, 1 << 38))) == (2, -4, (1 << 38) + 1)


def test_bit_fields_share_registers_with_doubles_rightly(native):
    assert tuple(native.bitpair((-3, 1.5))) == (-2, 3.0)


def test_a_bit_field_checks_its_width(native):
    with pytest.raises(SignatureError, match="3 bits"):
        native.bits((8, 0, 0))


def test_unaligned_fields_by_value_are_refused(native):
    with pytest.raises(UnsupportedError, match="not aligned"):
        native.packed((1, 2))


def test_unaligned_fields_by_pointer_are_read(native):
    assert native.packed_at((1, 258)) == 258


def test_a_struct_with_long_double_goes_by_value(native):
    assert native.wide(1, (2.5, 3)) == 6.5
    assert native.one((2.5,)) == 2.5


def test_a_struct_from_the_x87_stack_is_refused(native):
    with pytest.raises(UnsupportedError, match="x87"):
        native.one_back(1.0)


def test_structs_beyond_the_registers_go_to_the_stack_whole(native):
    assert native.sum7(1, 2, 3, 4, 5, (6, 7), (8, 9), (10, 11)) == 66


def test_a_struct_in_the_last_integer_register_leaves_the_doubles_alone(native):
    assert native.last(7.0, 1, 2, 3, 4, 5, (6, 8.5), 0.25) == 719.75


def test_a_struct_that_points_to_itself_is_followed(native):
    head = native.head()
    assert (head.value, head.next.value, bool(head.next.next)) == (1, 2, False)


def test_a_chain_made_in_python_is_walked_by_c(native):
    record = plain(native.chain.ctype)
    last = new_struct(record, value=5)
    first = new_struct(record, value=6)
    first.next = last
    assert native.total(first) == 11


def test_a_python_callable_is_stored_in_a_struct(native):
    operation = new_struct(plain(native.run.ctype.parameters[0].type).target, name="double", run=lambda x: 2 * x)
    assert native.run(operation, 21) == 42
    assert operation.name == "double"


def test_text_in_a_struct_of_our_own_lives_as_long_as_the_struct(native):
    record = plain(native.run.ctype.parameters[0].type).target
    operations = [new_struct(record, name=f"name {number}") for number in range(50)]
    assert [operation.name for operation in operations] == [f"name {number}" for number in range(50)]


def test_a_callback_gets_a_struct_by_value(native):
    assert native.call(lambda pair: pair.a + pair.b, 4) == 8


def test_a_variable_is_read_and_written_in_place(native):
    native.counter.value = 41
    assert native.counter.value == 41
    assert native.counter.__doc__ == "int counter"


def test_a_variable_checks_what_is_written(native):
    with pytest.raises(SignatureError, match="cannot set counter"):
        native.counter.value = "text"


def test_const_data_is_not_written(native):
    with pytest.raises(SignatureError, match="const"):
        native.fixed.value = 6
    with pytest.raises(SignatureError, match="const"):
        native.origin.value.x = 1


def test_an_array_is_read_and_written_by_element(native):
    native.numbers[1] = 20
    assert native.numbers.value == [1, 20, 3, 4]
    assert (native.numbers[-1], native.numbers[1:3], len(native.numbers)) == (4, [20, 3], 4)
    native.numbers.value = [1, 2, 3, 4]


def test_an_index_outside_is_an_index_error(native):
    with pytest.raises(IndexError, match=r"int \[4\]"):
        native.numbers[4]


def test_too_many_values_are_refused(native):
    with pytest.raises(SignatureError, match="5 values do not fit"):
        native.numbers.value = [1] * 5


def test_two_dimensions_are_arrays_of_arrays(native):
    native.grid[1][2] = 60
    assert native.grid.value == [[1, 2, 3], [4, 5, 60]]
    assert native.grid.__doc__ == "int grid[2][3]"


def test_an_array_offers_its_bytes(native):
    assert bytes(native.numbers.value.buffer) == b"".join(n.to_bytes(4, "little") for n in (1, 2, 3, 4))


def test_a_char_array_is_text(native):
    native.text.value = "hello"
    assert native.text.value == "hello"
    with pytest.raises(SignatureError, match="9 bytes do not fit"):
        native.text.value = "123456789"


def test_text_stored_in_a_pointer_stays(native):
    native.name.value = "new" * 10
    assert native.name.value == "new" * 10


def test_a_struct_variable_is_a_view(native):
    native.here.value.x = 30
    assert native.here.value.x == 30
    native.here.value = {"y": 1.5}
    assert tuple(native.here.value) == (30, 1.5)


def test_an_array_of_structs_is_written_through(native):
    native.places[1].x = 9
    assert native.peek(native.places, 2) == 3.0
    assert native.places[1].x == 9


def test_a_variable_stands_for_a_pointer_to_it(native):
    native.here.value = (1, 1)
    native.scale(native.here, 5)
    assert tuple(native.here.value) == (5, 5.0)


def test_bit_fields_of_a_variable_leave_their_neighbours(native):
    native.flags.value.b = 7
    assert tuple(native.flags.value) == (1, 7, 3)


def test_a_function_pointer_variable_takes_a_callable(native):
    native.handler.value = lambda x: x + 1
    assert native.handle(1) == 2
    native.handler.value = None
    assert native.handle(1) == -1
    assert native.handler.value is None


def test_small_types_are_variables_too(native):
    assert (native.on.value, native.level.value.name, native.letter.value) == (True, "HIGH", "q")


def test_data_of_an_unloaded_library_is_a_link_error(build):
    native = build("int v[2]; struct s { int a; } s;")
    view, array = native.s.value, native.v.value
    data = native.v
    native.owner.closed = True
    for read in (lambda: data.value, lambda: view.a, lambda: array[0]):
        with pytest.raises(LinkError, match="unloaded"):
            read()
