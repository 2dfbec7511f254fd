"""Hidden, protected and internal names join the objects of one linker; hidden and internal ones end there."""

from ctypes import CFUNCTYPE, c_int

import pytest

import rtlinker

DEFINITION = '__attribute__((visibility("%s"))) int secret(void) { return 5; }'
REFERENCE = "int secret(void); int tell(void) { return secret(); }"


@pytest.mark.parametrize("visibility", ["default", "protected", "hidden", "internal"])
def test_every_visibility_is_seen_within_a_link(compile, in_child, visibility):
    paths = compile(DEFINITION % visibility), compile(REFERENCE)
    assert in_child(lambda: rtlinker.load(*paths).tell()) == 5


@pytest.mark.parametrize("visibility", ["default", "protected"])
def test_later_links_see_what_is_exported(compile, in_child, visibility):
    first, second = compile(DEFINITION % visibility), compile(REFERENCE)

    def seen():
        with rtlinker.Linker() as linker:
            for path in (first, second):
                linker.load_object(path)
                linker.resolve()
            return CFUNCTYPE(c_int)(linker.lookup("tell"))(), linker.lookup("secret") is not None

    assert in_child(seen) == (5, True)


@pytest.mark.parametrize("visibility", ["hidden", "internal"])
def test_later_links_do_not_see_what_is_hidden(compile, in_child, visibility):
    first, second = compile(DEFINITION % visibility), compile(REFERENCE)

    def seen():
        with rtlinker.Linker() as linker:
            linker.load_object(first)
            linker.resolve()
            linker.load_object(second)
            with pytest.raises(rtlinker.UndefinedSymbolsError):
                linker.resolve()
            return linker.lookup("secret")

    assert in_child(seen) is None


def test_members_of_one_archive_see_each_others_hidden_names_in_later_links(compile, archive, in_child):
    path = archive(
        "lib.a", compile(DEFINITION % "hidden" + " int first(void) { return secret(); }"), compile(REFERENCE)
    )

    def call():
        library = rtlinker.load(path)
        return library.first(), library.tell(), len(library.linker.pulls())

    assert in_child(call) == (5, 5, 2)


@pytest.mark.parametrize("visibility", ["hidden", "internal"])
def test_a_later_link_may_define_a_hidden_name_again(compile, in_child, visibility):
    first, second = compile(DEFINITION % visibility), compile((DEFINITION % "default").replace("5", "6") + REFERENCE)

    def seen():
        with rtlinker.Linker() as linker:
            for path in (first, second):
                linker.load_object(path)
                linker.resolve()
            return [CFUNCTYPE(c_int)(linker.lookup(name))() for name in ("tell", "secret")]

    assert in_child(seen) == [6, 6]


def test_a_hidden_reference_cannot_mean_a_name_of_the_process(compile, in_child):
    path = compile('__attribute__((visibility("hidden"))) int puts(const char *); int f(void) { return puts("x"); }')
    with pytest.raises(rtlinker.UndefinedSymbolsError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert [symbol.name for symbol in caught.value.symbols] == ["puts"]
