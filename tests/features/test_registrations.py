"""What libc and libstdc++ would still call or read keeps its image, and nothing else does."""

import ctypes
import os
import threading

import rtlinker
from tests.support.child import mapped

C = """
#define _GNU_SOURCE
#include <pthread.h>
#include <printf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>
static void destroy(void *p) { *(char *)p = 'd'; }
"""
KEYS = """
static pthread_key_t key;
int make(void) { return pthread_key_create(&key, destroy); }
int set(void *p) { return pthread_setspecific(key, p); }
int take(void) { return pthread_key_delete(key); }
"""
TSS = """
static tss_t key;
int make(void) { return tss_create(&key, destroy); }
int set(void *p) { return tss_set(key, p); }
int take(void) { tss_delete(key); return 0; }
"""
TIMER = """
static timer_t timer;
static void tick(union sigval value) { *(char *)value.sival_ptr = 't'; }
int make(char *p) {
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tick, .sigev_value.sival_ptr = p};
  return timer_create(CLOCK_MONOTONIC, &event, &timer);
}
int take(void) { return timer_delete(timer); }
"""
BUFFER = """
static char buffer[BUFSIZ];
int make(void) { return setvbuf(stdout, buffer, _IOFBF, sizeof buffer); }
int take(void) { return setvbuf(stdout, 0, _IONBF, 0); }
"""
VARIABLE = """
static char variable[] = "RTLINKER_VARIABLE=1";
int make(void) { return putenv(variable); }
int take(void) { return unsetenv("RTLINKER_VARIABLE"); }
"""
COOKIE = """
static FILE *file;
static ssize_t put(void *p, const char *text, size_t size) { return size; }
int make(void) { cookie_io_functions_t own = {.write = put}; file = fopencookie(0, "w", own); return fputc('x', file); }
int take(void) { return fclose(file); }
"""


def unloaded(path, take, *arguments):
    """Why the image is kept, its name of the first mapping's protection, after make() and perhaps take()."""
    library = rtlinker.load(path)
    library.make(*arguments)
    if take:
        library.take()
    address = library.address("make")
    library.unload()
    return [reason.replace(str(os.getpid()), "PID") for reason in library.pinned], mapped(address)


def kept_until_taken_back(compile, in_child, source, *arguments, flags="", language="c"):
    path = compile((C if language == "c" else "") + source, language, flags=flags)
    assert in_child(unloaded, path, True, *arguments) == ([], "")
    reasons, protection = in_child(unloaded, path, False, *arguments)
    assert protection == "r-xp"
    (reason,) = reasons
    return reason


def test_the_destructor_of_a_thread_key_keeps_its_image(compile, in_child):
    for source in (KEYS, TSS):
        reason = kept_until_taken_back(compile, in_child, source)
        assert reason.startswith("thread key ")
        assert reason.endswith(" will call its destructor")


def test_a_thread_that_ends_after_the_unload_runs_the_destructor_of_its_key(compile, in_child):
    for source in (KEYS, TSS):
        path = compile(C + source)

        def call(path=path):
            library, room, used, go = rtlinker.load(path), bytearray(b"."), threading.Event(), threading.Event()
            library.make()
            held = (ctypes.c_char * 1).from_buffer(room)

            def work():
                library.set(held)
                used.set()
                go.wait()

            thread = threading.Thread(target=work)
            thread.start()
            used.wait()
            number = thread.native_id
            library.unload()
            go.set()
            thread.join()
            while os.path.exists(f"/proc/self/task/{number}"):
                os.sched_yield()
            return bytes(room)

        assert in_child(call) == b"d"


def test_a_timer_that_calls_the_image_keeps_it(compile, in_child):
    assert kept_until_taken_back(compile, in_child, TIMER, None) == "1 timer will call it"


def test_a_buffer_of_a_stream_keeps_its_image(compile, in_child):
    assert kept_until_taken_back(compile, in_child, BUFFER) == "stdout has a buffer or functions in it"


def test_an_environment_variable_keeps_its_image(compile, in_child):
    assert kept_until_taken_back(compile, in_child, VARIABLE) == "environment variable RTLINKER_VARIABLE is in it"


def test_functions_of_an_open_stream_keep_their_image(compile, in_child):
    assert kept_until_taken_back(compile, in_child, COOKIE) == "an open FILE has a buffer or functions in it"


def test_a_reference_to_registrations_nobody_can_read_keeps_the_image(compile, in_child):
    for name, source in (
        ("on_exit", "static void left(int code, void *p) { } int make(void) { return on_exit(left, 0); }"),
        (
            "register_printf_specifier",
            "static int print(FILE *f, const struct printf_info *i, const void *const *a) { return 0; }\n"
            "static int sizes(const struct printf_info *i, size_t n, int *t, int *s) { return 0; }\n"
            "int make(void) { return register_printf_specifier('W', print, sizes); }",
        ),
    ):
        path = compile(C + source)
        assert in_child(unloaded, path, False) == ([f"refers to {name}, whose registrations stay"], "r-xp")


CXX = """
#include <exception>
#include <iostream>
#include <new>
#include <streambuf>
static void hook() { }
struct Own : std::streambuf { int overflow(int c) override { return c; } };
static Own own;
"""


def test_hooks_of_libstdcxx_keep_their_image(compile, in_child):
    for name, caller in (("set_terminate", "std::terminate"), ("set_new_handler", "operator new")):
        source = f'extern "C" void make() {{ std::{name}(hook); }} extern "C" void take() {{ std::{name}(nullptr); }}'
        reason = kept_until_taken_back(compile, in_child, CXX + source, language="c++")
        assert reason == f"{caller} will call it"
    source = 'extern "C" void make() { std::set_unexpected(hook); } extern "C" void take() { std::set_unexpected(0); }'
    reason = kept_until_taken_back(compile, in_child, CXX + source, language="c++", flags="-std=c++14 -w")
    assert reason == "std::unexpected will call it"


def test_a_buffer_of_cout_keeps_its_image(compile, in_child):
    source = """
    static std::streambuf *before;
    extern "C" void make() { before = std::cout.rdbuf(&own); }
    extern "C" void take() { std::cout.rdbuf(before); }
    """
    reason = kept_until_taken_back(compile, in_child, CXX + source, language="c++")
    assert reason == "std::cout has a buffer or stream in it"


def test_a_facet_of_the_global_locale_keeps_its_image(compile, in_child):
    path = compile(
        "#include <locale>\n"
        "struct Comma : std::numpunct<char> { char do_decimal_point() const override { return 44; } };"
        'extern "C" void make() { std::locale::global(std::locale(std::locale(), new Comma)); }',
        "c++",
    )
    why = ["refers to std::locale::global, whose facets stay"]
    assert in_child(unloaded, path, False) == (why, "r-xp")
