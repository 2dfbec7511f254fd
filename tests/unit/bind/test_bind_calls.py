"""Calls of C functions through their own declarations."""

from __future__ import annotations

import ctypes
import threading

import pytest

from rtlinker.bind.call import Function, untyped
from rtlinker.bind.codec import EnumValue
from rtlinker.bind.ctype import UNTYPED, declare
from rtlinker.bind.prototype import parse_prototype
from rtlinker.errors import LinkError, SignatureError, UnsupportedError

SOURCE = """
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <complex.h>
#include <stdbool.h>
#include <stdint.h>
int add(int a, int b) { return a + b; }
int seven(void) { return 7; }
long long wide(long long a) { return a + 1; }
unsigned char byte(unsigned char b) { return b + 1; }
short tiny(short s) { return s; }
uint32_t u32(uint32_t u) { return u; }
uint64_t u64(uint64_t u) { return u; }
double half(double x) { return x / 2; }
float single(float x) { return x; }
long double extended(long double x) { return x + 1; }
bool negate(bool b) { return !b; }
char next(char c) { return c + 1; }
signed char schar(signed char c) { return c; }
double mixed(int a, double b, float c, short d, long e) { return a + b + c + d + e; }
long nine(long a, long b, long c, long d, long e, long f, long g, long h, double x) { return a+b+c+d+e+f+g+h+(long)x; }
enum color { RED, GREEN = 5, BLUE = -2 };
enum color paint(enum color c) { return c; }
typedef unsigned int counter_t;
counter_t count(counter_t c) { return c + 1; }
const char *greet(const char *name) { static char b[64]; snprintf(b, 64, "hi %s", name ? name : "nobody"); return b; }
char *scribble(char *text) { text[0] = '!'; return text; }
size_t length(const char *s) { return strlen(s); }
void *same(void *p) { return p; }
const char *nothing(void) { return 0; }
int sum(const int *v, int n) { int s = 0; while (n--) s += *v++; return s; }
void twice(double *v, int n) { for (int i = 0; i < n; i++) v[i] *= 2; }
int words(char **v) { int n = 0; while (v[n]) n++; return n; }
int first(const uint8_t *bytes) { return bytes[0]; }
int *cell(void) { static int c[3] = {10, 20, 30}; return c; }
int total(int n, ...) { va_list l; va_start(l, n); int s = 0; while (n--) s += va_arg(l, int); return s; }
int show(char *out, const char *format, ...) { va_list l; va_start(l, format); return vsprintf(out, format, l); }
int old(a, b) int a; float b; { return a + (int)(b * 2); }
int apply(int (*f)(int), int x) { return f(x); }
static int triple(int x) { return 3 * x; }
int (*pick(int yes))(int) { return yes ? triple : 0; }
void each(void (*f)(const char *word, double weight)) { f("one", 1.5); f("two", 2.5); }
static int (*saved)(int);
void save(int (*f)(int)) { saved = f; }
int run(int x) { return saved(x); }
int sorted(int *v, int n, int (*compare)(const void *, const void *)) { qsort(v, n, sizeof *v, compare); return v[0]; }
double complex turn(double complex z) { return z * I; }
float complex turnf(float complex z) { return z * I; }
__int128 negate128(__int128 x) { return -x; }
__int128 spill(long a, long b, long c, long d, long e, __int128 x) { return x; }
typedef float v4 __attribute__((vector_size(16)));
v4 vector(v4 v) { return v; }
struct holder { v4 v; };
struct holder holds(struct holder h) { return h; }
long double complex far(long double complex z) { return z; }
_Float128 quad(_Float128 q) { return q; }
void nop(void) {}
"""


@pytest.fixture(scope="module")
def native(build, compiler):
    quad = "_Float128 quad(_Float128 q) { return q; }"
    return build(SOURCE if compiler[0] == "gcc" else SOURCE.replace(quad, quad.replace("_Float128", "__float128")))


def test_an_int_function_adds(native):
    assert native.add(2, 3) == 5


def test_a_function_without_parameters_is_called(native):
    assert native.seven() == 7


def test_void_comes_back_as_none(native):
    assert native.nop() is None


def test_arguments_go_by_name_too(native):
    assert native.add(b=1, a=2) == 3
    assert native.add(2, b=5) == 7


def test_an_unknown_name_is_a_type_error(native):
    with pytest.raises(TypeError, match="'c' is no parameter"):
        native.add(1, c=2)


@pytest.mark.parametrize("arguments", [(), (1,), (1, 2, 3)])
def test_a_wrong_number_of_arguments_shows_the_prototype(native, arguments):
    with pytest.raises(TypeError, match=r"int add\(int a, int b\)"):
        native.add(*arguments)


@pytest.mark.parametrize("value", ["1", 1.0, None, b"1", [1]])
def test_a_wrong_type_of_argument_shows_the_prototype(native, value):
    with pytest.raises(SignatureError) as caught:
        native.add(1, value)
    assert caught.value.prototype == "int add(int a, int b)"
    assert "argument 2 (b)" in caught.value.headline


