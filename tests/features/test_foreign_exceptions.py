"""Exceptions of other languages end at a call as those of C++ do; forced unwinding passes through it."""

import threading

import pytest

import rtlinker

RAISE = """
#include <stdlib.h>
#include <string.h>
#include <unwind.h>
int freed;
static void release(_Unwind_Reason_Code code, struct _Unwind_Exception *exception) { freed++; free(exception); }
int throw(const char *name, int length) {
  struct _Unwind_Exception *exception = aligned_alloc(16, sizeof *exception);
  memset(exception, 0, sizeof *exception);
  for (int i = 0; i < 8; i++)
    exception->exception_class = exception->exception_class << 8 | (i < length ? (unsigned char)name[i] : 0);
  exception->exception_cleanup = release;
  return _Unwind_RaiseException(exception);
}
"""
LEAVE = """
#include <pthread.h>
#include <semaphore.h>
static sem_t unwound, ended;
static pthread_key_t key;
static void end(void *) { sem_post(&ended); }
__attribute__((constructor)) static void begin() {
  sem_init(&unwound, 0, 0);
  sem_init(&ended, 0, 0);
  pthread_key_create(&key, end);
}
struct Local { ~Local() { sem_post(&unwound); } };
extern "C" void leave() { Local local; pthread_setspecific(key, &key); pthread_exit(nullptr); }
extern "C" int wait() { sem_wait(&unwound); sem_wait(&ended); return 1; }
"""
LANGUAGES = {
    b"GNU-Ada": "Ada", b"GNUCD__": "D", b"DMD\0D": "D", b"SOMEONES": "unknown",
}  # fmt: skip


@pytest.mark.parametrize("name", LANGUAGES, ids=bytes.hex)
def test_the_language_is_told_and_the_exception_freed(compile, in_child, name):
    path = compile(RAISE, flags=["-fexceptions"])

    def call():
        library = rtlinker.load(path)
        with pytest.raises(rtlinker.ForeignExceptionError) as raised:
            library.throw(name, len(name))
        return raised.value, library["freed"].value

    error, freed = in_child(call)
    assert (error.language, error.type, error.what, error.function) == (LANGUAGES[name], "", "", "throw")
    assert freed == 1


@pytest.mark.parametrize("name", [b"MOZ\0RUST", b"TSUR\0ZOM"], ids=["as the ABI says", "as rustc writes it"])
def test_a_panic_of_rust_is_not_freed_since_its_cleanup_ends_the_process(compile, in_child, name):
    path = compile(RAISE, flags=["-fexceptions"])

    def call():
        library = rtlinker.load(path)
        with pytest.raises(rtlinker.ForeignExceptionError) as raised:
            library.throw(name, 8)
        return raised.value.headline, library["freed"].value

    assert in_child(call) == ("Rust exception", 0)


def test_a_thread_that_ends_itself_passes_through_the_guard(compile, in_child):
    path = compile(LEAVE, "c++")

    def call():
        library = rtlinker.load(path, libraries=["stdc++"])
        threading.Thread(target=library.leave, daemon=True).start()
        return library.wait()

    assert in_child(call) == 1
