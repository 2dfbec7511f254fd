"""An exception that leaves a call made from Python becomes a Python exception, and the call's frame is left tidy."""

import ctypes
import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import rtlinker
from tests.support.child import CHECKOUT, memory_map

SOURCE = """
#include <cstdarg>
#include <cstdlib>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
struct Counted { int *count; ~Counted() { ++*count; } };
struct Plain {};
struct Base { virtual ~Base() {} long x; };
struct Far : Base, virtual std::runtime_error { Far() : std::runtime_error("by a virtual base") {} };
struct Liar : std::exception { virtual void anchor(); const char *what() const noexcept override; };
void Liar::anchor() {}
extern "C" {
const char *liars_what(const void *) __asm__("_ZNK4Liar4whatEv");
const char *liars_what(const void *) { throw Liar(); }
int limited(int x, int *count) { Counted local{count}; if (x > 2) throw std::runtime_error("too big"); return x; }
void an_int() { throw 42; }
void a_double() { throw 2.5; }
void a_bool() { throw true; }
void a_char() { throw 'x'; }
void a_zero() { throw '\\0'; }
void a_wide() { throw L'\\u00e9'; }
void a_half() { throw u'\\u20ac'; }
void a_long_double() { throw 1.5L; }
void a_text() { throw "text"; }
void a_string() { throw std::string("a string that is too long to be short"); }
void a_plain() { throw Plain(); }
void a_far() { throw Far(); }
void a_liar() { throw Liar(); }
void a_long_text() { throw std::runtime_error(std::string(100, 'x') + "\\nend"); }
void again() { try { throw std::out_of_range("inner"); } catch (...) { throw; } }
void later() {
  std::exception_ptr kept;
  try { throw std::out_of_range("kept"); } catch (...) { kept = std::current_exception(); }
  std::rethrow_exception(kept);
}
int uncaught() { return std::uncaught_exceptions(); }
static int compare(const void *, const void *) { throw std::logic_error("compared"); }
void sort() { int v[4] = {3, 1, 2, 4}; qsort(v, 4, 4, compare); }
int apply(int (*f)(int), int x, int *count) { Counted local{count}; return f(x) + 1; }
}
"""
WHAT = {
    "an_int": ("int", "42"),
    "a_double": ("double", "2.5"),
    "a_bool": ("bool", "true"),
    "a_char": ("char", "x"),
    "a_zero": ("char", "0"),
    "a_wide": ("wchar_t", "\u00e9"),
    "a_half": ("char16_t", "\u20ac"),
    "a_long_double": ("long double", "1.5"),
    "a_text": ("char const*", "text"),
    "a_string": ("std::string", "a string that is too long to be short"),
    "a_plain": ("Plain", ""),
    "a_far": ("Far", "by a virtual base"),
    "a_liar": ("Liar", ""),
    "again": ("std::out_of_range", "inner"),
    "later": ("std::out_of_range", "kept"),
    "sort": ("std::logic_error", "compared"),
    "a_long_text": ("std::runtime_error", "x" * 100 + "\nend"),
}


@pytest.fixture
def loaded(compile):
    path = compile(SOURCE, "c++")
    return lambda: rtlinker.load(path, libraries=["stdc++"])


def left(function, *arguments):
    """The exception that leaves a call."""
    with pytest.raises(rtlinker.ForeignExceptionError) as raised:
        function(*arguments)
    return raised.value


def test_type_and_text_arrive_whatever_is_thrown(loaded, in_child):
    def call():
        library = loaded()
        errors = {name: left(library[name]) for name in WHAT}
        assert {error.language for error in errors.values()} == {"C++"}
        assert [error.function for error in errors.values()] == list(WHAT)
        return {name: (error.type, error.what) for name, error in errors.items()}, library.uncaught()

    assert in_child(call) == (WHAT, 0)


def test_destructors_of_locals_run_before_python_goes_on(loaded, in_child):
    def call():
        library, count = loaded(), ctypes.c_int()
        assert library.limited(1, count) == 1
        return str(left(library.limited, 5, count)), count.value

    assert in_child(call) == ("C++ exception std::runtime_error: too big\n  function  limited", 2)


