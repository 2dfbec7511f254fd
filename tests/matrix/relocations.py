"""Relocation types and code models, as gcc and as write them."""

from tests.matrix.feature import asm, c, feature

MODEL = """
#include <stdlib.h>
#include <string.h>
extern int other_value; int other(int); extern int many[30000];
int value = 3; static int own = 4, zero; static const char *text = "text"; static double half = 0.5;
static int order(const void *a, const void *b) { return *(int *)a - *(int *)b; }
static int (*sorter)(const void *, const void *) = order; int *inside = &many[20000];
int check(void) {
    int list[] = {3, 1, 2};
    qsort(list, 3, sizeof *list, sorter);
    many[20000] = 7; zero++;
    return list[0] == 1 && list[2] == 3 && strlen(text) == 4 && value + own == 7 && half * 2 == 1.0 && zero == 1
        && other_value == 5 && other(6) == 42 && *inside == 7 && sorter == order;
}
"""
OTHER = "int other_value = 5, many[30000]; static int seven = 7; int other(int n) { return n * seven; }"


def model(name, flags):
    return feature(name, c(MODEL, flags), c(OTHER, flags))


WORDS = """
.globl check, target, word
.text
check: {code}
ret
.p2align 4
target: mov $1, %eax
ret
.data
word: .quad 1
{data}
"""


def words(name, code, data="", *more):
    """A row of assembly, in which `target` returns 1 and `word` holds 1."""
    return feature(name, asm(WORDS.format(code=code, data=data)), *more)


GOT = "lea _GLOBAL_OFFSET_TABLE_(%rip), %r11\n"
SIZED = asm('.data\n.globl sized\n.type sized, @object\n.size sized, 40\nsized: .zero 40\n')
ABSOLUTE = asm(".globl small, medium, wide, huge\nsmall = 0x12\nmedium = 0x1234\nwide = 0x12345678\nhuge = "
               "0x123456789a")

