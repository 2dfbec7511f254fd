"""Arguments and results are the same through a guard: stack, by value, variadic, long double; also when thrown."""

import pytest

import rtlinker

SOURCE = """
#include <cstdarg>
struct big { long v[9]; };
struct small { int a; double b; };
struct wide { long double x, y; };
extern "C" {
long many(int a, long b, long c, long d, long e, long f, long g, double h, int i, long double j, double k, long l) {
  if (a < 0) throw a;
  return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + (long)h * 8 + i * 9 + (long)j * 10 + (long)k * 11 + l * 12;
}
double doubles(double a, double b, double c, double d, double e, double f, double g, double h, double i, double j) {
  return a + b * 2 + c * 3 + d * 4 + e * 5 + f * 6 + g * 7 + h * 8 + i * 9 + j * 10;
}
long double twice(long double a, int t) { if (t) throw t; return a * 2; }
struct big bump(struct big b, int t) { if (t) throw t; for (auto &x : b.v) x++; return b; }
struct small turn(struct small s, int t) { if (t) throw t; return {(int)s.b, (double)s.a}; }
struct wide swap(int a, struct wide w, int t) { if (t) throw t; return {w.y + a, w.x}; }
__int128 shift(long a, long b, long c, long d, __int128 e, int t) { if (t) throw t; return e << (a + b + c + d); }
long sum(int count, ...) {
  va_list l; va_start(l, count);
  long s = 0;
  while (count--) s = s * 3 + va_arg(l, long);
  va_end(l);
  if (s < 0) throw s;
  return s;
}
double mixed(int count, ...) {
  va_list l; va_start(l, count);
  double s = 0;
  while (count--) { s = s * 2 + va_arg(l, double); s += va_arg(l, int); }
  va_end(l);
  return s;
}
}
"""


@pytest.fixture
def loaded(compile):
    path = compile(SOURCE, "c++")
    return lambda: rtlinker.load(path, libraries=["stdc++"])


def test_arguments_on_the_stack_arrive(loaded, in_child):
    numbers = [1, 2, 3, 4, 5, 6, 7, 8.0, 9, 10.0, 11.0, 12]

    def call():
        library = loaded()
        return library.many(*numbers), library.doubles(*map(float, range(1, 11)))

    assert in_child(call) == (sum(n * n for n in range(1, 13)), sum(n * n for n in range(1, 11)))


def test_values_in_memory_arrive_and_come_back(loaded, in_child):
    def call():
        library = loaded()
        return (
            library.twice(2.5, 0),
            list(library.bump((list(range(9)),), 0).v),
            tuple(library.turn((3, 4.5), 0)),
            tuple(library.swap(1, (2.0, 3.0), 0)),
            library.shift(1, 1, 1, 1, 1 << 100, 0),
        )

    assert in_child(call) == (5.0, list(range(1, 10)), (4, 3.0), (4.0, 2.0), 1 << 104)


CALLS = {
    "many": (-1, 2, 3, 4, 5, 6, 7, 8.0, 9, 10.0, 11.0, 12),
    "twice": (2.5, 1),
    "bump": ((list(range(9)),), 1),
    "turn": ((3, 4.5), 1),
    "swap": (1, (2.0, 3.0), 1),
    "shift": (1, 1, 1, 1, 1 << 100, 1),
    "sum": (9, *[0] * 8, -100),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_exception_leaves_a_call_of_any_shape(loaded, in_child, name):
    def call():
        library = loaded()
        for _ in range(20):  # a register stack that is left wrong shows only later
            with pytest.raises(rtlinker.ForeignExceptionError):
                library[name](*CALLS[name])
        return library.twice(3.5, 0), library.many(1, *[0] * 11)

    assert in_child(call) == (7.0, 1)


def test_variadic_calls_take_as_many_arguments_as_are_given(loaded, in_child):
    counts = [*range(20), 100, 500, 2]

    def call():
        library = loaded()
        return [library.sum(count, *[0] * (count - 10), *range(min(count, 10))) for count in counts]

    assert in_child(call) == [
        sum(number * 3 ** (min(count, 10) - 1 - number) for number in range(min(count, 10))) for count in counts
    ]


def test_variadic_doubles_use_registers_and_the_stack(loaded, in_child):
    pairs = [(float(n), n) for n in range(12)]
    expected = 0.0
    for number, integer in pairs:
        expected = expected * 2 + number + integer
    assert in_child(lambda: loaded().mixed(12, *[part for pair in pairs for part in pair])) == expected
