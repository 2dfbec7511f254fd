"""Names of a loaded library are found while a constructor of another one runs, and those of an image after its own."""

import threading

import rtlinker

PLAIN = "int plain(void) { return 1; } static int own(void) { return 2; } int (*kept)(void) = own;"
WAITS = """
extern void wait_here(void); int f(void) { return 3; }
__attribute__((constructor)) static void begin(void) { wait_here(); }
"""
ASKS = """
#include <pthread.h>
extern void ask(void);
static void *enter(void *none) { ask(); return none; }
__attribute__((constructor)) static void begin(void) {
  pthread_t thread; pthread_create(&thread, 0, enter, 0); pthread_join(thread, 0);
}
"""


def start_waiting(linker, path):
    """A thread whose load waits in a constructor until `go` is set."""
    go, inside = threading.Event(), threading.Event()

    def wait_here():
        inside.set()
        go.wait()

    linker.define("wait_here", wait_here, "void(void)")
    linker.load_object(path)
    thread = threading.Thread(target=linker.resolve)
    thread.start()
    inside.wait()
    return thread, go


def test_a_thread_that_a_constructor_waits_for_may_look_names_up(compile, in_child):
    plain, asks = compile(PLAIN, flags="-g"), compile(ASKS)

    def call():
        library, seen = rtlinker.load(plain), []

        def ask():
            seen.append([library.plain(), library.own(), library.linker.lookup("plain") == library.address("plain")])

        rtlinker.load(asks, symbols={"ask": (ask, "void(void)")})
        return seen

    assert in_child(call) == [[1, 2, True]]


def test_earlier_images_of_the_linker_that_constructs_are_there_too(compile, in_child):
    plain, waits = compile(PLAIN, flags="-g"), compile(WAITS)

    def call():
        linker = rtlinker.Linker()
        linker.load_object(plain)
        linker.resolve()
        thread, go = start_waiting(linker, waits)
        found = rtlinker.Library(linker, "both").plain(), linker.lookup("plain") is not None
        go.set()
        thread.join()
        return found

    assert in_child(call) == (1, True)


def test_names_of_an_image_are_given_when_its_constructors_have_run(compile, in_child):
    waits = compile(WAITS, flags="-g")

    def call():
        linker, order = rtlinker.Linker(), []
        thread, go = start_waiting(linker, waits)

        def look_up(find):
            find("f")
            order.append("found")

        library = rtlinker.Library(linker, "waits")
        threads = [threading.Thread(target=look_up, args=(find,)) for find in (library.find, linker.lookup)]
        for each in threads:
            each.start()
        order.append("constructed")
        go.set()
        for each in (thread, *threads):
            each.join()
        return order, library.f()

    assert in_child(call) == (["constructed", "found", "found"], 3)
