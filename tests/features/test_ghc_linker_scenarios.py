"""What GHC's tests ask of its own linker, asked of `Linker`: rounds, users and used, failures, hidden names, archives.

Written anew from what each of those tests verifies; their names stand in the docstrings.
"""

from ctypes import CFUNCTYPE, addressof, c_int
from itertools import permutations

import pytest

import rtlinker
from rtlinker.host.mappings import read_mappings
from tests.support.child import mapped


def code_in_memory():
    """How many pieces of executable memory are no file's."""
    return sum("x" in row.permissions and not row.path.startswith("/") for row in read_mappings())


def call(linker, name):
    return CFUNCTYPE(c_int)(linker.lookup(name))()


def resolved(linker, *paths):
    """Each object linked by itself, as GHC does it."""
    for path in paths:
        linker.load_object(path)
        linker.resolve()
    return linker


def test_a_thousand_rounds_of_load_resolve_look_up_call_and_unload(compile, in_child):
    """linker_unload: every round finds the name, none leaves it, and the address space is what it was."""
    path = compile("static int calls[4096]; int counted(void) { return ++calls[0]; }")

    def run():
        with rtlinker.Linker() as linker:
            found, counts = set(), []
            for _ in range(1_000):
                linker.load_object(path)
                linker.resolve()
                found.add((call(linker, "counted"), call(linker, "counted")))
                linker.unload(path)
                found.add(linker.lookup("counted"))
                counts.append(code_in_memory())
            return found, len(set(counts)), len(linker.images)

    assert in_child(run) == ({(1, 2), None}, 1, 0)


CHAIN = [
    "int a(void) { return 1; }",
    "int a(void); int b(void) { return a() + 10; }",
    "int a(void); int b(void); int c(void) { return a() + b() + 100; }",
    "int b(void); int c(void); int d(void) { return b() + c() + 1000; }",
]
USES = {"a": "", "b": "a", "c": "ab", "d": "abc"}
"""What each needs of the others, directly or not."""


@pytest.mark.parametrize("order", ["".join(order) for order in permutations("abcd")])
def test_what_others_use_is_not_freed_before_they_go(compile, in_child, order):
    """linker_unload_multiple_objs: four objects that use each other, unloaded in any order."""
    paths = dict(zip("abcd", [compile(source) for source in CHAIN]))

    def run():
        with rtlinker.Linker() as linker:
            resolved(linker, *paths.values())
            address = {name: linker.lookup(name) for name in "abcd"}
            wrong = []
            for at, gone in enumerate(order):
                linker.unload(paths[gone])
                left = order[at + 1 :]
                there = {name for name in "abcd" if "x" in mapped(address[name])}
                wanted = {*left, *[used for name in left for used in USES[name]]}
                results = [CFUNCTYPE(c_int)(address[name])() for name in sorted(left)]
                good = [{"a": 1, "b": 11, "c": 112, "d": 1123}[name] for name in sorted(left)]
                if (there, results, linker.lookup(gone)) != (wanted, good, None):
                    wrong.append((gone, there, results))
            return wrong

    assert in_child(run) == []


BAD = {
    "unknown symbol": (None, rtlinker.UndefinedSymbolsError),
    "no object": (b"this is no object\n", rtlinker.BadObjectError),
    "empty": (b"", rtlinker.BadObjectError),
    "cut off": (b"\x7fELF\x02\x01\x01" + bytes(40), rtlinker.BadObjectError),
}


@pytest.mark.parametrize("what", BAD)
def test_a_failure_is_clean_ten_times_in_a_row(compile, in_child, what):
    """linker_error1 and 2: nothing of a failed load is left, and what was there works on."""
    content, error = BAD[what]
    good = compile("int good(void) { return 5; }")
    bad = compile("int nobody_has_this(void); int poison(void) { return nobody_has_this(); }", name="bad.o")
    if content is not None:
        bad.write_bytes(content)

    def run():
        with rtlinker.Linker() as linker:
            resolved(linker, good)
            before, found = code_in_memory(), []
            for _ in range(10):
                with pytest.raises(error):
                    resolved(linker, bad)
                linker.forget(str(bad))
                found.append((linker.lookup("poison"), call(linker, "good"), len(linker.images)))
            linker.resolve()
            return set(found), code_in_memory() - before

    assert in_child(run) == ({(None, 5, 1)}, 0)


