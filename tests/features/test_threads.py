"""Loading and unloading are safe from several threads, and calls of different threads run at the same time."""

from threading import Barrier, Thread

import rtlinker

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
