"""Loading and unloading are safe from several threads, and calls of different threads run at the same time."""

from threading import Barrier, Event, Thread

import rtlinker
from rtlinker.live import collect, frames

SOURCE = """
#include <unistd.h>
int n = 1;
int f(int x) { return n + x; }
int give(int to) { return (int)write(to, "x", 1); }
int take(int from) { char c; return (int)read(from, &c, 1); }
"""


def test_libraries_come_and_go_in_several_threads(compile, in_child):
    path = compile(SOURCE)

    def call():
        results, together = [], Barrier(4)

        def work(number):
            together.wait()
            for turn in range(20):
                with rtlinker.load(path) as library:
                    results.append(library.f(number * 100 + turn) - number * 100 - turn)

        threads = [Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    assert in_child(call) == [1] * 80


def test_a_call_lets_other_threads_run(compile, in_child):
    path = compile(SOURCE)

    def call():
        import os

        library, (reader, writer) = rtlinker.load(path), os.pipe()
        taken = []
        waiting = Thread(target=lambda: taken.append(library.take(reader)))
        waiting.start()
        library.give(writer)  # would never be reached if the waiting call held the GIL
        waiting.join()
        return taken

    assert in_child(call) == [1]


def test_a_fork_while_another_thread_loads_leaves_the_child_free_to_load(compile, in_child):
    path = compile('extern "C" int thrown() { try { throw 4; } catch (int n) { return n; } }', "c++")
    held, done = Event(), Event()

    def hold():
        with collect.LOCK, frames.LOCK:
            held.set()
            done.wait()

    thread = Thread(target=hold)
    thread.start()
    held.wait()

    def call():
        free = [lock.acquire(blocking=False) for lock in (collect.LOCK, frames.LOCK)]
        return all(free) and rtlinker.load(path).thrown()

    try:
        assert in_child(call) == 4
    finally:
        done.set()
        thread.join()
