"""A C++ object that needs libstdc++ links with it, and says which library is missing without it."""

import rtlinker

SOURCE = '#include <string>\nextern "C" int length(const char *s) { return std::string(s).append("!").size(); }'


def test_with_the_library_it_runs(compile, in_child):
    path = compile(SOURCE, "c++")
    assert in_child(lambda: rtlinker.load(path, libraries=["stdc++"]).length(b"four")) == 5


def test_without_the_library_the_hint_names_it(compile, rtlinker_command):
    path = compile(SOURCE, "c++")
    ended = rtlinker_command("load", path, "length", "four")  # in a process that has not loaded libstdc++ before us
    assert ended.code == 1
    assert "undefined symbol" in ended.stderr
    assert "libstdc++.so" in ended.stderr
