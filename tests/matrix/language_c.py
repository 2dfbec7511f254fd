"""What C programs do, and what gcc's options add to them."""

from tests.matrix.feature import c, feature

ROWS = (
    feature(
        "setjmp and longjmp",
        c("#include <setjmp.h>\nstatic jmp_buf at; static void jump(void) { longjmp(at, 1); }\n"
          "int check(void) { if (setjmp(at)) return 1; jump(); return 0; }"),
    ),
    feature(
        "alloca and arrays of variable length",
        c("#include <alloca.h>\n#include <string.h>\nstatic int use(int n) { char list[n]; "
          "char *more = alloca(n); memset(list, 1, n);\n"
          "memcpy(more, list, n); return more[n - 1]; } int check(void) { return use(3000); }"),
    ),
    feature(
        "computed goto",
        c("int check(void) { static void *const steps[] = {&&add, &&twice, &&done}; "
          "static const char program[] = {0, 1, 0, 1, 2};\n"
          "const char *p = program; int n = 0; goto *steps[*p++]; add: n++; goto *steps[*p++]; twice: n *= 2; "
          "goto *steps[*p++];\n"
          "done: return n == 6; }"),
    ),
    *(feature(
        f"jump tables, {flags}",
        c("extern int f(int); static int jump(int n) { switch (n) { case 0: return f(3); "
          "case 1: return f(1) + 4; case 2: return f(5);\n"
          "case 3: return f(9) - 1; case 4: return f(2) * 2; case 5: return f(6); case 6: return f(5) + 3; "
          "default: return 0; } }\n"
          "int check(void) { int sum = 0; for (int i = -1; i < 9; i++) sum += jump(i); return sum == 39; }", flags),
        c("int f(int n) { return n; }", flags),
    ) for flags in ("-fPIC", "-fno-pic")),
    feature(
        "__int128: division by libgcc",
        c("int check(void) { volatile __int128 n = (__int128)1 << 100, d = 3; __int128 q = n / d; "
          "return q * 3 + n % d == n; }"),
    ),
    feature(
        "long double and its functions",
        c("#include <math.h>\nint check(void) { volatile long double x = 2; "
          "return fabsl(sqrtl(x) * sqrtl(x) - 2) < 1e-18L; }"),
        libraries=("m",),
    ),
    feature(
        "__float128",
        c("int check(void) { volatile __float128 x = 2, y = 3; return (int)(x / y * 3) == 2 || (int)(x * y) == 6; }"),
    ),
    feature(
        "complex numbers",
        c("#include <complex.h>\nint check(void) { volatile double complex z = 3 + 4 * I; "
          "double complex w = z * z / z;\n"
          "return cabs(w) == 5 && cimag(z * z) == 24; }"),
        libraries=("m",),
    ),
    feature(
        "decimal floating point",
        c("int check(void) { volatile _Decimal64 a = 0.1dd, b = 0.2dd; return a + b == 0.3dd; }"),
    ),
    feature(
        "half precision and popcount by libgcc",
        c("int check(void) { volatile _Float16 h = 1.5f16; volatile unsigned long n = 255; "
          "return (float)h * 2 == 3 && __builtin_popcountl(n) == 8; }"),
    ),
    feature(
        "vectors: SSE, and AVX where there is one",
        c("typedef float V __attribute__((vector_size(32))); "
          "__attribute__((target(\"avx\"))) static float avx(float x) { V v = {x, 1, 2, 3};\n"
          "v = v * v + v; return v[3]; } typedef int W __attribute__((vector_size(16))); int check(void) { "
          "volatile int n = 2; W w = {n, 1, 2, 3};\n"
          "w = w * w + (W){7, 7, 7, 7}; return w[0] == 11 && (!__builtin_cpu_supports(\"avx\") || avx(n) == 12); }"),
    ),
    feature(
        "16-byte atomics, with -l atomic",
        c("typedef struct { long a, b; } Pair; static _Atomic Pair pair; int check(void) { Pair p = {1, 2}, q; "
          "__atomic_store(&pair, &p, 5);\n"
          "__atomic_load(&pair, &q, 5); return q.a == 1 && q.b == 2; }"),
        libraries=("atomic",),
    ),
    feature(
        "stack protector",
        c("#include <string.h>\nvoid fill(char *); int check(void) { char list[40]; fill(list); "
          "return list[39] == 1; }", "-fPIC -fstack-protector-all"),
        c("#include <string.h>\nvoid fill(char *p) { char own[40]; memset(own, 1, 40); memcpy(p, own, 40); }",
          "-fPIC -fstack-protector-all"),
    ),
    feature(
        "_FORTIFY_SOURCE",
        c("#include <stdio.h>\n#include <string.h>\nint check(void) { char text[20]; volatile int n = 42; "
          "sprintf(text, \"%d\", n);\n"
          "return !strcmp(strcat(text, \"!\"), \"42!\"); }", "-fPIC -O2 -D_FORTIFY_SOURCE=2"),
    ),
    feature(
        "split stacks",
        c("static int deep(int n) { volatile char room[200]; room[n % 200] = n; "
          "return n ? deep(n - 1) + room[n % 200] - (char)n : 1; }\n"
          "int check(void) { return deep(1000); }", "-fPIC -fsplit-stack"),
    ),
    feature(
        "-finstrument-functions",
        c("static int entered; __attribute__((no_instrument_function)) void __cyg_profile_func_enter(void *f, "
          "void *from) { entered++; }\n"
          "__attribute__((no_instrument_function)) void __cyg_profile_func_exit(void *f, void *from) {}\n"
          "__attribute__((noinline)) int one(void) { return 1; } int check(void) { return one() && entered == 2; }",
          "-fPIC -finstrument-functions"),
    ),
    feature("-pg (calls of mcount)", c("__attribute__((noinline)) int one(void) { return 1; } int check(void) { "
                                       "return one(); }", "-fPIC -pg")),
    feature("--coverage, with -l gcov",
            c("int one(int n) { return n > 0; } int check(void) { return one(3); }", "-fPIC --coverage"),
            libraries=("gcov",)),
    feature(
        "-fsanitize=undefined, with -l ubsan",
        c("int add(int a, int b) { return a + b; } int check(void) { return add(1, 2) == 3; }",
          "-fPIC -fsanitize=undefined"),
        libraries=("ubsan",),
    ),
    feature(
        "backtrace() sees the frames",
        c("#include <execinfo.h>\nvoid *addresses[64]; __attribute__((noinline)) int inner(void) { "
          "int n = backtrace(addresses, 64);\n"
          "__asm__ volatile(\"\"); return n; } int check(void) { int n = inner();\n"
          "int mine = 0; for (int i = 0; i < n; "
          "i++) mine += (char *)addresses[i] > (char *)check && (char *)addresses[i] < (char *)check + 200;\n"
          "return mine == 1 && n >= 3; }", "-fPIC -fno-optimize-sibling-calls"),
    ),
    feature(
        "qsort and bsearch with callbacks",
        c("#include <stdlib.h>\nstatic int order(const void *a, const void *b) { return *(int *)a - *(int *)b; "
          "} int check(void) {\n"
          "int list[] = {5, 3, 9}, key = 9; qsort(list, 3, 4, order); "
          "return (int *)bsearch(&key, list, 3, 4, order) == list + 2; }"),
    ),
    feature(
        "signal handler on a stack of its own, siglongjmp",
        c("#include <setjmp.h>\n#include <signal.h>\nstatic sigjmp_buf at; static char stack[65536]; "
          "static void handler(int n) { siglongjmp(at, n); }\n"
          "int check(void) { stack_t own = {.ss_sp = stack, .ss_size = sizeof stack}, old; sigaltstack(&own, &old);\n"
          "struct sigaction a = {.sa_handler = handler, .sa_flags = SA_ONSTACK}; sigaction(SIGUSR1, &a, 0); "
          "int n = sigsetjmp(at, 1);\n"
          "if (!n) raise(SIGUSR1); sigaltstack(&old, 0); return n == SIGUSR1; }"),
    ),
    feature(
        "makecontext and swapcontext",
        c("#include <ucontext.h>\nstatic ucontext_t here, there; static char stack[65536]; static int n; "
          "static void run(void) { n = 1; }\n"
          "int check(void) { getcontext(&there); there.uc_stack.ss_sp = stack; "
          "there.uc_stack.ss_size = sizeof stack; there.uc_link = &here;\n"
          "makecontext(&there, run, 0); swapcontext(&here, &there); return n; }"),
    ),
    feature(
        "variable arguments",
        c("#include <stdarg.h>\n#include <stdio.h>\n#include <string.h>\nstatic double sum(int n, ...) { "
          "va_list l; double s = 0; va_start(l, n);\n"
          "while (n--) s += va_arg(l, double); va_end(l); return s; } int check(void) { char text[40];\n"
          'snprintf(text, 40, "%d %.1f %Lg %s", 1, sum(3, 1., 2., 3.), 4.5L, "s"); '
          'return !strcmp(text, "1 6.0 4.5 s"); }'),
    ),
    feature(
        "nested function whose address is taken (executable stack)",
        c("static int call(int (*f)(int)) { return f(2); } int check(void) { volatile int n = 3;\n"
          "int add(int m) { return n + m; } return call(add) == 5; }", "-fPIC -O0"),
        refused="a stack of code would be the whole process's",
    ),
    feature(
        "inline assembly with sections and labels of its own",
        c("int check(void) { int n; "
          "__asm__(\".pushsection .rodata\\n1: .long 7\\n.popsection\\nmovl 1b(%%rip), %0\" : \"=r\"(n)); "
          "return n == 7; }"),
    ),
)  # fmt: skip
