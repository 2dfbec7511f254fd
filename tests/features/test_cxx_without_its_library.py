"""A C++ object that needs libstdc++ links with it, and says which library is missing without it."""

import pytest

import rtlinker

SOURCE = '#include <string>\nextern "C" int length(const char *s) { return std::string(s).append("!").size(); }'


def test_with_the_library_it_runs(compile, in_child):
    path = compile(SOURCE, "c++")
    assert in_child(lambda: rtlinker.load(path, libraries=["stdc++"]).length(b"four")) == 5


def test_without_the_library_the_hint_names_it(compile, in_child):
    path = compile(SOURCE, "c++")
    with pytest.raises(rtlinker.UndefinedSymbolsError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert any("libstdc++.so" in (symbol.hint or "") for symbol in caught.value.symbols)
