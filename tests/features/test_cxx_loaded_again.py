"""An object that is loaded again shares inline state with those that use it, and brings its own inline code."""

import pytest

import rtlinker

SOURCE = """
inline int &counter() { static int count = 0; return count; }
template <class T> struct Held { static T value; };
template <class T> T Held<T>::value = 5;
inline int global = 8;
inline int version() { return VERSION; }
#define NAMED(n) extern "C" int *counter_##n() { return &counter(); } \\
  extern "C" int *held_##n() { return &Held<int>::value; } \\
  extern "C" int *global_##n() { return &global; } extern "C" int version_##n() { return version(); }
"""


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
@pytest.mark.parametrize("flags", ["-O0 -fPIC", "-O2 -fPIC", "-O1 -fPIE"])
def test_inline_state_is_shared_and_inline_code_is_new(compile, in_child, compiler, flags):
    def made(name, version):
        text = SOURCE + f"NAMED({name})"
        return compile(text, "c++", f"{flags} -std=c++17 -fno-inline -DVERSION={version}", compiler)

    first, user, again = made("a", 1), made("b", 1), made("a", 2)

    def call():
        linker = rtlinker.Linker()
        for path in (first, user):
            linker.load_object(path)
            linker.resolve()
        linker.unload(first)
        linker.load_object(again)
        linker.resolve()
        library = rtlinker.Library(linker, "again")

        def address(name):
            return library.function(name, "unsigned long(void)")()

        same = [address(f"{name}_a") == address(f"{name}_b") != 0 for name in ("counter", "held", "global")]
        return same, library.function("version_a", "int(void)")(), library.function("version_b", "int(void)")()

    assert in_child(call) == ([True, True, True], 2, 1)
