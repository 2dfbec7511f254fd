"""All undefined names are reported at once, each with who refers to it, and with a hint when a library has it."""

import pytest

import rtlinker

SOURCE = """
int first_missing(void), second_missing(void), td_ta_new(void);
int a(void) { return first_missing() + second_missing(); }
int b(void) { return first_missing(); }
int c(void) { return td_ta_new(); }
"""


@pytest.fixture
def error(compile, in_child):
    path = compile(SOURCE, name="needs.o")
    with pytest.raises(rtlinker.UndefinedSymbolsError) as caught:
        in_child(lambda: rtlinker.load(path))
    return caught.value


def test_every_name_is_reported_with_its_referrers(error):
    referrers = {symbol.name: [place.rpartition(" in ")[2] for place in symbol.referrers] for symbol in error.symbols}
    assert referrers == {"first_missing": ["a", "b"], "second_missing": ["a"], "td_ta_new": ["c"]}
    assert all("needs.o:(.text+0x" in place for symbol in error.symbols for place in symbol.referrers)


def test_a_library_of_the_system_that_has_the_name_is_the_hint(error):
    hints = {symbol.name: symbol.hint for symbol in error.symbols}
    assert hints["first_missing"] is None
    assert "libthread_db.so.1" in hints["td_ta_new"]


def test_an_archive_of_the_link_that_has_the_name_is_the_hint(compile, archive, in_child):
    path = compile('__attribute__((visibility("hidden"))) int puts(const char *); int f(void) { return puts("x"); }')
    library = archive("libweak.a", compile("int unrelated(void) { return 1; }"))
    with pytest.raises(rtlinker.UndefinedSymbolsError) as caught:
        in_child(lambda: rtlinker.load(path, library))
    assert caught.value.symbols[0].name == "puts"