def test_a_long_text_is_cut_in_the_first_line_only(loaded, in_child):
    error = in_child(lambda: left(loaded().a_long_text))
    assert (len(error.headline), error.headline[-4:]) == (72, "x...")
    assert dict(error.facts)["what"] == "x" * 100 + "\nend"


def test_a_nested_exception_is_pythons_in_the_callback_and_again_behind_the_outer_call(loaded, in_child):
    def call():
        library, count, seen = loaded(), ctypes.c_int(), []

        def inner(x):
            try:
                return library.limited(x, count)
            except rtlinker.ForeignExceptionError as error:
                seen.append(error.what)
                raise

        outer = left(library.apply, inner, 7, count)
        assert library.apply(inner, 1, count) == 2
        return seen, outer.what, outer.function, count.value

    assert in_child(call) == (["too big"], "too big", "limited", 4)


def test_threads_each_get_their_own(loaded, in_child):
    def call():
        library, wrong = loaded(), []

        def work(number):
            for _ in range(500):
                error = left(library.a_string if number % 2 else library.an_int)
                if error.what != WHAT["a_string" if number % 2 else "an_int"][1]:
                    wrong.append(error.what)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return wrong

    assert in_child(call) == []


def pages():
    """The pages of memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1])


def test_ten_thousand_exceptions_leave_no_memory_behind(loaded, in_child):
    def call():
        library = loaded()

        def throw(times):
            for _ in range(times):
                left(library.a_string)
                left(library.later)
            gc.collect()
            return pages()

        before = throw(500)
        return (throw(5000) - before) * os.sysconf("SC_PAGE_SIZE")

    assert in_child(call) < 1 << 20


def test_thunks_are_used_again_when_their_library_is_gone(loaded, in_child):
    def call():
        from rtlinker.live import guard

        def load():
            with loaded() as library:
                left(library.an_int)

        load()
        gc.collect()
        blocks, free = len(guard._blocks), len(guard._free)
        for _ in range(300):
            load()
        gc.collect()
        return len(guard._blocks) - blocks, len(guard._free) - free

    assert in_child(call) == (0, 0)


def test_no_page_of_the_guards_is_writable_and_executable(loaded, in_child):
    def call():
        from rtlinker.live import guard

        left(loaded().an_int)
        (block,) = guard._blocks
        start, end = block.reservation.address, block.reservation.address + block.reservation.size
        return {mapping.letters for mapping in memory_map() if mapping.start < end and mapping.end > start}

    assert in_child(call) == {"r--p", "r-xp", "rw-p"}


def test_a_function_first_called_before_there_was_an_unwinder_is_guarded_too(compile, loaded, tmp_path):
    plain = compile("int apply(int (*f)(int), int x) { return f(x) + 1; }")
    thrower = compile('extern "C" int thrower(int x) { if (x) throw x; return x; }', "c++")
    program = f"""
import rtlinker
from rtlinker.live import frames
plain = rtlinker.load({str(plain)!r})
assert plain.apply(abs, 1) == 2
assert not frames._unwinder
address = rtlinker.load({str(thrower)!r}, libraries=["stdc++"]).thrower.address
try:
    plain.apply(address, 5)
except rtlinker.ForeignExceptionError as error:
    assert (error.what, error.function) == ("5", "apply")
else:
    raise AssertionError
"""
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_command_line_prints_the_error(compile, rtlinker_command):
    ended = rtlinker_command("load", compile(SOURCE, "c++"), "a_string", "-l", "stdc++")
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: C++ exception std::string: a string that is too long")


def test_an_exception_that_leaves_main_ends_the_program(compile, rtlinker_command):
    path = compile("int main() { throw 1; }", "c++")
    ended = rtlinker_command("load", path, "main", "-l", "stdc++")
    assert ended.code == 128 + 6
    assert "terminate called after throwing an instance of 'int'" in ended.stderr
