"""Cases that a strict review found: who leads to which version, and what keeps old code."""

from rtlinker import hot

ADDRESSES = """
typedef int (*F)(void);
int f(void) { return 1; }
int equal(void) {
    volatile F p[16];
    for (int i = 0; i < 16; i++) p[i] = 0;
    p[0] = f; p[1] = f; p[2] = f; p[3] = f; p[4] = f; p[5] = f; p[6] = f; p[7] = f;
    p[8] = f; p[9] = f; p[10] = f; p[11] = f; p[12] = f; p[13] = f; p[14] = f; p[15] = f;
    for (int i = 1; i < 16; i++) if (p[i] != p[0]) return 0;
    return 1;
}
"""


def test_an_immediate_address_is_no_call_whatever_byte_is_before_it(compile, in_child):
    """`movq $f, -24(%rbp)` has e8, the opcode of a call, in front of the address."""
    file = compile(ADDRESSES, flags="-O0 -fno-pic -g0")
    assert b"\x48\xc7\x45\xe8" in file.read_bytes()

    def run():
        return hot.load(file, into=hot.Domain()).function("equal", "int(void)")()

    assert in_child(run) == 1
