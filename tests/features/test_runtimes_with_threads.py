"""What compilers' runtimes build on thread-local variables: C++'s futures, decimal numbers, split stacks, OpenMP."""

import pytest

import rtlinker

FUTURES = """
#include <future>
#include <mutex>
static std::once_flag once;
static int ready;
extern "C" int work(int x) {
  std::call_once(once, [] { ready += 5; });
  auto later = std::async(std::launch::async, [x] { return 2 * x; });
  return later.get() + ready;
}
"""
DECIMAL = """
static _Decimal64 add(_Decimal64 a, _Decimal64 b) { return a + b; }
int work(int x) { return add(x, 1.5dd) * 2; }
"""
SPLIT = """
static int deep(int n) { volatile char room[4000]; room[n % 4000] = 1; return n ? deep(n - 1) + room[n % 4000] : 0; }
int work(int n) { return deep(1000 * n); }
"""
PRIVATE = """
int mine = 7;
#pragma omp threadprivate(mine)
int work(int x) {
  int sum = 0, threads = 0;
  mine = x;
  #pragma omp parallel num_threads(3) copyin(mine) reduction(+ : sum, threads)
  { mine += 1; sum += mine; threads += 1; }
  return sum == threads * (x + 1) ? mine : -1;
}
"""
PROGRAMS = {
    "std::async and std::call_once": (FUTURES, "c++", "", (), 13),
    "decimal floating point": (DECIMAL, "c", "-O0", (), 11),
    "split stacks": (SPLIT, "c", "-O0 -fsplit-stack", (), 4000),
    "OpenMP threadprivate": (PRIVATE, "c", "-fopenmp", ("gomp",), 5),
}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("flags", ["-fPIC", "-fPIE"])
def test_it_runs(compile, in_child, program, flags):
    source, language, options, libraries, expected = PROGRAMS[program]
    path = compile(source, language, flags=f"{flags} {options}")

    def call():
        library = rtlinker.load(path, libraries=libraries)
        return library.work(4), library.work(4)

    assert in_child(call) == (expected, expected)
