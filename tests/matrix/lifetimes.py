"""What runs before and after: constructors, destructors, .init and .fini."""

from tests.matrix.feature import asm, c, cxx, feature

WATCH = """
#include <unistd.h>
static int watched = -1; void watch(int descriptor) { watched = descriptor; }
static void gone(void) { if (write(watched, "gone", 4) != 4) watched = -1; }
"""

ROWS = (
    feature(
        "constructors: .init_array",
        c("static int n; __attribute__((constructor)) static void make(void) { n = 1; } int check(void) { return n; }"),
    ),
    feature(
        "constructors with priorities, over two objects",
        c("int order; __attribute__((constructor(300))) static void late(void) { order = order * 10 + 3; }\n"
          "__attribute__((constructor)) static void last(void) { order = order * 10 + 4; } int check(void) { "
          "return order == 1234; }"),
        c("extern int order; __attribute__((constructor(200))) static void middle(void) { order = order * 10 + 2; }\n"
          "__attribute__((constructor(150))) static void early(void) { order = order * 10 + 1; }"),
    ),
    feature(
        "constructors are given argc, argv and the environment",
        c("extern char **environ; static int good; static void make(int argc, char **argv, char **envp) {\n"
          "good = argc > 0 && argv[0] && !argv[argc] && envp == environ; }\n"
          '__attribute__((section(".init_array"), used)) static void (*entry)(int, char **, char **) = make;\n'
          "int check(void) { return good; }"),
    ),
    feature(
        ".ctors",
        asm('.globl check\ncheck: mov count(%rip), %eax\nret\nmake: incl count(%rip)\nret\n'
            '.bss\n.p2align 2\ncount: .zero 4\n.section .ctors,"aw",@progbits\n.quad make'),
    ),
    feature(
        ".ctors with priorities",
        asm('.globl check\ncheck: xor %eax, %eax\ncmpl $12, order(%rip)\nsete %al\nret\n'
            "one: imull $10, order(%rip), %eax\nadd $1, %eax\nmov %eax, order(%rip)\nret\n"
            "two: imull $10, order(%rip), %eax\nadd $2, %eax\nmov %eax, order(%rip)\nret\n"
            '.bss\n.p2align 2\norder: .zero 4\n.section .ctors.65335,"aw",@progbits\n.quad one\n'
            '.section .ctors.65235,"aw",@progbits\n.quad two'),
    ),
    feature(
        ".preinit_array",
        c("static int n; static void make(void) { n = 1; } int check(void) { return n; }\n"
          '__attribute__((section(".preinit_array"), used)) static void (*entry)(void) = make;'),
    ),
    feature(
        ".init: pieces of one function",
        asm('.globl check\ncheck: mov n(%rip), %eax\nret\n.bss\n.p2align 2\nn: .zero 4\n.section '
            '.init,"ax",@progbits\nincl n(%rip)'),
    ),
    feature(
        "destructors at unload: .fini_array",
        c(WATCH + "__attribute__((destructor)) static void end(void) { gone(); } int check(void) { return 1; }"),
        unloads=True,
    ),
    feature(
        "atexit at unload",
        c("#include <stdlib.h>\n" + WATCH + "int check(void) { return !atexit(gone); }"),
        unloads=True,
    ),
    feature(
        ".fini at unload",
        c(WATCH + "void ending(void) { gone(); } int check(void) { return 1; }"),
        asm('.section .fini,"ax",@progbits\ncall ending@PLT'),
        unloads=True,
    ),
    feature(
        "C++ static objects, made and destroyed",
        cxx('#include <unistd.h>\n#include <string>\nstatic int watched = -1; extern "C" void watch(int d) { '
            'watched = d; }\n'
            'struct Held { std::string text; Held() : text("gone") {} ~Held() { '
            'if (write(watched, text.data(), 4) != 4) watched = -1; } };\n'
            'static Held held; extern "C" int check() { return held.text.size() == 4; }'),
        unloads=True,
    ),
)  # fmt: skip
