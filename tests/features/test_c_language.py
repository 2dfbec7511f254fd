"""The C language and gcc's extensions in loaded objects: one parameter per feature, each a program that answers 42."""

# ruff: noqa: E501  # programs in tables: breaking their lines would hide them

import pytest

import rtlinker

FEATURES = {
    "setjmp and longjmp": ("#include <setjmp.h>\nstatic jmp_buf b; static void far(int n) { longjmp(b, n); }", "int n = setjmp(b); if (!n) far(42); return n;", "-O0"),
    "_setjmp": ("#include <setjmp.h>\nstatic jmp_buf b;", "int n = _setjmp(b); if (!n) _longjmp(b, 42); return n;", "-O0 -D_DEFAULT_SOURCE"),
    "sigsetjmp": ("#include <setjmp.h>\n#include <signal.h>\nstatic sigjmp_buf b; static void on(int s) { siglongjmp(b, 42); }", "int n = sigsetjmp(b, 1); if (!n) { signal(SIGUSR1, on); raise(SIGUSR1); } return n;", "-O0"),
    "__builtin_setjmp": ("static void *b[5]; __attribute__((noinline)) static void far(void) { __builtin_longjmp(b, 1); }", "volatile int n = 41; if (!__builtin_setjmp(b)) far(); else n++; return n;", "-O0"),
    "alloca": ("#include <alloca.h>", "volatile int n = 42; char *p = alloca(n); p[n - 1] = n; return p[41];", ""),
    "variable-length arrays": ("static int sum(int n, int v[n]) { int s = 0; while (n--) s += v[n]; return s; }", "volatile int n = 42; int v[n]; for (int i = 0; i < n; i++) v[i] = 1; return sum(n, v);", ""),
    "_Complex arithmetic": ("#include <complex.h>", "volatile double _Complex a = 6 + 1 * I, b = 7; return creal(a * b) + creal(a / b) * 0;", ""),
    "_Complex float and long double": ("#include <complex.h>", "volatile float _Complex a = 6; volatile long double _Complex b = 7; return creall(a * b / 1) + crealf(a / a) - 1;", ""),
    "__int128 arithmetic": ("", "volatile __int128 a = (__int128)42 << 70, b = (__int128)1 << 70; volatile unsigned __int128 c = a; return (int)(a / b) + (int)(c % b);", ""),
    "__int128 to floating point": ("", "volatile double d = 42; volatile __int128 a = d; volatile unsigned __int128 u = d; volatile float f = u; return (int)a + (int)(double)u - (int)f;", ""),
    "__float128": ("", "volatile __float128 a = 6, b = 7; volatile int n = a * b; return a < b ? n : 0;", ""),
    "_Float16": ("", "volatile _Float16 a = 6, b = 7; return a * b;", ""),
    "vector extensions": ("typedef int v4 __attribute__((vector_size(16)));", "volatile v4 a = {40, 1, 1, 0}, b = {0, 0, 0, 0}; v4 c = a + b; return c[0] + c[1] + c[2];", ""),
    "AVX-512 only where the processor has it": ("__attribute__((target(\"avx512f\"))) static int wide(void) { return 42; }", "return __builtin_cpu_supports(\"avx512f\") ? wide() : 42;", ""),
    "__builtin_cpu_supports": ("", "__builtin_cpu_init(); return __builtin_cpu_supports(\"sse2\") && __builtin_cpu_is(\"amd\") + __builtin_cpu_is(\"intel\") < 2 ? 42 : 0;", ""),
    "__builtin_popcount and its kin": ("", "volatile unsigned long n = (1ul << 42) - 1; volatile __int128 w = 0; return __builtin_popcountl(n) + __builtin_parityl(0) + (w != 0);", ""),
    "overflow builtins": ("", "volatile long a = 1l << 62; long r; volatile __int128 x = 1; __int128 y; return __builtin_mul_overflow(a, 4, &r) && !__builtin_mul_overflow(x, 2, &y) ? 42 : 0;", ""),
    "trapping arithmetic": ("", "volatile int a = 40; return a + 2;", "-ftrapv"),
    "computed gotos": ("", "static void *to[] = {&&a, &&b}; volatile int i = 1; goto *to[i]; a: return 1; b: return 42;", ""),
    "a switch with a jump table": ("__attribute__((noinline)) static int f(int n) { switch (n) { case 0: return 3; case 1: return 9; case 2: return 27; case 3: return 42; case 4: return 5; case 5: return 8; case 6: return 2; } return 0; }", "volatile int n = 3; return f(n);", ""),
    "nested functions called directly": ("", "volatile int n = 40; int add(int x) { return n + x; } return add(2);", "-O0"),
    "cleanup attributes": ("static int n; static void up(int *p) { n += *p; }", "{ __attribute__((cleanup(up))) int x = 42; } return n;", ""),
    "statement expressions and typeof": ("", "__auto_type x = ({ __typeof__(21) y = 21; y * 2; }); return x;", ""),
    "_Generic": ("#define kind(x) _Generic((x), int: 42, default: 0)", "return kind(1);", ""),
    "_Atomic without a library": ("#include <stdatomic.h>", "static _Atomic int n = 40; atomic_fetch_add(&n, 2); return atomic_load(&n);", ""),
    "variadic functions": ("#include <stdarg.h>\nstatic int sum(int n, ...) { va_list l; va_start(l, n); int s = 0; while (n--) s += va_arg(l, int) + (int)va_arg(l, double); va_end(l); return s; }", "return sum(2, 1, 20.0, 1, 20.0);", ""),
    "errno": ("#include <errno.h>\n#include <unistd.h>", "close(-1); return errno == EBADF ? 42 : 0;", ""),
    "long double mathematics": ("#include <math.h>", "volatile long double x = 1764; return sqrtl(x);", ""),
    "wide and UTF-16 strings": ("#include <wchar.h>\n#include <uchar.h>", "static const char16_t t[] = u\"*\"; return wcslen(L\"*\") * (L\"*\"[0] == t[0]) * t[0];", ""),
    "asm with local symbols": ("", "int n; __asm__(\"jmp .Lover%=\\n.Lback%=: mov $42, %0\\njmp .Lend%=\\n.Lover%=: jmp .Lback%=\\n.Lend%=:\" : \"=r\"(n)); return n;", ""),
    "asm goto": ("", "__asm__ goto(\"jmp %l0\" : : : : there); return 0; there: return 42;", ""),
    "asm labels on names": ("int known(void) __asm__(\"another.name\"); int known(void) { return 42; } int again(void) __asm__(\"another.name\");", "return again();", "-O0"),
    "top-level asm": ("__asm__(\".pushsection .text\\nanswer: mov $42, %eax\\nret\\n.popsection\"); int answer(void);", "return answer();", ""),
    "register variables": ("", "register int n __asm__(\"r12\") = 42; __asm__ volatile(\"\" : \"+r\"(n)); return n;", ""),
    "aliases and weak aliases": ("int real(void) { return 21; } int other(void) __attribute__((alias(\"real\"))); int weak(void) __attribute__((weak, alias(\"real\")));", "return other() + weak();", "-O0"),
    "weakref": ("static int maybe(void) __attribute__((weakref(\"nobody_has_this\")));", "return maybe ? 0 : 42;", ""),
    "a symbol version made by .symver": ("int versioned(void) { return 42; } __asm__(\".symver versioned, public@@V1\"); int public(void);", "return public();", "-O0"),
    "hidden, protected and internal names": ("__attribute__((visibility(\"hidden\"))) int h = 20; __attribute__((visibility(\"protected\"))) int p = 20; __attribute__((visibility(\"internal\"))) int i = 2;", "return h + p + i;", "-O0"),
    "-fvisibility=hidden": ("int there = 42;", "return there;", "-fvisibility=hidden -O0"),
    "an alignment of 64 KiB": ("static int wide __attribute__((aligned(65536))) = 42;", "return (unsigned long)&wide % 65536 ? 0 : wide;", "-O0"),
    "merged strings": ("const char *a = \"tail\", *b = \"long tail\"; static const char *volatile c = \"tail\" + 1;", "return a[0] == 't' && b[5] == 't' && c[0] == 'a' ? 42 : 0;", "-O2"),
    "merged constants": ("__attribute__((noinline)) static double f(double x) { return x * 2.5 + 1.5; } __attribute__((noinline)) static float g(float x) { return x * 2.5f; }", "return f(10) + g(6) + 0.5;", "-O2"),
    "sections of one's own": ("__attribute__((section(\"my.code\"))) int in(void) { return 40; } __attribute__((section(\".data.mine\"))) int data = 2;", "return in() + data;", "-O0"),
    "retained sections": ("__attribute__((retain, used, section(\"keep\"))) static int kept = 42;", "return kept;", "-O0"),
    "bit-fields and packed structs": ("struct __attribute__((packed)) { char c; unsigned n : 6, m : 3; } s = {1, 42, 5};", "return s.n;", "-O0"),
    "flexible arrays and compound literals": ("struct f { int n; int v[]; }; static struct f s = {2, {20, 22}};", "return s.v[0] + s.v[1] + (int[]){0}[0];", ""),
    "a constructor attribute": ("static int n; __attribute__((constructor)) static void set(void) { n = 42; }", "return n;", ""),
    "no_sanitize, cold and hot functions": ("__attribute__((cold, noinline)) static int c(void) { return 20; } __attribute__((hot, noinline)) static int h(void) { return 22; }", "return c() + h();", ""),
    "split hot and cold parts": ("#include <stdlib.h>\n__attribute__((noinline)) static int f(int n) { if (__builtin_expect(n > 9, 0)) { if (n > 10) abort(); return n * 2; } return n; }", "volatile int n = 10; return f(n) + 22;", "-O2 -freorder-blocks-and-partition"),
    "tail calls": ("__attribute__((noinline)) static int down(int n, int s) { return n ? down(n - 1, s + 1) : s; }", "volatile int n = 42; return down(n, 0);", "-O2"),
    "stack checks": ("", "volatile char big[20000]; big[0] = 42; return big[0];", "-fstack-clash-protection -fstack-check"),
    "patchable function entries": ("", "return 42;", "-fpatchable-function-entry=8,2"),
    "fortified calls": ("#include <string.h>\n#include <stdio.h>", "volatile int n = 3; char b[8]; memset(b, 0, n); snprintf(b, sizeof b, \"%d\", 42); return (b[0] - '0') * 10 + b[1] - '0';", "-O2 -D_FORTIFY_SOURCE=2"),
    "a stack protector that finds nothing": ("#include <string.h>", "char b[16]; volatile int n = 42; memset(b, n, sizeof b); return b[3];", "-fstack-protector-all"),
    "retpolines": ("static int f(void) { return 42; } static int (*volatile p)(void) = f;", "return p();", "-mindirect-branch=thunk -mfunction-return=thunk -fcf-protection=none"),
}  # fmt: skip


