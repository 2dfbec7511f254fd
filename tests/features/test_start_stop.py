"""`__start_X` and `__stop_X` bound the sections named X of all objects of the link."""

import rtlinker

ENTRY = '__attribute__((section("registry"), used)) static const long entry%d = %d;'
SUM = """
extern const long __start_registry[], __stop_registry[];
long sum(void) { long s = 0; for (const long *p = __start_registry; p != __stop_registry; p++) s += *p; return s; }
long count(void) { return __stop_registry - __start_registry; }
"""


def test_the_sections_of_all_objects_lie_between_start_and_stop(compile, in_child):
    paths = compile(ENTRY % (1, 10)), compile(SUM), compile(ENTRY % (2, 200)), compile(ENTRY % (3, 3000))

    def call():
        library = rtlinker.load(*paths)
        return library.sum(), library.count()

    assert in_child(call) == (3210, 3)


def test_bounds_of_a_section_that_no_object_has_are_undefined(compile, in_child):
    path = compile(SUM)

    def undefined():
        try:
            rtlinker.load(path)
        except rtlinker.UndefinedSymbolsError as error:
            return sorted(symbol.name for symbol in error.symbols)

    assert in_child(undefined) == ["__start_registry", "__stop_registry"]
