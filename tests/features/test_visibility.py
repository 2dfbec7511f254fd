"""Hidden, protected and internal names join the objects of one link; hidden and internal ones end there."""

import pytest

import rtlinker

DEFINITION = '__attribute__((visibility("%s"))) int secret(void) { return 5; }'
REFERENCE = "int secret(void); int tell(void) { return secret(); }"


@pytest.mark.parametrize("visibility", ["default", "protected", "hidden", "internal"])
def test_every_visibility_is_seen_within_a_link(compile, in_child, visibility):
    paths = compile(DEFINITION % visibility), compile(REFERENCE)
    assert in_child(lambda: rtlinker.load(*paths).tell()) == 5


@pytest.mark.parametrize("visibility", ["default", "protected", "hidden", "internal"])
def test_only_default_and_protected_names_are_seen_by_later_links(compile, in_child, visibility):
    first, second = compile(DEFINITION % visibility), compile(REFERENCE)

    def seen():
        with rtlinker.Linker() as linker:
            linker.load_object(first)
            linker.resolve()
            linker.load_object(second)
            try:
                linker.resolve()
            except rtlinker.UndefinedSymbolsError as error:
                return [symbol.name for symbol in error.symbols], linker.lookup("secret")
            return linker.lookup("tell") is not None, linker.lookup("secret") is not None

    assert in_child(seen) == ((["secret"], None) if visibility in {"hidden", "internal"} else (True, True))


def test_a_hidden_reference_cannot_mean_a_name_of_the_process(compile, in_child):
    path = compile('__attribute__((visibility("hidden"))) int puts(const char *); int f(void) { return puts("x"); }')
    with pytest.raises(rtlinker.UndefinedSymbolsError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert [symbol.name for symbol in caught.value.symbols] == ["puts"]
