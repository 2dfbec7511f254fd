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


FORKS = """
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
static int destroyed;
struct Counted { int number = 1; ~Counted() { destroyed++; } };
thread_local Counted counted;
static int to_child[2], from_thread[2];
static void *waits(void *) {
  char c = (char)counted.number; write(from_thread[1], &c, 1); read(to_child[0], &c, 1); return 0; }
static void *touches(void *) { counted.number++; return 0; }
extern "C" int in_forked_child() {
  pthread_t thread, other; char c; int status;
  pipe(to_child); pipe(from_thread);
  pthread_create(&thread, 0, waits, 0);
  read(from_thread[0], &c, 1);
  int child = fork();
  if (!child) {
    for (int i = 0; i < 3; i++) { pthread_create(&other, 0, touches, 0); pthread_join(other, 0); }
    _exit(destroyed);
  }
  waitpid(child, &status, 0);
  write(to_child[1], &c, 1);
  pthread_join(thread, 0);
  return WEXITSTATUS(status) * 10 + destroyed;
}
extern "C" int touch() { return counted.number; }
"""


def test_in_a_forked_child_no_thread_destroys_what_a_thread_that_is_gone_had(compile, in_child):
    path = compile(FORKS, "c++", flags="-fPIC -g -w")
    assert in_child(lambda: rtlinker.load(path).in_forked_child()) == 31


def test_a_forked_child_keeps_no_image_for_threads_that_are_gone(compile, in_child):
    path = compile(FORKS, "c++", flags="-fPIC -g -w")

    def call():
        library = rtlinker.load(path)
        library.touch()
        go, ready = threading.Event(), threading.Event()
        thread = threading.Thread(target=lambda: (library.touch(), ready.set(), go.wait()))
        thread.start()
        ready.wait()

        def unload():
            library.unload()
            return library.pinned

        pinned = in_child(unload)
        library.unload()
        own = len(library.pinned)
        go.set()
        thread.join()
        return pinned, own

    assert in_child(call) == ((), 1)


def test_records_are_used_again(compile, in_child):
    path = compile(FORKS, "c++", flags="-fPIC -g -w")

    def call():
        from rtlinker.live import thread_exit

        library = rtlinker.load(path)
        library.touch()
        numbers = []
        for _ in range(5):
            run_to_the_end(library.touch)
            numbers.append(len(thread_exit._made[0].records()))
        library.unload()
        library = rtlinker.load(path)
        library.touch()
        return numbers, len(thread_exit._made[0].records())

    assert in_child(call) == ([2] * 5, 2)


def test_what_a_kept_image_uses_goes_with_it_when_both_were_unloaded(compile, in_child):
    used = compile("int value = 4; int used(void) { return value; }", flags="-fPIC")
    source = """
    extern "C" int used();
    struct Counted { int number = 1; ~Counted() { number = 0; } };
    thread_local Counted counted;
    extern "C" int use() { return used() + counted.number; }
    """
    user = compile(source, "c++", flags="-fPIC -g")

    def call():
        linker = rtlinker.Linker()
        for path in (used, user):
            linker.load_object(path)
            linker.resolve()
        use = rtlinker.Library(linker, "both").function("use", "int(void)")
        go, ready, numbers = threading.Event(), threading.Event(), []
        thread = threading.Thread(
            target=lambda: (numbers.append(threading.get_native_id()), use(), ready.set(), go.wait())
        )
        thread.start()
        ready.wait()
        linker.unload(user)
        linker.unload(used)
        before = len(linker.images), len(linker.pinned)
        go.set()
        thread.join()
        while not has_ended(numbers[0]):
            os.sched_yield()
        rtlinker.load(used).unload()
        return before, len(linker.images), linker.pinned

    assert in_child(call) == ((0, 2), 0, ())


def test_many_kept_images_are_told_apart(compile, in_child):
    path = compile(FORKS, "c++", flags="-fPIC -g -w")

    def call():
        libraries = [rtlinker.load(path) for _ in range(20)]
        go, ready, numbers = threading.Event(), threading.Event(), []

        def touch_some():
            for library in libraries[::2]:
                library.touch()
            numbers.append(threading.get_native_id())
            ready.set()
            go.wait()

        thread = threading.Thread(target=touch_some)
        thread.start()
        ready.wait()
        for library in libraries:
            library.unload()
        kept = [len(library.pinned) for library in libraries]
        go.set()
        thread.join()
        while not has_ended(numbers[0]):
            os.sched_yield()
        rtlinker.load(path).unload()
        return kept, [len(library.pinned) for library in libraries]

    assert in_child(call) == ([1, 0] * 10, [0] * 20)
