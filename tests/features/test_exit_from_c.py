"""When linked code calls exit(), destructors of all images run once, as those of loaded libraries do."""

import subprocess
import sys

import pytest

ORDER = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#define SAY(name, text) void name(void) { puts(text); }
SAY(one, "atexit 1") SAY(two, "atexit 2") SAY(three, "atexit 3")
SAY(plain, "fini_array") SAY(late, "fini_array 101") SAY(final, "fini")
__attribute__((section(".fini_array"), used)) static void (*p)(void) = plain;
__attribute__((section(".fini_array.00101"))) static void (*l)(void) = late;
__attribute__((destructor)) static void attribute(void) { puts("destructor"); }
asm(".section .fini,\"ax\"\n call final\n .text");
__attribute__((constructor)) static void start(void) { atexit(one); atexit(two); }
void leave(int code) { atexit(three); exit(code); }
static void *run(void *code) { exit((long)code); }
void leave_thread(long code) {
    pthread_t thread;
    pthread_create(&thread, 0, run, (void *)code);
    pthread_join(thread, 0);
}
"""
NAMED = """
#include <stdio.h>
static void end(void) { puts("%s"); }
__attribute__((section(".fini_array"), used)) static void (*p)(void) = end;
"""
THREAD_LOCAL = """
#include <cstdio>
#include <cstdlib>
struct Said { const char *text; ~Said() { puts(text); } };
thread_local Said said{"thread_local"};
static Said plain{"static"};
extern "C" void leave() { (void)&said; if (said.text) exit(0); }
__attribute__((destructor)) static void end() { puts("destructor"); }
"""


def ran(text):
    """Exit code and output of a Python program."""
    ended = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert not ended.stderr
    return ended.returncode, ended.stdout


def test_the_order_is_that_of_a_loaded_library(compile, shared):
    path = compile(ORDER, flags="-fPIC -fno-toplevel-reorder")
    library = shared(ORDER, "liborder.so", ["-fno-toplevel-reorder"])
    ours = ran(f"import rtlinker; rtlinker.load({str(path)!r}).leave(7)")
    loaded = ran(f"import ctypes; ctypes.CDLL({str(library)!r}).leave(7)")
    assert ours == loaded == (7, "atexit 3\natexit 2\natexit 1\ndestructor\nfini_array\nfini_array 101\nfini\n")


def test_any_thread_may_end_the_program(compile):
    path = compile(ORDER, flags="-fno-toplevel-reorder")
    code, text = ran(f"import rtlinker; rtlinker.load({str(path)!r}).leave_thread(5)")
    assert (code, text) == (5, "atexit 2\natexit 1\ndestructor\nfini_array\nfini_array 101\nfini\n")


def test_images_end_newest_first_and_unloaded_ones_only_once(compile):
    paths = [str(compile(NAMED % name)) for name in ("one", "two", "three", "four")]
    leave = str(compile("#include <stdlib.h>\nvoid leave(void) { exit(0); }"))
    for gone, order in ((0, "one four three two"), (1, "two four three one"), (3, "four three two one")):
        text = f"""if True:
            import rtlinker
            libraries = [rtlinker.load(path) for path in {paths!r}]
            libraries[{gone}].unload()
            rtlinker.load({leave!r}).leave()
        """
        assert ran(text) == (0, "".join(f"{word}\n" for word in order.split()))


def test_thread_local_objects_of_the_thread_are_destroyed(compile):
    path = compile(THREAD_LOCAL, "c++")
    code, text = ran(f"import rtlinker; rtlinker.load({str(path)!r}).leave()")
    assert code == 0
    assert sorted(text.split()) == ["destructor", "static", "thread_local"]


@pytest.mark.parametrize("end", ["", "; library.linker.finish(); libc.exit(0)", "; libc.exit(0)"])
def test_destructors_run_once_however_python_ends(compile, end):
    path = compile(NAMED % "end")
    text = f"import ctypes, rtlinker; libc = ctypes.CDLL(None); library = rtlinker.load({str(path)!r}){end}"
    assert ran(text) == (0, "end\n")


def test_a_destructor_may_call_python_and_unload_its_image(compile):
    path = compile("extern void tell(void); __attribute__((destructor)) static void end(void) { tell(); }")
    leave = compile("#include <stdlib.h>\nvoid leave(void) { exit(0); }")
    text = f"""if True:
        import rtlinker
        def tell():
            library.unload()
            print(library.pinned, flush=True)
        library = rtlinker.load({str(path)!r}, symbols={{"tell": (tell, "void(void)")}})
        rtlinker.load({str(leave)!r}).function("leave", "void(void)")()
    """
    assert ran(text) == (0, '("C\'s exit runs its destructors",)\n')


def test_an_image_whose_constructor_fails_has_nothing_to_do_at_exit(compile):
    begin = "void abort(void); __attribute__((constructor)) static void begin(void) { abort(); }"
    path = compile(NAMED % "wrong" + begin)
    text = f"""if True:
        import ctypes, rtlinker
        try:
            rtlinker.load({str(path)!r})
        except rtlinker.CrashError:
            print("crashed", flush=True)
        ctypes.CDLL(None).exit(0)
    """
    assert ran(text) == (0, "crashed\n")
