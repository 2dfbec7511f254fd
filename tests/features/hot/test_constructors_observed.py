"""What constructors change when they run is among what was read off their code."""

import ctypes

import pytest

import rtlinker
from rtlinker.elf.reader import read_object
from rtlinker.hot.constructed import constructors

SOURCES = {
    "c": """
    int scalar, array[40], switched[8]; static int hidden; static long far[300]; char text[32]; double floats[9];
    struct node { struct node *next; int value; } nodes[5], *head; int by_pointer, by_callback, by_loop[16]; short half;
    static int inner_loop[16]; int untouched = 5;
    static void set(int *p, int v) { *p = v; } typedef void (*action)(void); static void call(void) { by_callback = 3; }
    static __attribute__((noinline)) void each(action a) { a(); } int choose(int);
    int choose(int k) { switch (k) { case 0: return 3; case 1: return switched[1] = 4; case 2: return half = 2;
      case 3: return switched[2] = 8; case 4: return hidden = 9; case 5: return 11; default: return 12; } }
    __attribute__((constructor)) static void first(void) { scalar = 1; set(&by_pointer, 2); each(call);
      for (int i = 1; i <= 16; i++) by_loop[i - 1] = i;
      for (int i = 1; i <= choose(0) + 13; i++) inner_loop[i - 1] = i; for (int i = 0; i < 6; i++) choose(i); }
    __attribute__((constructor)) static void second(void) { __builtin_memset(text, 'x', sizeof text);
      for (int i = 0; i < 5; i++) { nodes[i].next = head; nodes[i].value = i; head = &nodes[i]; }
      for (int i = 0; i < 9; i++) floats[i] = i * 1.5; for (int i = 299; i >= 0; i--) far[i] = i + untouched;
      int *p = array + 39; while (p >= array) *p-- = 7; }
    long read(void) { return hidden + far[3] + inner_loop[4]; }""",
    "c++": """
    struct part { int a, b; part(int x) : a(x), b(x * 2) {} ~part() {} }; part one(3), two[3] = {1, 2, 3};
    static int counter = 2; static int next() { return counter *= 3; } int computed = next(), again = next();
    struct base { virtual int id() { return 1; } int k = counter; };
    struct derived : base { int id() override { return 2; } int m = 9; }; derived object;
    base *pointer = &object; inline int shared = next(); int quiet = 8;
    template <class T> struct box { static T content; }; template <class T> T box<T>::content = T(next());
    double use() { return box<double>::content + quiet + one.a + two[1].b; } thread_local int each = next();""",
}


def changed(path):
    """The variables whose bytes are not those of the file once the object is loaded."""
    object = read_object(path.read_bytes(), "a.o")
    found = set()
    with rtlinker.load(path) as library:
        for index in range(1, len(object.symbols)):
            symbol = object.symbols.symbol(index)
            if symbol.type != 1 or symbol.section <= 0 or not object.sections.flags[symbol.section] & 1:
                continue
            relocated = any(table.section == symbol.section for table in object.relocations)
            if relocated or symbol.name.startswith("_ZGV"):
                continue  # other bytes for other reasons
            content = object.content(symbol.section)[symbol.value : symbol.value + symbol.size]
            if object.sections.types[symbol.section] == 8:  # SHT_NOBITS
                content = bytes(symbol.size)
            if ctypes.string_at(library.address(symbol.name), symbol.size) != content:
                found.add(symbol.name)
    return found


@pytest.mark.parametrize(
    "flags", ["-O0", "-O1", "-O2", "-O3 -fPIC", "-O0 -fPIC", "-O1 -fno-pic", "-O2 -fdata-sections", "-Os -fno-pic"]
)
@pytest.mark.parametrize("language", SOURCES)
@pytest.mark.parametrize("family", ["gcc", "clang"])
def test_what_changes_was_said_to_change(compile, in_child, language, flags, family):
    compiler = {"gcc": "g++", "clang": "clang++"}[family] if language == "c++" else family
    standard = " -std=c++17" if language == "c++" else ""
    path = compile(SOURCES[language], language, flags + standard, compiler=compiler)
    object = read_object(path.read_bytes(), "a.o")
    said = {touched.name for constructor in constructors(object) for touched in constructor.touched}
    really = in_child(changed, path)
    assert really, "nothing changed"
    assert really <= said
    if "-fdata-sections" in flags:
        assert not {"untouched", "quiet", "", "read"} & said