def test_an_unresolvable_object_waits_for_its_library(compile, in_child):
    """GHC poisons every later resolve: here the name is looked for again, and found."""
    user = compile("int late(void); int user(void) { return late() + 1; }")
    used = compile("int late(void) { return 1; }")

    def run():
        with rtlinker.Linker() as linker:
            with pytest.raises(rtlinker.UndefinedSymbolsError):
                resolved(linker, user)
            return call(resolved(linker, used), "user")

    assert in_child(run) == 2


HIDDEN = '__attribute__((visibility("hidden"))) int foo(void) { return 1; } int inner(void) { return foo(); }'
VISIBLE = "int foo(void) { return 2; } int outer(void) { return foo(); }"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["hidden first", "visible first"])
def test_a_hidden_name_clashes_with_no_name_of_another_object(compile, in_child, order):
    """T25191: each object means its own, and everybody else the visible one."""
    paths = compile(HIDDEN), compile(VISIBLE), compile("int foo(void); int other(void) { return foo(); }")

    def run():
        with rtlinker.Linker() as linker:
            resolved(linker, *[paths[at] for at in order], paths[2])
            return [call(linker, name) for name in ("inner", "outer", "foo", "other")]

    assert in_child(run) == [1, 2, 2, 2]


PRIORITIES = """
extern int seen[], count;
__attribute__((constructor(%d))) static void start%d(void) { seen[count++] = %d; }
__attribute__((destructor(%d))) static void stop%d(void) { seen[count++] = -%d; }
"""


def test_constructors_rise_and_destructors_fall_by_priority(compile, in_child):
    """T20494, T27072: across the objects of a link, once in each of many rounds, into a counter that was given."""
    paths = [compile("".join(PRIORITIES % ((n,) * 6) for n in numbers)) for numbers in ((2000, 1000), (1500, 500))]

    def run():
        seen, count, rounds = (c_int * 64)(), c_int(0), set()
        with rtlinker.Linker() as linker:
            linker.define("seen", addressof(seen))
            linker.define("count", addressof(count))
            for _ in range(20):
                count.value = 0
                for path in paths:
                    linker.load_object(path)
                linker.resolve()
                for path in paths:
                    linker.unload(path)
                rounds.add(tuple(seen[: count.value]))
        return rounds

    up = (500, 1000, 1500, 2000)
    assert in_child(run) == {(*up, *[-each for each in reversed(up)])}


A = "int which(void) { return 1; } int only_a(void) { return 10; }"
B = "int which(void) { return 2; } int only_b(void) { return 20; }"


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_of_two_archives_with_one_name_the_first_serves_it(compile, archive, in_child, order):
    """T11223 link_order_a_b, link_order_b_a, simple_unused_duplicate_lib."""
    archives = {"a": archive("liba.a", compile(A)), "b": archive("libb.a", compile(B))}
    user = compile("int which(void); int user(void) { return which(); }")

    def run():
        with rtlinker.Linker() as linker:
            for name in order:
                linker.load_archive(archives[name])
            return call(resolved(linker, user), "user"), len(linker.pulls())

    assert in_child(run) == (" ab".index(order[0]), 1)


def test_a_member_of_the_loser_that_is_needed_all_the_same_is_a_clash(compile, archive, in_child):
    """T11223 link_order_a_b_2_fail: `only_b` brings the second `which` along."""
    archives = archive("liba.a", compile(A)), archive("libb.a", compile(B))
    user = compile("int which(void), only_b(void); int user(void) { return which() + only_b(); }")

    def run():
        with rtlinker.Linker() as linker:
            for path in archives:
                linker.load_archive(path)
            resolved(linker, user)

    with pytest.raises(rtlinker.DuplicateSymbolError) as caught:
        in_child(run)
    assert [name for name, _, _ in caught.value.duplicates] == ["which"]


