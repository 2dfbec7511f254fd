"""C++ exceptions thrown and caught in loaded code, with destructors on the way."""

import pytest

import rtlinker

SOURCE = """
#include <stdexcept>
#include <string>
struct Counted { int *count; ~Counted() { ++*count; } };
static int thrower(int x, int *count) {
  Counted local{count};
  if (x > 2) throw std::runtime_error("too big: " + std::to_string(x));
  return x;
}
extern "C" int catcher(int x) {
  int count = 0;
  try { return thrower(x, &count); }
  catch (const std::exception &error) { return 1000 * count + (int)std::string(error.what()).size(); }
}
"""


@pytest.mark.parametrize("flags", [["-O0"], ["-O2"], ["-O2", "-fno-pic"], ["-O1", "-ffunction-sections"]])
def test_an_exception_is_caught_and_destructors_run(compile, in_child, flags):
    path = compile(SOURCE, "c++", flags=flags)

    def call():
        with rtlinker.load(path, libraries=["stdc++"]) as library:
            return library.catcher(1), library.catcher(5)

    assert in_child(call) == (1, 1000 + len("too big: 5"))


def test_frames_are_taken_back_with_the_library(compile, in_child):
    path = compile(SOURCE, "c++")

    def call():
        results = []
        for _ in range(50):
            with rtlinker.load(path, libraries=["stdc++"]) as library:
                results.append(library.catcher(5))
        return set(results)

    assert in_child(call) == {1010}
