"""Sections and forms of objects that compilers, assemblers and ld -r write."""

from tests.matrix.feature import asm, c, cxx, feature

COUNT = 66_000
SPLIT = "static int n = 1; int zero; int a(void) { return n++; } int check(void) { return a() + zero; }"


def many_sections() -> str:
    """More sections than a symbol's 16-bit field can number; the last is the one that is reached."""
    lines = [f'.section .text.f{number},"ax"\nnop\n' for number in range(COUNT)]
    return "".join(lines) + ".globl last\nlast: mov $1, %eax\nret\n.text\n.globl check\ncheck: jmp last@PLT"


ROWS = (
    feature(
        "section aligned to 64 bytes",
        c("int small = 1; static long line[8] __attribute__((aligned(64))) = {1}; const char odd = 3;\n"
          "static const long table[8] __attribute__((aligned(64))) = {1};\n"
          "int check(void) { return (long)line % 64 == 0 && (long)table % 64 == 0; }"),
    ),
    feature(
        "sections aligned to a page: data, zeroes, constants, code",
        c("#define PAGE __attribute__((aligned(4096)))\nint small = 1; int data PAGE = 1, zero PAGE; "
          "const int constant PAGE = 1;\n"
          "PAGE int code(void) { return 1; } int check(void) {\n"
          "return !(((long)&data | (long)&zero | (long)&constant | (long)code) % 4096) && data + constant + "
          "code() == 3; }"),
    ),
    feature("-ffunction-sections -fdata-sections", c(SPLIT, "-fPIC -ffunction-sections -fdata-sections")),
    feature(
        "mergeable strings and constants",
        c('#include <string.h>\nextern const char *other(void); int check(void) { volatile double d = 2.5;\n'
          'return !strcmp(other(), "the same") && strlen("not the same") == 12 && d * 1.5 == 3.75; }'),
        c('const char *other(void) { return "the same"; }'),
    ),
    feature("debug information: -g3", c(SPLIT, "-fPIC -g3")),
    feature("debug information, compressed: -g3 -gz", c(SPLIT, "-fPIC -g3 -gz")),
    feature("ld -r of two objects", c("int b(void); static int n = 3; int check(void) { return b() + n == 5; }"),
            c("static int n = 2; int b(void) { return n; }"), form="relocatable"),
    feature(
        "ld -r of C++ with COMDAT groups and exceptions",
        cxx("#include <stdexcept>\n#include <vector>\nint other(int); extern \"C\" int check() { "
            "std::vector<int> v(3);\n"
            "try { return other(9) + v.at(1); } catch (const std::out_of_range &) { return 1; } }"),
        cxx("#include <vector>\nint other(int n) { std::vector<int> v(3); return v.at(n); }"),
        form="relocatable",
    ),
    feature("fat LTO objects", c(SPLIT, "-fPIC -flto -ffat-lto-objects")),
    feature("more than 65,280 sections", asm(many_sections)),
    feature("zeroes of 16 MiB", c("char zeroes[1 << 24]; int check(void) { zeroes[(1 << 24) - 1]++; "
                                  "return zeroes[(1 << 24) - 1]; }")),
    feature(
        "relocated read-only data (.data.rel.ro)",
        c("static int one(void) { return 1; } static int two(void) { return 2; }\n"
          "static int (*const table[])(void) = {one, two}; int check(void) { volatile int i = 0; return table[i](); }"),
    ),
    feature(
        "sections with names of one's own",
        c('__attribute__((section("my.code"), noinline)) int code(void) { return 2; } '
          '__attribute__((section("my.data"))) int data = 3;\n'
          '__attribute__((section(".text.unlikely"), noinline)) int cold(void) { return 5; }\n'
          "int check(void) { return code() * data + cold() == 11; }"),
    ),
    feature("no unwind tables, no identification", c(SPLIT, "-fPIC -fno-asynchronous-unwind-tables -fno-ident "
                                                            "-fno-exceptions")),
    feature("SHF_LINK_ORDER: -fpatchable-function-entry", c(SPLIT, "-fPIC -fpatchable-function-entry=8,4")),
    feature(
        "SHF_EXCLUDE and notes",
        asm('.globl check\ncheck: mov $1, %eax\nret\n.section .left_out,"e",@progbits\n.quad nowhere_at_all\n'
            '.section .note.own,"a",@note\n.long 4, 4, 1\n.asciz "own"\n.long 7'),
    ),
    feature("empty sections and an object without code",
            c("int check(void) { extern int n; return n; }"), c("int n = 1;"), c("")),
)  # fmt: skip
