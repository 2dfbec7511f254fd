"""A failed load leaves the process as it was: nothing mapped, nothing run, nothing registered."""

import pytest

import rtlinker
from tests.support.child import memory_map

GOOD = """
extern void note(int);
__attribute__((constructor)) static void up(void) { note(1); }
static int table[3];
int once = 1;
int *pick(int i) { return table + i; }
"""
FAILURES = {
    "undefined": ("int missing(void); int f(void) { return missing(); }", rtlinker.UndefinedSymbolsError),
    "unreachable data": ("extern int optind; int f(void) { return optind; }", rtlinker.RelocationError),
    "thread-local": ("__thread int t[9999]; int f(void) { return t[0]; }", rtlinker.ThreadStorageError),
    "thread-local, then overflow": (
        '__thread int t; int f(void) { return t; } __asm__(".data; .byte once");',
        rtlinker.RelocationOverflowError,
    ),
    "duplicate": ("int once = 2;", rtlinker.DuplicateSymbolError),
    "overflow": ('__asm__(".data; .byte once");', rtlinker.RelocationOverflowError),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failed_load_changes_nothing(compile, in_child, failure):
    source, error = FAILURES[failure]
    paths = compile(GOOD, flags="-fno-pic"), compile(source, flags="-fno-pic")

    def call():
        seen, maps = [], []
        for _ in range(5):  # the first rounds import modules and grow the heap
            with pytest.raises(error):
                rtlinker.load(*paths, symbols={"note": (seen.append, "void(int)")})
            maps.append({mapping[:3] for mapping in memory_map() if "x" in mapping.letters or mapping.end < 1 << 31})
        return seen, maps[-1] == maps[1]

    assert in_child(call) == ([], True)


def test_a_failed_resolve_can_be_repeated_when_what_was_missing_is_there(compile, in_child):
    path = compile("int missing(void); int user_of_it(void) { return missing() + 1; }")
    missing = compile("int missing(void) { return 1; }")

    def call():
        from ctypes import CFUNCTYPE, c_int

        with rtlinker.Linker() as linker:
            linker.load_object(path)
            with pytest.raises(rtlinker.UndefinedSymbolsError):
                linker.resolve()
            nothing = linker.lookup("user_of_it")
            linker.load_object(missing)
            linker.resolve()
            return nothing, CFUNCTYPE(c_int)(linker.lookup("user_of_it"))()

    assert in_child(call) == (None, 2)
