"""An interrupt wherever Python lets one in while something is loaded leaves nothing of what was done."""

import ctypes
import os

import pytest

import rtlinker
from rtlinker.host import image_list, libc, memory
from rtlinker.live import at_exit, collect, frames, pins, rescue, thread_storage
from rtlinker.units import PAGE
from tests.support.child import CHECKOUT, memory_map
from tests.support.interrupts import Interrupter

DIRECTORIES = [str(CHECKOUT / "rtlinker" / room) for room in ("api.py", "live", "host")]

BIG = 64 << 20
"""Bytes of an image whose memory cannot be overlooked beside what Python itself takes."""

EVERYTHING = """
#include <link.h>
#include <stdlib.h>
extern "C" {
extern long counts[2];
char big[64 << 20];
thread_local int own = 3;
static int one() { return 1; }
static void *pick() { return (void *)one; }
int picked() __attribute__((ifunc("pick")));
static int see(dl_phdr_info *, size_t, void *seen) { ++*(int *)seen; return 0; }
static void end() { --counts[0]; }
__attribute__((constructor)) static void begin() { ++counts[0]; atexit(end); }
__attribute__((destructor)) static void finish() { if (counts[0] != 1) ++counts[1]; }
int all() {
    int seen = 0;
    dl_iterate_phdr(see, &seen);
    try { throw 4; } catch (int n) { return seen ? n + own + picked() : 0; }
}
}
"""


def state(before=0):
    """What an interrupted load must not change; `before` are the bytes of memory that were mapped already."""
    mappings = memory_map()
    handler, stack = (ctypes.c_uint64 * 19)(), (ctypes.c_uint64 * 3)()
    libc.syscall(rescue.SIGALTSTACK, 0, ctypes.addressof(stack), 0, 0)
    return {
        "memory": round((sum(mapping.end - mapping.start for mapping in mappings) - before) / BIG),
        "code": sorted(mapping.start for mapping in mappings if "x" in mapping.letters and not mapping.path),
        "libraries": sorted(mapping.path for mapping in mappings if "x" in mapping.letters and mapping.path),
        "blocks": sum("memfd:rtlinker" in mapping.path for mapping in mappings),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "handlers": [(libc.sigaction(number, None, handler), handler[0])[1] for number in rescue.DEADLY],
        "stack": stack[:],
        "tables": len(frames._tables),
        "shown": len(image_list._images),
        "static": len(thread_storage._static),
        "rescues": len(rescue._open_rescues),
        "linkers": len(collect._open_linkers),
        "kept": len(pins._pins),
        "at exit": len(at_exit._blocks),
    }


def interrupt_everywhere(load, use):
    """Load again and again, interrupted at another place each time: what was left where, and how many places."""
    interrupter, left, result = Interrupter(DIRECTORIES), [], []

    def act():
        result.append(load())

    library = load()
    answer = use(library)
    library.unload()
    mapped = sum(mapping.end - mapping.start for mapping in memory_map())
    before = state(mapped)
    while interrupter.interrupts(act):
        after = state(mapped)
        differing = {what: (before[what], after[what]) for what in before if before[what] != after[what]}
        if differing:
            left.append((interrupter.last(), differing))
            before = after
    again = use(result[-1])
    result[-1].unload()
    return left, (answer, again), len(interrupter.places)


@pytest.mark.parametrize("flags", ["-fPIC", "-fno-pic"])
def test_nothing_is_left_of_an_interrupted_load(compile, in_child, flags):
    path = compile(EVERYTHING, "c++", [flags])

    def call():
        counts = (ctypes.c_long * 2).from_address(memory.reserve(PAGE, PAGE, low=True).address)
        symbols = {"counts": ctypes.addressof(counts)}
        return *interrupt_everywhere(lambda: rtlinker.load(path, symbols=symbols), lambda it: it.all()), counts[:]

    left, answers, places, counts = in_child(call)
    assert left == []
    assert answers == (8, 8)
    assert places > 300
    assert counts == [0, 0], "destructors run once, and only after constructors"


def test_an_interrupted_load_closes_the_libraries_that_it_opened(compile, shared, in_child):
    library = shared("int own(void) { return 3; }", "libown.so")
    path = compile("int own(void); int get(void) { return own(); }")

    def call():
        return interrupt_everywhere(
            lambda: rtlinker.load(path, libraries=["own"], directories=[str(library.parent)]), lambda it: it.get()
        )

    left, answers, places = in_child(call)
    assert left == []
    assert answers == (3, 3)
    assert places > 100


def test_what_is_made_once_is_made_whole_though_it_was_interrupted(compile, in_child):
    path = compile(EVERYTHING, "c++", ["-fPIC"])

    def call():
        counts = (ctypes.c_long * 2)()
        symbols = {"counts": ctypes.addressof(counts)}
        interrupter, before, found = Interrupter(DIRECTORIES), [], []
        while interrupter.interrupts(lambda: found.append(rtlinker.load(path, symbols=symbols))):
            before.append(len([mapping for mapping in memory_map() if "x" in mapping.letters and not mapping.path]))
        return found[0].all(), before == sorted(before), before[-1] - before[0] < 8

    assert in_child(call) == (8, True, True)
