"""Thread-local variables: each thread has its own, in every access model, also threads that ran before the load."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import rtlinker
from tests.features.test_newer_relocations import renumbered

SOURCE = """
#include <errno.h>
static __thread int zero;
__thread int seven = 7;
__thread long many[4] __attribute__((aligned(64))) = {1, 2, 3, 4};
static int target = 5;
static __thread int *pointer = &target;
extern __thread int elsewhere;
int bump(void) { return ++zero; }
int next(void) { return seven++; }
long sum(int i) { return many[i] + *pointer + ((unsigned long)many % 64 ? 1000 : 0); }
int others(void) { return elsewhere++; }
int library(void) { errno = 33; return errno; }
"""
ELSEWHERE = "__thread int elsewhere = 50;"
MODELS = {
    "local exec": "-fPIE -O2",
    "local exec, non-PIC": "-fno-pic -O2",
    "initial exec": "-fPIC -O1 -ftls-model=initial-exec",
    "general and local dynamic": "-fPIC -O2",
    "local dynamic, unoptimised": "-fPIC -O0",
    "general dynamic without a PLT": "-fPIC -O2 -fno-plt",
    "descriptors": "-fPIC -O2 -mtls-dialect=gnu2",
    "general dynamic, large model": "-fPIC -O2 -mcmodel=large",
    "local exec, large model": "-O2 -mcmodel=large",
}
EXPECTED = [1, 2, 7, 8, 8, 50, 33]


def use(library):
    calls = (library.bump, library.bump, library.next, library.next)
    return [*(call() for call in calls), library.sum(2), library.others(), library.library()]


def load_together(paths):
    return rtlinker.load(*paths)


def load_apart(paths):
    """Each object a link of its own, so that `elsewhere` is a variable of an earlier image."""
    linker = rtlinker.Linker()
    for path in reversed(paths):
        linker.load_object(path)
        linker.resolve()
    return rtlinker.Library(linker, "apart")


@pytest.mark.parametrize("load", [load_together, load_apart])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("model", MODELS)
def test_every_thread_has_its_own(compile, in_child, model, compiler, load):
    if compiler == "clang" and model == "descriptors":
        pytest.skip("expected: clang 14 does not write TLS descriptors")
    paths = [compile(text, flags=MODELS[model], compiler=compiler) for text in (SOURCE, ELSEWHERE)]

    def call():
        with ThreadPoolExecutor(1) as old:
            old.submit(int).result()  # this thread runs before the load
            library = load(paths)
            here, there = use(library), old.submit(use, library).result()
        new = []
        thread = threading.Thread(target=lambda: new.extend(use(library)))
        thread.start()
        thread.join()
        again = library.bump()
        library.unload()
        return here, there, new, again

    assert in_child(call) == (EXPECTED, EXPECTED, EXPECTED, 3)


@pytest.mark.parametrize("engine", ["scalar", "native"])
@pytest.mark.parametrize("model", MODELS)
def test_both_engines_find_them(compile, in_child, model, engine):
    paths = [compile(text, flags=MODELS[model]) for text in (SOURCE, ELSEWHERE)]

    def call():
        linker = rtlinker.Linker(engine=engine)
        for path in paths:
            linker.load_object(path)
        linker.resolve()
        return use(rtlinker.Library(linker, "both"))

    assert in_child(call) == EXPECTED


def test_one_that_a_library_defines_is_the_librarys(workshop, compile, in_child):
    library = workshop.shared("__thread int theirs = 9; int *where(void) { return &theirs; }", "libtheirs.so")
    source = "extern __thread int theirs; int *where(void); int same(void) { return &theirs == where() ? theirs : -1; }"
    paths = [compile(source, flags=flags) for flags in ("-fPIC", "-fPIE", "-fPIC -mtls-dialect=gnu2")]
    for path in paths:
        assert in_child(lambda path=path: rtlinker.load(path, libraries=[str(library)]).same()) == 9


def test_a_block_of_zeroes_from_gnu_as_is_merged(compile, in_child):
    source = (
        ".tls_common shared,8,8\n.globl get\nget: mov shared@gottpoff(%rip), %rax\n"
        "incq %fs:(%rax)\nmov %fs:(%rax), %rax\nret\n"
    )
    paths = compile(source, "asm"), compile(source.replace("get", "got"), "asm")

    def call():
        library = rtlinker.load(*paths)
        return [library.function(name, "long(void)")() for name in ("get", "got", "get")]

    assert in_child(call) == [1, 2, 3]


@pytest.mark.parametrize("engine", ["scalar", "native"])
def test_the_start_of_the_block_has_a_name(compile, in_child, engine):
    source = "static __thread int a = 1, b = 2; int f(void) { return 10 * ++a + ++b; }"
    path = compile(source, flags="-fPIC -O2 -mtls-dialect=gnu2")
    assert b"_TLS_MODULE_BASE_" in path.read_bytes()

    def call():
        linker = rtlinker.Linker(engine=engine)
        linker.load_object(path)
        linker.resolve()
        library = rtlinker.Library(linker, "base")
        return library.f(), library.f()

    assert in_child(call) == (23, 34)


def test_words_may_hold_what_code_would_compute(compile, in_child):
    source = """
    .section .tdata,"awT"
    .quad 1
    variable: .quad 2
    .section .data.rel.ro,"aw"
    .globl words
    .type words, @object
    .size words, 56
    words: .reloc words, R_X86_64_DTPMOD64, variable
    .quad 0
    .reloc words+8, R_X86_64_DTPOFF64, variable
    .quad 0
    .reloc words+16, R_X86_64_TPOFF64, variable
    .quad 0
    .reloc words+24, R_X86_64_TLSDESC, variable
    .quad 0, 0
    .long variable@dtpoff, variable@tpoff
    .quad 0
    .text
    .globl general, exact, described
    general: sub $8, %rsp
    lea words(%rip), %rdi
    call __tls_get_addr@PLT
    mov (%rax), %rax
    add $8, %rsp
    ret
    exact: mov words+16(%rip), %rax
    mov %fs:(%rax), %rax
    ret
    described: sub $8, %rsp
    lea words+24(%rip), %rax
    call *(%rax)
    mov %fs:(%rax), %rax
    add $8, %rsp
    ret
    """
    path = compile(source, "asm")

    def call():
        library = rtlinker.load(path)
        return [library.function(name, "long(void)")() for name in ("general", "exact", "described")]

    assert in_child(call) == [2, 2, 2]


def test_python_reads_and_writes_the_calling_threads_own(compile, in_child):
    path = compile("__thread int seven = 7; int get(void) { return seven; }", flags="-fPIC")

    def call():
        library = rtlinker.load(path)
        seven = library["seven"]
        seven.value = 8
        with ThreadPoolExecutor(1) as other:
            there = other.submit(lambda: (seven.value, library.get(), library.linker.lookup("seven"))).result()
        here = seven.value, library.get(), library.linker.lookup("seven")
        differ = there[2] != here[2] == library.address("seven") == seven.address
        library.unload()
        with pytest.raises(rtlinker.LinkError):
            seven.value  # noqa: B018
        return here[:2], there[:2], differ

    assert in_child(call) == ((8, 8), (7, 7), True)


NEWER = [("-ftls-model=initial-exec", 22, (44, 47, 50)), ("-mtls-dialect=gnu2", 34, (45, 48, 51))]


@pytest.mark.parametrize(("flags", "old", "new"), [(flags, old, new) for flags, old, all in NEWER for new in all])
def test_the_numbers_for_longer_instructions_mean_the_same(compile, in_child, flags, old, new):
    path = compile("__thread int x = 7; int f(void) { return x++; }", flags=f"-fPIC -O2 {flags}")
    data = renumbered(path, old, new)

    def call():
        library = rtlinker.load(data)
        return library.f(), library.f()

    assert in_child(call) == (7, 8)


def test_an_empty_variable_has_an_address_of_its_thread(compile, in_child):
    path = compile("__thread struct {} empty; void *where(void) { return &empty; }", flags="-fPIC")

    def call():
        library = rtlinker.load(path)
        ask = library.function("where", "unsigned long(void)")
        with ThreadPoolExecutor(1) as other:
            return ask() == library.address("empty") != 0, other.submit(ask).result() != ask()

    assert in_child(call) == (True, True)