def test_a_member_that_has_only_what_is_needed_is_no_clash(compile, archive, in_child):
    """T11223 link_order_a_b_2_succeed: the name that both have lies in a member of its own."""
    which, only = B.split("}")[:2]
    archives = archive("liba.a", compile(A)), archive("libb.a", compile(which + "}"), compile(only + "}"))
    user = compile("int which(void), only_b(void); int user(void) { return which() + only_b(); }")

    def run():
        with rtlinker.Linker() as linker:
            for path in archives:
                linker.load_archive(path)
            return call(resolved(linker, user), "user")

    assert in_child(run) == 21


def test_an_object_wins_over_an_archive_that_nobody_asks(compile, archive, in_child):
    """T11223 simple_duplicate_lib: the member is not needed, so it is not there twice."""
    path, own = archive("liba.a", compile(A)), compile(B)
    user = compile("int which(void); int user(void) { return which(); }")

    def run():
        with rtlinker.Linker() as linker:
            linker.load_archive(path)
            return call(resolved(linker, own, user), "user"), linker.pulls()

    assert in_child(run) == (2, [])


@pytest.mark.parametrize("script", ["GROUP ( libfoo.so )", "/* ld */ INPUT(libfoo.so)", "GROUP(-lfoo)"])
def test_a_library_may_be_a_linker_script(compile, shared, in_child, tmp_path, script):
    """T2615: such as libc.so and libpthread.so are; the file lies beside the script."""
    shared("int foo(void) { return 7; }", "libfoo.so")
    (tmp_path / "libfoo_script.so").write_text(script + "\n")
    user = compile("int foo(void); int user(void) { return foo(); }")

    def run():
        with rtlinker.Linker() as linker:
            linker.load_library(tmp_path / "libfoo_script.so")
            return call(resolved(linker, user), "user")

    assert in_child(run) == 7


@pytest.mark.parametrize("flags", ["-fPIC", "-fno-pic"])
def test_functions_that_old_libraries_inline_have_an_address(compile, in_child, flags):
    """T7072: `&stat` and its like, which were not exported before glibc 2.33, and atexit, which is not to this day."""
    path = compile(
        """
        #define _GNU_SOURCE
        #include <stdlib.h>
        #include <sys/stat.h>
        static int (*volatile look[])(const char *, struct stat *) = { &stat, &lstat };
        static int (*volatile open_file)(int, struct stat *) = &fstat;
        static int (*volatile make)(const char *, mode_t, dev_t) = &mknod;
        static int (*volatile at_end)(void (*)(void)) = &atexit;
        static void nothing(void) { }
        int works(void) {
            struct stat found;
            int good = !look[0]("/", &found) && S_ISDIR(found.st_mode);
            good += !look[1]("/proc/self", &found) && S_ISLNK(found.st_mode);
            good += open_file(-1, &found) == -1;
            good += make("/proc/self/nowhere", S_IFREG, 0) == -1;
            return good + !at_end(nothing);
        }
        """,
        flags=flags,
    )

    def run():
        with rtlinker.Linker() as linker:
            return call(resolved(linker, path), "works")

    assert in_child(run) == 5


ALIGNED = """
.section .rodata.cst{align},"aM",@progbits,{align}
.balign {align}
.globl constant{n}
constant{n}: .fill {align}, 1, {n}
.data
.byte 1
.balign {align}
.globl data{n}
data{n}: .byte {n}
.bss
.skip 3
.balign {align}
.globl zeroes{n}
zeroes{n}: .skip 5
"""


@pytest.mark.parametrize("align", [32, 64])
def test_sections_of_several_objects_keep_their_alignment(compile, in_child, align):
    """section_alignment, T23066: what aligned instructions read lies where they need it, in each object of a link."""
    paths = [compile(ALIGNED.format(align=align, n=n), "asm") for n in range(1, 6)]
    names = [f"{name}{n}" for name in ("constant", "data", "zeroes") for n in range(1, 6)]

    def run():
        with rtlinker.Linker() as linker:
            for path in paths:
                linker.load_object(path)
            linker.resolve()
            return [linker.lookup(name) % align for name in names]

    assert in_child(run) == [0] * 15
