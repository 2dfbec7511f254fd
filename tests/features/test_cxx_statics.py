"""Static objects of C++: made in order, taken down in reverse, and function-local ones made once, by one thread."""

import subprocess
import sys
import threading

import pytest

import rtlinker
from tests.support.child import CHECKOUT

ORDER = """
#include <string>
static std::string &said() { static auto *text = new std::string; return *text; }
static void (*tell)(const char *);
struct Named { const char *n; Named(const char *n) : n(n) { said() += n; } ~Named() { if (tell) tell(n); } };
static Named first("a"), second("b");
static Named &inner() { static Named n("c"); return n; }
extern "C" const char *made() { inner(); inner(); return said().c_str(); }
extern "C" void on_end(void (*f)(const char *)) { tell = f; }
"""


def test_construction_is_in_order_and_destruction_in_reverse(compile, in_child):
    path = compile(ORDER, "c++")

    def call():
        gone = []
        with rtlinker.load(path) as library:
            made = library.made()
            library.on_end(gone.append)
        return made, gone

    assert in_child(call) == ("abc", ["c", "b", "a"])


GUARDED = """
#include <atomic>
#include <string>
static std::atomic<int> made;
struct Slow { int n; Slow() { for (volatile int i = 0; i < 2000000; ++i) {} n = ++made; } };
extern "C" int get() { static Slow slow; return slow.n; }
extern "C" int times() { return made; }
"""


def test_a_local_static_is_made_once_by_several_threads(compile, in_child):
    path = compile(GUARDED, "c++")

    def call():
        library, seen, gate = rtlinker.load(path), [], threading.Barrier(4)
        library.times()

        def ask():
            gate.wait()
            seen.append(library.get())

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return seen, library.times()

    assert in_child(call) == ([1, 1, 1, 1], 1)


THROWING = """
struct Maybe { int n; Maybe(int n) : n(n) { if (!n) throw 7; } };
static int once(int n) { static Maybe m(n); return m.n; }
extern "C" int attempt(int n) { try { return once(n); } catch (int e) { return -e; } }
"""


def test_a_local_static_whose_constructor_threw_is_made_again(compile, in_child):
    path = compile(THROWING, "c++")

    def call():
        library = rtlinker.load(path)
        return library.attempt(0), library.attempt(3), library.attempt(5)

    assert in_child(call) == (-7, 3, 3)


STREAMS = """
#include <iostream>
#include <cstdio>
extern "C" void say(int n) { std::cout << "cout " << n << std::endl; printf("printf %d\\n", n); fflush(stdout); }
"""


@pytest.mark.parametrize("flags", ["", "-fPIC", "-flto -ffat-lto-objects"])
def test_output_comes_in_the_order_of_the_calls(compile, flags):
    path = compile(STREAMS, "c++", flags.split())
    script = f"""
import rtlinker
with rtlinker.load({str(path)!r}) as library:
    for n in range(2):
        print("python", n, flush=True)
        library.say(n)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=CHECKOUT, check=False)
    expected = "".join(f"python {n}\ncout {n}\nprintf {n}\n" for n in range(2))
    assert (ran.stdout, ran.stderr, ran.returncode) == (expected, "", 0)
