"""Load, use and unload one object again and again, and count what the process has afterwards.

The object has everything that leaves something in the process: thread-local variables, `thread_local` objects with
destructors, static objects, constructors, functions registered with atexit, and exceptions.
"""

from __future__ import annotations

import ctypes
import gc
import os
from pathlib import Path

import rtlinker
from rtlinker.host.library_list import library_records

SOURCE = """
#include <cstdlib>
#include <stdexcept>
#include <string>
__thread int plain = 5;
static thread_local std::string owned("a text that is too long for the string itself to hold, so it is allocated");
struct Global { std::string text; Global() : text("another text that is too long for the string itself to hold") {} };
static Global global;
static int up;
static void down() { --up; }
__attribute__((constructor)) static void start() { ++up; std::atexit(down); }
extern "C" int work(int x) {
  try {
    if (x > 1) throw std::runtime_error("caught here: " + owned);
  } catch (const std::exception &error) {
    return plain++ + up + (std::string(error.what()).size() > 20) + (global.text.size() > 20);
  }
  return 0;
}
extern "C" int leave(int x) { throw std::out_of_range("out: " + owned); }
"""


SLACK = 1024
"""KiB of memory that may come and go."""


def held() -> dict[str, int]:
    """What the process holds: resident memory in KiB, mappings, descriptors, loaded libraries and TLS modules."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024
    records = library_records(64)
    return {
        "memory": resident,
        "mappings": len(Path("/proc/self/maps").read_text().splitlines()),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "libraries": len(records),
        "modules": max(record[6] for record in records),
    }


def rounds(path: Path, count: int) -> None:
    """Load, call, let an exception out, and unload, `count` times in this process."""
    data = path.read_bytes()
    for _ in range(count):
        library = rtlinker.load(data, libraries=["stdc++"])
        work, leave = library.function("work", "int(int)"), library.function("leave", "int(int)")
        assert work(2) == 8, "the object does not work"
        try:
            leave(2)
        except rtlinker.ForeignExceptionError as error:
            assert error.type == "std::out_of_range", error
        library.unload()
        assert not library.pinned, library.pinned


def grown(path: Path, warm: int, count: int) -> tuple[dict[str, int], dict[str, int]]:
    """What the process holds after `warm` rounds, and after `count` more; libstdc++ stays in between.

    Allocators take memory by steps, so there are up to three tries: what leaks grows in each of them.
    """
    ctypes.CDLL("libstdc++.so.6")
    rounds(path, warm)
    for _ in range(3):
        before = held()
        rounds(path, count)
        after = held()
        if after["memory"] <= before["memory"] + SLACK:
            break
    return before, after
