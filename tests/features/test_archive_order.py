"""Archives that need each other link in any order, where ld would have to be told twice."""

from itertools import permutations

import rtlinker

MAIN = "int ping(int); int start(int n) { return ping(n); }"
PING = "int pong(int); int ping(int n) { return n ? pong(n - 1) + 1 : 0; }"
PONG = "int ping(int); int last(void); int pong(int n) { return n ? ping(n - 1) + 10 : last(); }"
LAST = "int last(void) { return 1000; }"


def test_every_order_of_objects_and_archives_gives_the_same(compile, archive, in_child):
    main = compile(MAIN)
    ping = archive("libping.a", compile(PING), compile(LAST))
    pong = archive("libpong.a", compile(PONG))

    def call():
        return {rtlinker.load(*order).start(3) for order in permutations([main, ping, pong])}

    assert in_child(call) == {1 + 10 + 1 + 1000}
