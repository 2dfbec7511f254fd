"""Archives normally win over the process; with `process_first` what the process has exists only once."""

import pytest

import rtlinker

MAIN = "int abs(int); int other(void); int call(void) { return abs(-3); } int pull(void) { return other(); }"
MEMBER = "int state = 77; int abs(int x) { return state; } int other(void) { return abs(-4); }"


@pytest.mark.parametrize("process_first", [False, True])
def test_who_wins_is_the_users_choice(compile, archive, in_child, process_first):
    main, library = compile(MAIN, flags="-fno-builtin"), archive("lib.a", compile(MEMBER, flags="-fPIC -fno-builtin"))

    def call():
        loaded = rtlinker.load(main, library, process_first=process_first)
        return loaded.call(), loaded.pull()

    assert in_child(call) == ((3, 4) if process_first else (77, 77))
