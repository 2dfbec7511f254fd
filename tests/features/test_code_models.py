"""Small, medium and large code models, with PIC and without (psABI 3.5.1)."""

import pytest

import rtlinker

SOURCE = """
#include <string.h>
char big[100000];
static int numbers[50000] = { 1, 2, 3 };
int counter = 4;
extern int elsewhere;
int imported(int);
static int __attribute__((noinline)) local(int x) { return x + numbers[2]; }
int call(const char *s) {
    big[99999] = 5;
    counter++;
    return imported(local((int)strlen(s))) + counter + big[99999] + elsewhere;
}
"""
HUGE = """
static char huge[3L << 30];
int near = 3;
char *at(long i) { huge[i] = 9; return huge + i; }
int get(void) { return near; }
"""
OTHER = "int elsewhere = 1000; int imported(int x) { return x * 100; }"


@pytest.mark.parametrize("pic", ["-fPIC", "-fPIE", "-fno-pic"])
@pytest.mark.parametrize("model", ["small", "medium", "large"])
def test_every_code_model_links_and_runs(compile, in_child, model, pic):
    flags = (
        f"-mcmodel={model} {pic} -fno-builtin -mlarge-data-threshold=1000"
        if model == "medium"
        else f"-mcmodel={model} {pic}"
    )
    paths = compile(SOURCE, flags=flags), compile(OTHER, flags=flags)
    assert in_child(lambda: rtlinker.load(*paths).call(b"four")) == 700 + 5 + 5 + 1000


@pytest.mark.parametrize("first", ["small", "medium", "large"])
def test_code_models_can_be_mixed_in_a_link(compile, in_child, first):
    paths = compile(SOURCE, flags=f"-mcmodel={first} -fPIC"), compile(OTHER, flags="-mcmodel=small -fPIC")
    assert in_child(lambda: rtlinker.load(*paths).call(b"four")) == 1710


def test_more_large_data_than_a_displacement_reaches(compile, in_child):
    path = compile(HUGE, flags="-mcmodel=medium -fPIC")

    def call():
        library = rtlinker.load(path)
        at = library.function("at", "unsigned long(long)")
        return at((3 << 30) - 1) - at(0), library.get()

    assert in_child(call) == ((3 << 30) - 1, 3)