@pytest.mark.parametrize("feature", FEATURES)
def test_the_language(compile, in_child, feature):
    before, body, flags = FEATURES[feature]
    path = compile(f"{before}\nint run(void) {{ {body} }}", flags=flags.split())

    def call():
        with rtlinker.load(path) as library:
            return library.run()

    assert in_child(call) == 42


PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int counter; int shared = 3; const char *names[] = {"zero", "one", "two"}; static double table[] = {1.5, 2.5};
__attribute__((noinline)) static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int (*pointer)(const void *, const void *) = compare;
int run(int n) {
    int v[] = {5, 3, n}; char text[32];
    qsort(v, 3, sizeof *v, pointer);
    snprintf(text, sizeof text, "%s %g", names[v[0] % 3], table[1]);
    counter += strlen(text);
    return counter + shared + v[2];
}
"""

FLAGS = [
    "-O0", "-O1", "-O2", "-O3", "-Os", "-Og", "-Ofast -march=x86-64-v2", "-fpic", "-fPIC", "-fpie", "-fPIE", "-fno-pic", "-fno-plt", "-fno-plt -fPIC",
    "-mcmodel=small", "-mcmodel=medium", "-mcmodel=medium -fPIC", "-mcmodel=medium -mlarge-data-threshold=4 -fno-pic", "-mcmodel=large -fno-pic", "-mcmodel=large -fPIC",
    "-ffunction-sections -fdata-sections", "-fcf-protection=full", "-fcf-protection=none", "-fstack-protector-all",
    "-fno-asynchronous-unwind-tables", "-fno-common", "-fcommon", "-fno-builtin", "-fno-jump-tables", "-fomit-frame-pointer", "-fno-omit-frame-pointer",
    "-flto -ffat-lto-objects", "-fmerge-all-constants", "-fno-merge-constants", "-fno-semantic-interposition -fPIC", "-mno-red-zone", "-m64 -mtls-dialect=gnu2",
    "-g0", "-g3", "-g3 -gz=zlib", "-g -gz=zlib-gnu", "-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5", "-gdwarf-4 -fdebug-types-section", "-gdwarf64", "-Wa,-mrelax-relocations=no", "-Wa,--compress-debug-sections",
]  # fmt: skip


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("flags", FLAGS)
def test_a_program_under(compile, in_child, compiler, flags):
    if compiler == "clang" and flags in NOT_CLANG:
        flags = NOT_CLANG[flags]
    path = compile(PROGRAM, flags=flags.split(), compiler=compiler)

    def call():
        library = rtlinker.load(path)
        run = library.run if "-g0" not in flags else library.function("run", "int(int)")
        return run(1), run(9)

    assert in_child(call) == (7 + 3 + 5, 7 + 8 + 3 + 9)


NOT_CLANG = {
    "-mcmodel=medium -mlarge-data-threshold=4 -fno-pic": "-mcmodel=medium -fno-pic",
    "-flto -ffat-lto-objects": "-fembed-bitcode",
    "-m64 -mtls-dialect=gnu2": "-m64",
    "-g -gz=zlib-gnu": "-g -gz",
    "-fno-merge-constants": "-fno-merge-all-constants",
}
"""What clang 14 does not know, with what is next to it."""
