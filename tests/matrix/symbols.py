"""What a name can mean: bindings, visibilities, versions, groups, and names of libc and of the linker."""

from tests.matrix.feature import asm, c, cxx, feature

SAME_ADDRESS = """
#include <stdio.h>
int (*theirs(void))(const char *);
int check(void) { int (*mine)(const char *) = puts; return mine == theirs() && mine == &puts; }
"""
UNIQUE = """
.section .data.one,"awG",@progbits,one,comdat
.type one, @gnu_unique_object
.size one, 4
one: .long 1
"""
THEIRS = "#include <stdio.h>\nint (*theirs(void))(const char *) { return puts; }"

ROWS = (
    feature(
        "COMMON blocks, merged and defined elsewhere",
        c("int shared[2]; int taken; int other(void); int check(void) { shared[1] = 5; return other() && taken == 7; }",
          "-fPIC -fcommon"),
        c("int shared[40]; int taken = 7; int other(void) { return shared[1] == 5 && !shared[39]; }", "-fPIC -fcommon"),
    ),
    feature(
        "COMMON block aligned to 64 bytes",
        c("int first; long block[3] __attribute__((aligned(64))); int check(void) { return !((long)block % 64); }",
          "-fPIC -fcommon"),
        c("char first; char block[1];", "-fPIC -fcommon"),
    ),
    feature(
        "COMMON block of the large model",
        c("extern char huge[100000]; char huge[100000]; int check(void) { huge[99999] = 1; return huge[99999]; }",
          "-fPIC -fcommon -mcmodel=medium"),
    ),
    feature(
        "weak and undefined, PIC",
        c("extern int nothing __attribute__((weak)); int nowhere(void) __attribute__((weak));\n"
          "int check(void) { return !&nothing && !nowhere; }"),
    ),
    feature(
        "weak and undefined, non-PIC",
        c("extern int nothing __attribute__((weak)); int nowhere(void) __attribute__((weak));\n"
          "int check(void) { if (nowhere) return nowhere(); return !&nothing; }", "-fno-pic"),
    ),
    feature(
        "weak and defined: strong wins, first of weak wins",
        c("int a(void) __attribute__((weak)), b(void) __attribute__((weak)); int a(void) { return 1; }\n"
          "int b(void) { return 10; } int check(void) { return a() + b() == 12; }"),
        c("int a(void); int b(void) __attribute__((weak)); int a(void) { return 2; } int b(void) { return 20; }"),
    ),
    feature(
        "weakref",
        c('static int there(void) __attribute__((weakref("target"))), not_there(void) '
          '__attribute__((weakref("none")));\n'
          "int check(void) { return there && there() == 4 && !not_there; }"),
        c("int target(void) { return 4; }"),
    ),
    feature(
        "hidden",
        c("extern int secret __attribute__((visibility(\"hidden\"))); int check(void) { return secret == 3; }"),
        c("int secret __attribute__((visibility(\"hidden\"))) = 3;"),
    ),
    feature(
        "hidden, a name that libc also has",
        c('int puts(const char *) __attribute__((visibility("hidden"))); int check(void) { return puts("x") == 1; }',
          "-fPIC -fno-builtin"),
        c('__attribute__((visibility("hidden"))) int puts(const char *s) { return *s == \'x\'; }',
          "-fPIC -fno-builtin"),
    ),
    feature(
        "own definition of a name that libc also has",
        c("int rand(void); int check(void) { return rand() == 4; }", "-fPIC -fno-builtin"),
        c("int rand(void) { return 4; }", "-fPIC -fno-builtin"),
    ),
    feature(
        "protected function and datum",
        c('__attribute__((visibility("protected"))) int number = 2;\n'
          '__attribute__((visibility("protected"))) int get(void) { return number; }\n'
          "int (*address(void))(void); int check(void) { return get() == 2 && address() == get; }"),
        c("extern int get(void); int (*address(void))(void) { return get; }"),
    ),
    feature(
        "visibility that differs: the strictest counts",
        c("extern int number; int check(void) { return number == 6; }"),
        c('extern int number __attribute__((visibility("hidden"))); int use(void) { return number; }'),
        c("int number = 6;"),
    ),
    feature(
        "internal visibility",
        c('__attribute__((visibility("internal"), noinline)) int own(void) { return 1; } int check(void) { '
          'return own(); }'),
    ),
    feature(
        "aliases",
        c('int first(void) { return 1; } int second(void) __attribute__((alias("first")));\n'
          'int third(void) __attribute__((weak, alias("first"))); int number = 3; '
          'extern int same __attribute__((alias("number")));\n'
          "int check(void) { return second() && third() && second == first && &same == &number; }"),
    ),
    feature(
        "names of any characters",
        c("int größe(void), with_a_label(void) __asm__(\"dotted.name$1\"); int check(void) { "
          "return größe() == 5 && with_a_label(); }"),
        asm('.globl "größe", dotted.name$1\n"größe": sub $8, %rsp\ncall "a name: with + no {limits}"\nadd $8, '
            '%rsp\nret\n'
            "dotted.name$1: mov $1, %eax\nret"),
        asm('.globl "a name: with + no {limits}"\n"a name: with + no {limits}": mov $5, %eax\nret'),
    ),
    feature(
        ".symver reference: an old version of libc's",
        c('__asm__(".symver old_memcpy, memcpy@GLIBC_2.2.5"); void *old_memcpy(void *, const void *, unsigned long);\n'
          "int check(void) { char a[4] = {0}; old_memcpy(a, \"abc\", 4); return a[2] == 'c'; }"),
    ),
    feature(
        ".symver definition: @@ and @",
        c('__asm__(".symver new_one, versioned@@VERSION_2"); __asm__(".symver old_one, versioned@VERSION_1");\n'
          "int new_one(void) { return 2; } int old_one(void) { return 1; }\n"
          "int versioned(void); int check(void) { return new_one() == 2 && old_one() == 1; }"),
    ),
    feature(
        "COMDAT groups of several objects",
        cxx("template <class T> T twice(T x) { static int calls; return ++calls, x + x; } inline int counter = 0;\n"
            "int other(); extern \"C\" int check() { counter++; return twice(2) + other() == 10 && counter == 2; }",
            "-fPIC -std=c++17 -O0"),
        cxx("template <class T> T twice(T x) { static int calls; return ++calls, x + x; } inline int counter = 0;\n"
            "int other() { counter++; return twice(3); }", "-fPIC -std=c++17 -O0"),
    ),
    feature(
        "COMDAT group written in assembly, two contents",
        asm('.section .text.one,"axG",@progbits,one,comdat\n.weak one\none: mov $1, %eax\nret\n'
            ".text\n.globl check\ncheck: sub $8, %rsp\ncall one@PLT\nmov %eax, %ecx\ncall two@PLT\n"
            "imul %ecx, %eax\nadd $8, %rsp\nret"),
        asm('.section .text.one,"axG",@progbits,one,comdat\n.weak one\none: mov $9, %eax\nret\n'
            '.text\n.globl two\ntwo: sub $8, %rsp\npush %rcx\npush %rcx\ncall one@PLT\npop %rcx\npop %rcx\nadd '
            '$8, %rsp\nret'),
    ),
    feature(
        "GNU_UNIQUE",
        asm(".globl check\ncheck: sub $8, %rsp\ncall other@PLT\nmov one@GOTPCREL(%rip), %rcx\ncmp %rcx, "
            "%rax\nmov (%rcx), %eax\n"
            "je 1f\nxor %eax, %eax\n1: add $8, %rsp\nret\n" + UNIQUE),
        asm(".globl other\nother: mov one@GOTPCREL(%rip), %rax\nret\n" + UNIQUE),
    ),
    feature(
        "static names that several objects have",
        c("static int state = 1; static int get(void) { return state; } int other(void); int (*mine)(void) = get;\n"
          "int check(void) { return mine() == 1 && other() == 2; }"),
        c("static int state = 2; static int get(void) { return state; } int (*its)(void) = get;\n"
          "int other(void) { return its(); }"),
    ),
    feature(
        "libc's data, PIC: stdout and environ",
        c("#include <stdio.h>\n#include <stdlib.h>\nextern char **environ;\n"
          'int check(void) { setenv("MATRIX_OF_FEATURES", "1", 1); int n = 0; while (environ[n]) n++;\n'
          'return n > 0 && environ[n - 1] && fflush(stdout) == 0 && fileno(stdout) == 1; }'),
    ),
    feature(
        "libc's stdout, non-PIC",
        c("#include <stdio.h>\nint check(void) { return fflush(stdout) == 0 && fileno(stdout) == 1; }", "-fno-pic"),
    ),
    feature(
        "libc's constant datum, non-PIC",
        c("#include <netinet/in.h>\nint check(void) { return in6addr_loopback.s6_addr[15] == 1; }", "-fno-pic"),
    ),
    feature(
        "libc's variable, non-PIC: optind",
        c("#include <unistd.h>\nint check(void) { char *words[] = {\"a\", \"-x\", 0}; optind = 1;\n"
          'return getopt(2, words, "x") > 0 && optind == 2; }', "-fno-pic"),
        refused="a copy would soon differ from libc's own (docs/adr/0006)",
    ),
    feature("a far function has one address, PIC", c(SAME_ADDRESS), c(THEIRS)),
    feature("a far function has one address, non-PIC", c(SAME_ADDRESS, "-fno-pic"), c(THEIRS, "-fno-pic")),
    feature("a far function has one address, PIC and non-PIC", c(SAME_ADDRESS, "-fno-pic"), c(THEIRS)),
    feature(
        "libc_nonshared.a's functions: stat, atexit, at_quick_exit, pthread_atfork",
        c("#define _GNU_SOURCE\n#include <sys/stat.h>\n#include <sys/wait.h>\n#include <stdlib.h>\n#include "
          "<unistd.h>\n"
          "#include <pthread.h>\nstatic int forked; static void child(void) { forked = 1; } static void end(void) {}\n"
          'int check(void) { struct stat s; int status; '
          'if (stat("/", &s) || !S_ISDIR(s.st_mode) || atexit(end)) return 0;\n'
          "if (at_quick_exit(end) || pthread_atfork(0, 0, child)) return 0; pid_t pid = fork();\n"
          "if (!pid) _exit(forked); waitpid(pid, &status, 0); return WEXITSTATUS(status); }"),
    ),
    feature(
        "libgcc.a's functions: __builtin_cpu_supports",
        c('int check(void) { __builtin_cpu_init(); return !!__builtin_cpu_supports("sse2"); }'),
    ),
    feature(
        "_end, _edata, _etext, __bss_start",
        c("extern char end, _end, edata, _edata, etext, _etext, __bss_start; int zero, filled = 1; int check(void);\n"
          "int check(void) { return &end == &_end && &etext > (char *)check && &end > (char *)&zero\n"
          "&& &edata > (char *)&filled && (char *)&zero >= &__bss_start && &edata == &_edata && &etext == &_etext; }"),
    ),
    feature(
        "__start_SECTION and __stop_SECTION",
        c("typedef int (*entry)(void); static int one(void) { return 1; } "
          "extern const entry __start_calls[], __stop_calls[];\n"
          '__attribute__((section("calls"), used)) static const entry first = one; int check(void) {\n'
          "int n = 0; for (const entry *e = __start_calls; e < __stop_calls; e++) n += (*e)(); return n == 3; }"),
        c("typedef int (*entry)(void); static int one(void) { return 1; }\n"
          '__attribute__((section("calls"), used)) static const entry a = one, b = one;'),
    ),
    feature(
        "__dso_handle",
        c('extern void *__dso_handle __attribute__((visibility("hidden"))); '
          'int __cxa_atexit(void (*)(void *), void *, void *);\n'
          "static void end(void *p) {} int check(void) { "
          "return &__dso_handle && !__cxa_atexit(end, 0, &__dso_handle); }"),
    ),
    feature(
        "archive: members as needed",
        c("int one(void); int check(void) { return one() == 3; }"),
        c("int two(void); int one(void) { return two() + 1; }"),
        c("int two(void) { return 2; }"),
        c("int unused(void) { extern int is_nowhere; return is_nowhere; }"),
        form="archive",
    ),
    feature(
        "thin archive",
        c("int one(void); int check(void) { return one() == 3; }"),
        c("int one(void) { return 3; }"),
        form="thin archive",
    ),
)  # fmt: skip
