"""C++ names become readable, whatever allocator the process has."""

import os
import subprocess
import sys

from rtlinker.host.demangle import demangle
from tests.support.child import CHECKOUT

ALLOCATOR = """
#include <stddef.h>
#include <string.h>
static char arena[256 << 20] __attribute__((aligned(16)));
static size_t used;
void *malloc(size_t size) {
  size_t whole = (size + 31) & ~(size_t)15;
  char *block = arena + __atomic_fetch_add(&used, whole, __ATOMIC_SEQ_CST);
  *(size_t *)block = size;
  return block + 16;
}
void free(void *block) {
  if (block && ((char *)block < arena || (char *)block >= arena + sizeof arena)) __builtin_trap();
}
void *calloc(size_t count, size_t size) { return malloc(count * size); }
void *realloc(void *block, size_t size) {
  void *fresh = malloc(size);
  if (block) { size_t old = ((size_t *)block)[-2]; memcpy(fresh, block, old < size ? old : size); }
  return fresh;
}
"""


def test_a_name_is_as_people_write_it(in_child):
    assert in_child(demangle, "_Z4aread") == "area(double)"


def test_a_name_of_c_is_not_mangled():
    assert demangle("area") is None


def test_a_preloaded_allocator_frees_what_it_gave(workshop):
    allocator = workshop.shared(ALLOCATOR, "liballocator.so", ["-fno-builtin"])
    path = workshop.compile("int twice(int n) { return 2 * n; }", "c++")
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT), "LD_PRELOAD": str(allocator)}
    command = [sys.executable, "-m", "rtlinker", "load", str(path), "twice(int)", "21"]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "42\n", "")
