"""A static function is not for other objects, and can be called by name all the same."""

import rtlinker

SOURCE = "static int __attribute__((used, noinline)) doubled_here(int x) { return 2 * x; }"


def test_a_static_function_is_found_by_name(compile, in_child):
    path = compile(SOURCE)
    assert in_child(lambda: rtlinker.load(path).doubled_here(21)) == 42


def test_a_static_function_is_not_there_for_other_objects(compile, in_child):
    path, other = compile(SOURCE), compile("int doubled_here(int); int f(void) { return doubled_here(1); }")

    def undefined():
        try:
            rtlinker.load(path, other)
        except rtlinker.UndefinedSymbolsError as error:
            return [symbol.name for symbol in error.symbols]

    assert in_child(undefined) == ["doubled_here"]
