"""Names that the user gives a meaning: an address, a Python callable with a prototype, or one typed by DWARF."""

import ctypes

import pytest

import rtlinker

SOURCE = "int hook(int); int call(int x) { return hook(x) + 1; }"


def test_an_address_defines_a_name(compile, in_child):
    path = compile("int hook(int x) { return 2 * x; }"), compile(SOURCE)

    def call():
        other = rtlinker.load(path[0])
        return rtlinker.load(path[1], symbols={"hook": other.address("hook")}).call(20)

    assert in_child(call) == 41


def test_a_python_callable_with_a_prototype_defines_a_name(compile, in_child):
    path = compile(SOURCE, flags="-g0")

    def call():
        library = rtlinker.load(path, symbols={"hook": (lambda x: 3 * x, "int(int)")})
        return library.function("call", "int(int)")(10)

    assert in_child(call) == 31


def test_a_python_callable_takes_its_types_from_the_declaration(compile, in_child):
    path = compile('double hook(double, const char *); double call(void) { return hook(1.5, "text"); }')

    def call():
        seen = []
        library = rtlinker.load(path, symbols={"hook": lambda number, text: seen.append((number, text)) or 2.25})
        return library.call(), seen

    result, [(number, text)] = in_child(call)
    assert (result, number) == (2.25, 1.5)
    assert text in {"text", b"text"}


def test_a_ctypes_function_defines_a_name(compile, in_child):
    path = compile(SOURCE)

    def call():
        hook = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: -x)
        return rtlinker.load(path, symbols={"hook": hook}).call(5)

    assert in_child(call) == -4


def test_a_callable_whose_type_nobody_knows_is_refused(compile, in_child):
    path = compile(SOURCE, flags="-g0")
    with pytest.raises(rtlinker.SignatureError):
        in_child(lambda: rtlinker.load(path, symbols={"hook": lambda x: x}))
