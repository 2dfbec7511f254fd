"""thread_local objects of C++ are destroyed when their thread ends, and the image waits for that."""

import os
import threading

import rtlinker

SOURCE = """
#include <string>
extern "C" void note(int);
struct Named {
  int number; std::string text;
  explicit Named(int n) : number(n), text("long enough that it does not fit into the object") { note(n); }
  ~Named() { note(text.size() == 48 ? -number : 1000); }
};
thread_local Named first(1);
static thread_local Named second(2);
struct Last { ~Last() { note(-99); } } last;
extern "C" int use() { return first.number + second.number; }
"""


def loaded(path, seen):
    return rtlinker.load(path, libraries=["stdc++"], symbols={"note": (seen.append, "void(int)")})


def has_ended(thread):
    """Whether the kernel has forgotten the thread: Python's join returns a little earlier."""
    return not os.path.exists(f"/proc/self/task/{thread}")


def run_to_the_end(function):
    numbers = []
    thread = threading.Thread(target=lambda: (function(), numbers.append(threading.get_native_id())))
    thread.start()
    thread.join()
    while not has_ended(numbers[0]):
        os.sched_yield()


def test_a_thread_destroys_its_objects_last_first(compile, in_child):
    path = compile(SOURCE, "c++", flags="-fPIC")

    def call():
        seen = []
        library = loaded(path, seen)
        run_to_the_end(library.use)
        run_to_the_end(library.use)
        return seen

    assert in_child(call) == [1, 2, -2, -1] * 2


def test_the_thread_that_unloads_destroys_its_own_before_static_objects(compile, in_child):
    for flags in ("-fPIC", "-fPIE", "-fno-pic"):
        path = compile(SOURCE, "c++", flags=flags)

        def call(path=path):
            seen = []
            library = loaded(path, seen)
            library.use()
            library.unload()
            return seen, library.linker.pinned

        assert in_child(call) == ([1, 2, -2, -1, -99], ())


def test_an_image_stays_until_other_threads_have_destroyed_theirs(compile, in_child):
    path = compile(SOURCE, "c++", flags="-fPIC")

    def call():
        seen, go, used = [], threading.Event(), threading.Event()
        library = loaded(path, seen)

        def work():
            library.use()
            used.set()
            go.wait()

        number = []
        thread = threading.Thread(target=lambda: (number.append(threading.get_native_id()), work()))
        thread.start()
        used.wait()
        library.unload()
        pinned = library.pinned
        go.set()
        thread.join()
        while not has_ended(number[0]):
            os.sched_yield()
        library.linker.close()
        return seen, pinned, library.pinned

    why = ("1 thread will destroy thread_local objects of it",)
    assert in_child(call) == ([1, 2, -99, -2, -1], why, ())


def test_loads_and_unloads_leave_nothing_of_them(compile, in_child):
    path = compile(SOURCE, "c++", flags="-fPIC")

    def call():
        from rtlinker.live import thread_exit

        for _ in range(100):
            library = loaded(path, [])
            library.use()
            library.unload()
        return len(thread_exit._made[0].records())

    assert in_child(call) == 2
