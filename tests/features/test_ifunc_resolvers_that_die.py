"""An indirect function is asked when the image starts: on the command line, in the child that is watched."""

SOURCE = """
static void *choose(void) { *(volatile int *)16 = 1; return 0; }
int f(void) __attribute__((ifunc("choose")));
int g(void) { return f(); }
"""


def test_the_command_line_reports_it_as_any_crash(compile, rtlinker_command):
    ended = rtlinker_command("load", compile(SOURCE), "g")
    assert ended.code == 128 + 11
    assert "died of SIGSEGV" in ended.stderr
    assert "f+0x" in ended.stderr