ROWS = (
    model("-fPIC", "-fPIC"),
    model("-fPIE", "-fPIE"),
    model("-fno-pic", "-fno-pic"),
    model("-fPIC -fno-plt", "-fPIC -fno-plt"),
    model("-fPIC, GOTPCRELX off", "-fPIC -Wa,-mrelax-relocations=no"),
    model("-fPIC, unoptimised", "-fPIC -O0"),
    model("-fPIC -fno-semantic-interposition -O3", "-fPIC -O3 -fno-semantic-interposition"),
    model("-mcmodel=medium", "-fno-pic -mcmodel=medium"),
    model("-fPIC -mcmodel=medium", "-fPIC -mcmodel=medium"),
    model("-mcmodel=large", "-fno-pic -mcmodel=large"),
    model("-fPIC -mcmodel=large", "-fPIC -mcmodel=large"),
    model("-mindirect-branch=thunk (retpolines)", "-fPIC -mindirect-branch=thunk -mfunction-return=thunk"),
    model("-fcf-protection=full (CET)", "-fPIC -fcf-protection=full"),
    words("GOTPCRELX: every instruction that may be relaxed", """
        mov word@GOTPCREL(%rip), %rax
        mov (%rax), %rcx
        xor %eax, %eax
        cmp word@GOTPCREL(%rip), %rax
        je 1f
        test %rax, word@GOTPCREL(%rip)
        jne 1f
        add word@GOTPCREL(%rip), %rax
        sub word@GOTPCREL(%rip), %rax
        jne 1f
        call *target@GOTPCREL(%rip)
        cmp %rcx, %rax
        jne 1f
        jmp *target@GOTPCREL(%rip)
        1: xor %eax, %eax"""),
    words("R_X86_64_GOTPCREL in data", """
        movslq entry(%rip), %rax
        lea entry(%rip), %rcx
        mov (%rcx,%rax), %rax
        mov (%rax), %eax""", "entry: .long word@GOTPCREL"),
    words("R_X86_64_8 and 16, absolute symbols", """
        xor %eax, %eax
        cmpb $0x12, byte(%rip)
        jne 1f
        cmpw $0x1234, two(%rip)
        sete %al
        1:""", "byte: .byte small\n.p2align 1\ntwo: .short medium", ABSOLUTE),
    words("R_X86_64_PC8 and PC16", """
        lea eight(%rip), %rax
        movsbq (%rax), %rcx
        movswq 1(%rax), %rdx
        mov (%rax,%rcx), %ecx
        mov 1(%rax,%rdx), %eax
        and %ecx, %eax""", """
        eight: .byte 0
        .reloc eight, R_X86_64_PC8, word
        sixteen: .short 0
        .reloc sixteen, R_X86_64_PC16, word"""),
    words("R_X86_64_32 and 32S: absolute addresses in 32 bits", """
        mov $word, %ecx
        mov $word, %rdx
        mov entry(%rip), %eax
        cmp %rcx, %rdx
        jne 1f
        cmp %rcx, %rax
        jne 1f
        mov word, %eax
        ret
        1: xor %eax, %eax""", "entry: .long word"),
    words("R_X86_64_64 in read-only data", """
        mov entry(%rip), %rax
        mov (%rax), %eax""", '.section .rodata\nentry: .quad word'),
    words("absolute symbols, 32 bits wide and wider", """
        mov $wide, %eax
        cmp $0x12345678, %eax
        jne 1f
        movabs $huge, %rax
        movabs $0x123456789a, %rcx
        cmp %rcx, %rax
        jne 1f
        mov wide@GOTPCREL(%rip), %rax
        cmp $0x12345678, %rax
        jne 1f
        mov $1, %eax
        ret
        1: xor %eax, %eax""", "", ABSOLUTE),
    words("R_X86_64_SIZE32 and SIZE64", """
        mov $sized@SIZE, %eax
        movabs $sized@SIZE, %rcx
        sub $39, %eax
        cmp $40, %rcx
        je 1f
        xor %eax, %eax
        1:""", "", SIZED),
    words("R_X86_64_GOTOFF64 and GOTPC32", GOT + """
        movabs $word@GOTOFF, %rax
        mov (%r11,%rax), %eax"""),
    words("R_X86_64_GOTPC64 and GOT64", """
        1: lea 1b(%rip), %rax
        movabs $_GLOBAL_OFFSET_TABLE_-1b, %r11
        add %rax, %r11
        movabs $word@GOT, %rax
        mov (%r11,%rax), %rax
        mov (%rax), %eax"""),
    words("R_X86_64_GOT32", GOT + """
        mov word@GOT(%r11), %rax
        mov (%rax), %eax"""),
    words("R_X86_64_GOTPLT64", GOT + """
        movabs $word@GOTPLT, %rax
        mov (%r11,%rax), %rax
        mov (%rax), %eax"""),
    words("R_X86_64_GOTPCREL64", """
        lea entry(%rip), %rax
        add (%rax), %rax
        mov (%rax), %rax
        mov (%rax), %eax""", "entry: .reloc entry, R_X86_64_GOTPCREL64, word\n.quad 0"),
    words("R_X86_64_PLTOFF64", GOT + """
        movabs $labs@PLTOFF, %rax
        add %r11, %rax
        mov $-1, %rdi
        sub $8, %rsp
        call *%rax
        add $8, %rsp"""),
    words("R_X86_64_PC64", """
        lea entry(%rip), %rax
        add (%rax), %rax
        mov (%rax), %eax""", "entry: .quad word - ."),
    words("large addends and differences of symbols", """
        lea word+0x40000000(%rip), %rax
        mov -0x40000000(%rax), %eax
        cmpq $8, distance(%rip)
        je 1f
        xor %eax, %eax
        1:""", "after: .quad 0\ndistance: .quad after - word"),
)  # fmt: skip