@pytest.mark.parametrize(
    ("name", "value"),
    [("byte", 300), ("byte", -1), ("tiny", 40000), ("u32", -1), ("u32", 1 << 32), ("u64", 1 << 64), ("wide", 1 << 63)],
)
def test_an_integer_out_of_range_is_refused(native, name, value):
    with pytest.raises(SignatureError, match="does not fit"):
        getattr(native, name)(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("tiny", -32768), ("tiny", 32767), ("u32", (1 << 32) - 1), ("u64", (1 << 64) - 1), ("schar", -128), ("u32", 0)],
)
def test_the_ends_of_a_range_pass(native, name, value):
    assert getattr(native, name)(value) == value


def test_floats_take_ints_and_floats(native):
    assert native.half(3) == 1.5
    assert native.half(5.0) == 2.5


def test_infinity_and_nan_pass(native):
    assert native.half(float("inf")) == float("inf")
    assert native.half(float("nan")) != native.half(float("nan"))


def test_a_float_too_large_for_c_float_is_refused(native):
    with pytest.raises(SignatureError, match="does not fit float"):
        native.single(1e300)


def test_long_double_passes_as_far_as_python_goes(native):
    assert native.extended(1.5) == 2.5


def test_bool_takes_and_gives_bool(native):
    assert native.negate(True) is False
    with pytest.raises(SignatureError):
        native.negate(2)


def test_char_is_a_character(native):
    assert native.next("a") == native.next(b"a") == native.next(97) == "b"
    with pytest.raises(SignatureError, match="single character"):
        native.next("ab")


def test_signed_char_is_a_number(native):
    assert native.schar(-5) == -5


def test_mixed_parameters_arrive(native):
    assert native.mixed(1, 2.5, 0.5, -3, 10) == 11.0


def test_parameters_beyond_the_registers_arrive(native):
    assert native.nine(1, 2, 3, 4, 5, 6, 7, 8, 9.0) == 45


def test_an_enum_goes_by_name_and_by_number(native):
    assert native.paint("GREEN") == native.paint(5) == 5
    assert native.paint("BLUE") == -2


def test_an_enum_comes_back_with_its_name(native):
    found = native.paint(5)
    assert isinstance(found, EnumValue)
    assert (found.name, repr(found)) == ("GREEN", "<GREEN: 5>")


def test_an_unknown_enumerator_names_the_known_ones(native):
    with pytest.raises(SignatureError, match="RED, GREEN, BLUE"):
        native.paint("PINK")


def test_typedefs_are_seen_through_and_shown(native):
    assert native.count(1) == 2
    assert native.count.__doc__ == "counter_t count(counter_t c)"


def test_text_goes_and_comes_as_utf8(native):
    assert native.greet("Bö") == "hi Bö"
    assert native.greet(b"x") == "hi x"
    assert native.greet(None) == "hi nobody"


def test_bytes_that_are_no_utf8_survive(native):
    assert native.greet(b"\xff\xfe").encode("utf-8", "surrogateescape") == b"hi \xff\xfe"


def test_null_text_is_none(native):
    assert native.nothing() is None


def test_c_cannot_write_into_python_text(native):
    text = b"constant"
    native.scribble(text)
    assert text == b"constant"


def test_c_writes_into_a_bytearray(native):
    text = bytearray(b"abc\0")
    native.scribble(text)
    assert text[:3] == b"!bc"


def test_a_ctypes_buffer_stands_for_char_pointer(native):
    buffer = ctypes.create_string_buffer(b"abc")
    native.scribble(buffer)
    assert buffer.value == b"!bc"


def test_void_pointer_takes_an_address_and_gives_an_int(native):
    assert native.same(0x1234) == 0x1234
    assert native.same(None) is None


def test_a_list_stands_for_a_const_pointer(native):
    assert native.sum([1, 2, 3], 3) == 6
    assert native.sum((4, 5), 2) == 9


def test_a_list_gets_back_what_c_wrote(native):
    values = [1.0, 2.5]
    native.twice(values, 2)
    assert values == [2.0, 5.0]


def test_an_element_that_does_not_fit_is_named(native):
    with pytest.raises(SignatureError, match="element 1"):
        native.sum([1, "x"], 2)


def test_numpy_arrays_are_passed_in_place(native):
    numpy = pytest.importorskip("numpy")
    values = numpy.array([1.0, 2.0])
    native.twice(values, 2)
    assert values.tolist() == [2.0, 4.0]


def test_a_buffer_of_another_element_type_is_refused(native):
    numpy = pytest.importorskip("numpy")
    with pytest.raises(SignatureError, match="format"):
        native.twice(numpy.array([1.0], dtype="f4"), 1)


def test_numpy_scalars_are_numbers(native):
    numpy = pytest.importorskip("numpy")
    assert native.add(numpy.int64(2), numpy.uint8(3)) == 5
    assert native.half(numpy.float32(3)) == 1.5


def test_a_list_of_text_is_an_argument_vector(native):
    assert native.words(["a", "b", "c"]) == 3


def test_bytes_stand_for_a_byte_pointer(native):
    assert native.first(b"A") == 65


def test_text_does_not_stand_for_an_int_pointer(native):
    with pytest.raises(SignatureError, match="const int"):
        native.sum("abc", 3)


