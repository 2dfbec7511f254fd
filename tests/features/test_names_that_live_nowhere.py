"""`atexit`, `stat` and their kin are in no shared library, and some of gcc's own functions only in libgcc.a."""

import pytest

import rtlinker

SOURCES = {
    "atexit": "#include <stdlib.h>\nstatic void f(void) {} int call(void) { return atexit(f); }",
    "at_quick_exit": "#include <stdlib.h>\nstatic void f(void) {} int call(void) { return at_quick_exit(f); }",
    "pthread_atfork": "#include <pthread.h>\nint call(void) { return pthread_atfork(0, 0, 0); }",
    "stat": '#include <sys/stat.h>\nint call(void) { struct stat s; return stat("/", &s) || !S_ISDIR(s.st_mode); }',
    "lstat": '#include <sys/stat.h>\nint call(void) { struct stat s; return lstat("/", &s); }',
    "fstat": "#include <sys/stat.h>\nint call(void) { struct stat s; return fstat(0, &s); }",
    "mknod": '#include <sys/stat.h>\nint call(void) { return mknod("/nonexistent/x", 0, 0) + 1; }',
    "__cpu_model": 'int call(void) { __builtin_cpu_init(); return !__builtin_cpu_supports("sse2"); }',
    "__udivti3": "unsigned __int128 a = 100, b = 7; int call(void) { return (int)(a / b) - 14; }",
    "__stack_chk_fail": "int get(char *c) { return c[0]; } int call(void) { char c[64] = { 0 }; return get(c); }",
}


@pytest.mark.parametrize("flags", ["-fPIC", "-fno-pic"])
@pytest.mark.parametrize("name", SOURCES)
def test_the_name_is_found_and_works(compile, in_child, name, flags):
    path = compile(SOURCES[name], flags=flags + " -fstack-protector-all -O0")
    assert in_child(lambda: rtlinker.load(path).call()) == 0
