"""What linked code gets under a name is ours where libc's knows loaded libraries only, whichever scope is asked."""

import pytest

from rtlinker.host import dynamic
from rtlinker.live.scopes import REPLACED, LibraryScope, ProcessScope


@pytest.mark.parametrize("name", ["dl_iterate_phdr", "__cxa_thread_atexit", "__cxa_thread_atexit_impl"])
def test_both_scopes_give_the_same_replacement(in_child, name):
    def call():
        handle = dynamic.open_library("libc.so.6")
        found = [scope.find(name) for scope in (ProcessScope(), LibraryScope("libc.so.6", handle))]
        return [(each.provider, each.address != dynamic.find_symbol(name)) for each in found], found[0] == found[1]

    assert in_child(call) == ([("rtlinker", True)] * 2, True)


def test_nothing_else_is_replaced():
    assert sorted(REPLACED) == ["__cxa_thread_atexit", "__cxa_thread_atexit_impl", "dl_iterate_phdr"]
    assert ProcessScope().find("__cxa_thread_atexit_other") is None
    assert ProcessScope().find("dladdr").provider == "this process"
