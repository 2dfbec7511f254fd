"""`_end`, `_etext` and their kin bound the image, although the Python executable has names like them too."""

import rtlinker

SOURCE = """
extern char __executable_start[], _etext[], etext[], __data_start[], _edata[], edata[], __bss_start[], _end[], end[];
int initialised = 1, zero[100];
char *bounds[] = { __executable_start, _etext, __data_start, _edata, __bss_start, _end };
int same(void) { return etext == _etext && edata == _edata && end == _end; }
int code(void) { return (char *)code >= __executable_start && (char *)code < _etext; }
int data(void) { return (char *)&initialised >= __data_start && (char *)&initialised < _edata; }
int bss(void) { return (char *)zero >= __bss_start && (char *)(zero + 100) <= _end; }
char *at(int i) { return bounds[i]; }
"""


def test_the_bounds_are_those_of_the_image(compile, in_child):
    path = compile(SOURCE)

    def call():
        library = rtlinker.load(path)
        bounds = [library.function("at", "unsigned long(int)")(i) for i in range(6)]
        return library.same(), library.code(), library.data(), library.bss(), bounds == sorted(bounds)

    assert in_child(call) == (1, 1, 1, 1, True)
