"""The API for custom runtimes: load, resolve, look up, unload, after GHC's runtime linker."""

from ctypes import CFUNCTYPE, c_int

import pytest

import rtlinker
from tests.support.child import mapped

ONE = "int base = 10; int first_of_all(void) { return base + 1; }"
TWO = "int first_of_all(void); int second_of_all(void) { return first_of_all() + 1; }"


def call(linker, name):
    return CFUNCTYPE(c_int)(linker.lookup(name))()


def test_an_object_is_loaded_from_its_bytes(compile, in_child):
    data = compile(ONE).read_bytes()

    def run():
        with rtlinker.Linker() as linker:
            linker.load_object(data)
            linker.resolve()
            return call(linker, "first_of_all")

    assert in_child(run) == 11


def test_a_later_resolve_sees_the_names_of_an_earlier_one(compile, in_child):
    one, two = compile(ONE), compile(TWO)

    def run():
        with rtlinker.Linker() as linker:
            for path in (one, two):
                linker.load_object(path)
                linker.resolve()
            return call(linker, "second_of_all"), len(linker.images)

    assert in_child(run) == (12, 2)


def test_an_earlier_link_does_not_wait_for_a_later_one(compile, in_child):
    one, two = compile(ONE), compile(TWO)

    def run():
        with rtlinker.Linker() as linker:
            linker.load_object(two)
            with pytest.raises(rtlinker.UndefinedSymbolsError):
                linker.resolve()
            linker.load_object(one)
            linker.resolve()
            return call(linker, "second_of_all"), len(linker.images)

    assert in_child(run) == (12, 1)


def test_lookup_knows_the_process_and_says_none_for_what_nobody_has(compile, in_child):
    path = compile(ONE)

    def run():
        with rtlinker.Linker() as linker:
            linker.load_object(path)
            before = linker.lookup("first_of_all")
            linker.resolve()
            return (
                before,
                linker.lookup("first_of_all") is None,
                linker.lookup("no_such_name"),
                linker.lookup("getpid") is None,
            )

    assert in_child(run) == (None, False, None, False)


def test_lookup_brings_in_a_member_of_an_archive(compile, archive, in_child):
    path = archive("lib.a", compile(ONE), compile(TWO))

    def run():
        with rtlinker.Linker() as linker:
            linker.load_archive(path)
            linker.resolve()
            return call(linker, "second_of_all"), [pull.symbol for pull in linker.pulls()]

    assert in_child(run) == (12, ["second_of_all", "first_of_all"])


def test_a_library_serves_the_references(compile, shared, in_child):
    library, path = shared("int first_of_all(void) { return 5; }", "libone.so"), compile(TWO)

    def run():
        with rtlinker.Linker() as linker:
            linker.load_library(library)
            linker.load_object(path)
            linker.resolve()
            return call(linker, "second_of_all")

    assert in_child(run) == 6


def test_unload_takes_the_names_and_gives_the_memory_back(compile, in_child):
    one = compile(ONE)

    def run():
        with rtlinker.Linker() as linker:
            linker.load_object(one)
            linker.resolve()
            address = linker.lookup("first_of_all")
            linker.unload(one)
            return mapped(address), linker.lookup("first_of_all")

    assert in_child(run) == ("", None)


def test_memory_that_others_use_stays_until_they_go(compile, in_child):
    one, two = compile(ONE), compile(TWO)

    def run():
        with rtlinker.Linker() as linker:
            for path in (one, two):
                linker.load_object(path)
                linker.resolve()
            address = linker.lookup("first_of_all")
            linker.unload(one)
            used = linker.lookup("first_of_all"), mapped(address), call(linker, "second_of_all")
            linker.unload(two)
            return used, mapped(address)

    assert in_child(run) == ((None, "r-xp", 12), "")


def test_after_unload_a_new_version_takes_the_name(compile, in_child):
    one, two, newer = compile(ONE), compile(TWO), compile("int first_of_all(void) { return 500; }")

    def run():
        with rtlinker.Linker() as linker:
            for path in (one, two):
                linker.load_object(path)
                linker.resolve()
            linker.unload(one)
            linker.load_object(newer)
            linker.resolve()
            return call(linker, "first_of_all"), call(linker, "second_of_all")  # what was bound stays bound

    assert in_child(run) == (500, 12)


def test_unloading_what_is_not_there_is_an_error(in_child):
    with pytest.raises(rtlinker.LinkError, match="nothing of that name"):
        in_child(lambda: rtlinker.Linker().unload("nothing.o"))


def test_a_closed_linker_says_so(compile, in_child):
    path = compile(ONE)

    def run():
        linker = rtlinker.Linker()
        linker.close()
        linker.load_object(path)

    with pytest.raises(rtlinker.LinkError, match="closed"):
        in_child(run)


def test_an_archive_of_which_nothing_is_linked_can_be_unloaded(compile, archive, in_child):
    path = archive("libunused.a", compile("int unused(void) { return 1; }"))

    def call():
        linker = rtlinker.Linker()
        linker.load_archive(path)
        before = linker.offers()
        linker.unload(path)
        return before, linker.offers(), linker.lookup("unused")

    assert in_child(call) == (["unused"], [], None)
