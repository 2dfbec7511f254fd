"""Which words of the process's memory point into given spans: who may still reach code or data that is about to go.

All writable memory is looked at, heap, stacks and the data of libraries, at 1.5 GB/s: a question to ask when somebody
wants to know, not at every turn. It is conservative: a number that happens to look like such an address counts, and so
does what was left over in memory that nobody reads any more (`stacks.unused_stack` tells of some).

What it cannot see: pointers that are not words as they are, such as those that glibc mangles (atexit and its kin,
setjmp's buffers, functions of fopencookie), those in registers of threads that run, and signal handlers, which the
kernel has (`signal_handlers.handlers_in`). Memory of devices is left out, since reading it may be an act.
"""

from __future__ import annotations

import os

from rtlinker.facts import Fact
from rtlinker.host import libc
from rtlinker.host.mappings import Mapping, read_mappings
from rtlinker.host.own_memory import Room
from rtlinker.host.pointers import Span, Spans
from rtlinker.host.stacks import ended_stacks, threads_seen, unused_stack
from rtlinker.units import MIB, PAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STAY_AWAY = ("/dev/", "[vvar", "[vsyscall", "anon_inode:")
"""How the names of mappings begin whose memory is not ours to read."""

MEMORY = ("/dev/shm/", "/dev/zero")  # noqa: S108
"""Of those in /dev, what is memory nevertheless (shm_open(3), shared anonymous memory)."""

PRESENT = bytes(bool(number & 0xC0) for number in range(256))
"""Of the highest byte of an entry of /proc/PID/pagemap: whether the page is in memory, or was written out."""

PAGES_AT_ONCE = 1 << 14
"""Entries of 8 bytes, for 64 MiB of memory."""


class Hit(Fact):
    """A word that points into one of the spans: where it is (absolute), its value, and the name of its mapping.

    The name is a path, `[heap]`, `[stack]`, or `anonymous memory`.
    """

    address: int
    value: int
    mapping: str


def pointers_into(spans: Iterable[Span], exclude: Iterable[Span] = (), unaligned: bool = False) -> tuple[Hit, ...]:
    """The words in writable memory that point into one of the spans, lowest first; spans are absolute addresses.

    What lies in `exclude` is not looked at: the spans' own memory, usually. Words are 8 bytes at addresses that are
    multiples of 8, or, if `unaligned`, at any (packed structures), which takes no longer. Memory that other threads
    change meanwhile is seen at some moment of the search, so a pointer that wanders may be missed.
    """
    wanted, room = Spans(spans), Room()
    left_out = Spans([*exclude, room.span, *unused_stack(threads_seen(())), *ended_stacks()])
    own: int = libc.pthread_self()  # which lies on top of the thread's stack, but for the main thread
    mappings = [mapping for mapping in read_mappings() if _is_ours(mapping)]
    # own stacks first: what is found later may leave copies there
    mappings.sort(key=lambda mapping: mapping.path != "[stack]" and not mapping.start <= own < mapping.end)
    hits: dict[int, Hit] = {}
    for mapping in mappings if wanted else ():
        name = mapping.path or "anonymous memory"
        for start, end in _filled(mapping, left_out):
            for address, value in _search(wanted, room, (start, end), 1 if unaligned else 8):
                hits.setdefault(address, Hit(address, value, name))
    return tuple([hits[address] for address in sorted(hits)])


def _is_ours(mapping: Mapping) -> bool:
    if not mapping.permissions.startswith("rw"):
        return False
    return not mapping.path.startswith(STAY_AWAY) or mapping.path.startswith(MEMORY)


def _search(wanted: Spans, room: Room, piece: Span, step: int) -> Iterator[tuple[int, int]]:
    """Address and value of the words in a piece of memory; a word that lies across two rooms is seen in the second."""
    at, end = -(-piece[0] // 8) * 8, piece[1]
    while at < end:
        count = room.fill(at, min(end - at, room.size))
        for offset, value in wanted.find(room, count, step):
            yield at + offset, value
        at += room.size if at + room.size >= end else room.size - 8


def _filled(mapping: Mapping, left_out: Spans) -> Iterator[Span]:
    """The pieces of a mapping that hold something: pages of private memory that were never written are left out."""
    for start, end in left_out.without(mapping.start, mapping.end):
        if end - start <= MIB or mapping.permissions.endswith("s"):
            yield start, end
        else:
            yield from _pages_there(start, end)


def _pages_there(start: int, end: int) -> Iterator[Span]:
    try:
        pagemap = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield start, end
        return
    try:
        first, last = start // PAGE, -(-end // PAGE)
        for page in range(first, last, PAGES_AT_ONCE):
            entries = os.pread(pagemap, min(last - page, PAGES_AT_ONCE) * 8, page * 8)
            there = entries[7::8].translate(PRESENT)
            at = there.find(1)
            while at >= 0:
                gap = there.find(0, at)
                gap = len(there) if gap < 0 else gap
                yield max(start, (page + at) * PAGE), min(end, (page + gap) * PAGE)
                at = there.find(1, gap)
    finally:
        os.close(pagemap)