def test_a_pointer_result_is_read_and_written_in_place(native):
    pointer = native.cell()
    assert (pointer.contents, pointer[2]) == (10, 30)
    pointer[1] = 21
    assert native.sum(pointer, 3) == 61
    pointer[1] = 20


def test_a_pointer_result_knows_its_address(native):
    pointer = native.cell()
    assert pointer and pointer == native.cell() and int(pointer) == pointer.address


def test_a_pointer_of_another_type_is_refused(native):
    with pytest.raises(SignatureError, match=r"wants double \*, got int \*"):
        native.twice(native.cell(), 1)


def test_variadic_ints_arrive(native):
    assert native.total(3, 10, 20, 30) == 60


def test_variadic_arguments_are_promoted(native):
    buffer = bytearray(64)
    native.show(buffer, "%d %.1f %s %ld %c", 7, 2.5, "text", 1 << 40, ord("x"))
    assert buffer.rstrip(b"\0") == b"7 2.5 text 1099511627776 x"


def test_variadic_functions_want_their_fixed_arguments(native):
    with pytest.raises(SignatureError, match="at least 1 argument"):
        native.total()


def test_a_function_without_prototype_promotes_float(native):
    assert native.old(1, 2.5) == 6


def test_a_python_callable_is_a_function_pointer(native):
    assert native.apply(lambda x: x * 10, 4) == 40


def test_a_function_of_the_library_is_a_function_pointer(native):
    assert native.apply(native.pick(1), 5) == 15


def test_a_function_pointer_comes_back_callable(native):
    found = native.pick(1)
    assert (found(4), found.prototype) == (12, "int(int)")
    assert native.pick(0) is None


def test_a_callback_gets_converted_arguments(native):
    seen = []
    native.each(lambda word, weight: seen.append((word, weight)))
    assert seen == [("one", 1.5), ("two", 2.5)]


def test_an_exception_of_a_callback_is_raised_after_the_call(native):
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        native.apply(broken, 1)


def test_the_first_of_several_exceptions_is_raised(native):
    def broken(word, weight):
        raise ValueError(word)

    with pytest.raises(ValueError, match="one"):
        native.each(broken)
    assert native.add(1, 1) == 2


def test_a_callback_result_that_does_not_fit_is_an_error(native):
    with pytest.raises(SignatureError, match="result of a callback"):
        native.apply(lambda x: "text", 1)


def test_a_saved_callback_outlives_the_call_that_passed_it(native):
    native.save(lambda x: x + 100)
    assert native.run(1) == 101


def test_an_exception_of_a_saved_callback_reaches_the_call_that_ran_it(native):
    native.save(lambda x: 1 // x)
    with pytest.raises(ZeroDivisionError):
        native.run(0)


def test_the_same_callable_is_one_thunk(native):
    def same(x):
        return x

    before = len(native.owner.kept)
    for _ in range(3):
        native.apply(same, 1)
    assert len(native.owner.kept) == before + 1


def test_a_callback_sorts_through_void_pointers(native):
    values = [3, 1, 2]

    def compare(a, b):
        return ctypes.c_int.from_address(a).value - ctypes.c_int.from_address(b).value

    assert native.sorted(values, 3, compare) == 1
    assert values == [1, 2, 3]


def test_complex_numbers_travel(native):
    assert native.turn(1 + 2j) == -2 + 1j
    assert native.turnf(1 + 2j) == -2 + 1j


def test_int128_travels_in_registers(native):
    assert native.negate128(1 << 100) == -(1 << 100)


def test_int128_that_needs_the_stack_is_refused(native):
    with pytest.raises(UnsupportedError, match="registers are taken"):
        native.spill(1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize("name", ["vector", "far", "quad", "holds"])
def test_what_ctypes_gets_wrong_is_refused_with_the_reason(native, name):
    with pytest.raises(UnsupportedError, match=r"psABI assigns \(section 3.2.3\)"):
        getattr(native, name)(0)


def test_a_call_after_unload_is_a_link_error(build):
    native = build("int f(int x) { return x; }")
    function = native.f
    native.owner.closed = True
    with pytest.raises(LinkError, match="library was unloaded"):
        function(1)


def test_the_docstring_is_the_declaration(native):
    assert native.apply.__doc__ == "int apply(int (*f)(int), int x)"
    assert native.total.__doc__ == "int total(int n, ...)"
    assert native.nop.__doc__ == "void nop(void)"


def test_calls_run_in_parallel_threads(native):
    results = []
    threads = [threading.Thread(target=lambda: results.append(native.apply(lambda x: x + 1, 1))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [2] * 8


def test_a_prototype_given_as_text_types_a_call(native):
    function = Function(native.address("greet"), parse_prototype("const char *(const char *)"), "greet")
    assert function("you") == "hi you"


def test_an_undescribed_function_takes_numbers_and_text(native):
    assert Function(native.address("length"), UNTYPED, "length")("four") == 4


def test_the_type_assumed_of_arguments_is_shown(native):
    assert declare(untyped([1, 1.5, "x"]), "f") == "long f(long, double, const char *)"
