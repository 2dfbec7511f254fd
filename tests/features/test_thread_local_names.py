"""Which thread-local variable a name means: versions, libraries given, namesakes, and what is no variable at all."""

import ctypes

import pytest

import rtlinker
from rtlinker.link.scope import ThreadVariable
from rtlinker.link.thread_block import ThreadRequest, Want
from rtlinker.live.thread_storage import give_thread_storage
from rtlinker.live.undo import UndoStack
from tests.support.child import memory_map

MODELS = ["-fPIC", "-fPIC -ftls-model=initial-exec", "-fPIC -mtls-dialect=gnu2"]
VERSIONS = """
__thread int old = 1, new = 2;
__asm__(".symver old,tv@V1"); __asm__(".symver new,tv@@V2");
"""
GET = "extern __thread int tv; int get(void) { return tv; }"


@pytest.mark.parametrize("flags", MODELS)
def test_the_default_version_is_meant_unless_another_is_named(workshop, compile, in_child, tmp_path, flags):
    (tmp_path / "versions.map").write_text("V1 {}; V2 {} V1;")
    library = workshop.shared(VERSIONS, "libversions.so", [f"-Wl,--version-script={tmp_path}/versions.map"])
    plain = compile(GET, flags=flags)
    for version, expected in (("", 2), ("V1", 1), ("V2", 2)):
        named = compile(f'__asm__(".symver tv,tv@{version}");' + GET, flags=flags) if version else plain
        assert in_child(lambda path=named: rtlinker.load(path, libraries=[str(library)]).get()) == expected


@pytest.mark.parametrize("flags", MODELS)
def test_a_library_that_is_given_comes_before_the_process(workshop, compile, in_child, flags):
    import ctypes

    first = workshop.shared("__thread int tv = 1;", "libfirst.so")
    second = workshop.shared("__thread int tv = 2;", "libsecond.so")
    path = compile(GET, flags=flags)

    def call():
        ctypes.CDLL(str(first), ctypes.RTLD_GLOBAL)
        return rtlinker.load(path, libraries=[str(second)]).get(), rtlinker.load(path).get()

    assert in_child(call) == (2, 1)


@pytest.mark.parametrize("flags", ["-fPIC", "-fPIE", "-fno-pic", "-mcmodel=large"])
@pytest.mark.parametrize("use", ["int f(void) { return tv; }", "int *p = &tv; int *f(void) { return p; }"])
def test_an_ordinary_reference_to_one_is_refused(workshop, compile, in_child, flags, use):
    library = workshop.shared("__thread int tv = 1;", "libthread.so")
    path = compile("extern int tv;" + use, flags=flags)
    with pytest.raises(rtlinker.RelocationError) as caught:
        in_child(lambda: rtlinker.load(path, libraries=[str(library)]))
    assert (caught.value.headline, caught.value.target) == ("address of a thread-local variable", "tv")


def test_errno_of_old_c_is_refused_as_by_ld(compile, in_child):
    path = compile("extern int errno; int f(void) { return errno; }", flags="-fPIC")
    with pytest.raises(rtlinker.RelocationError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert caught.value.target == "errno"


def test_one_that_is_unique_in_the_process_is_the_librarys(workshop, compile, in_child):
    source = "template <int> struct S { static thread_local int value; };"
    source += "template <int n> thread_local int S<n>::value = n;"
    library = workshop.shared(source + 'extern "C" int *theirs() { return &S<3>::value; }', "libunique.so", (), "c++")
    path = compile(source + 'extern "C" int *ours() { return &S<3>::value; }', "c++", flags="-fPIC")

    def call():
        import ctypes

        theirs = ctypes.CDLL(str(library)).theirs
        theirs.restype = ctypes.c_void_p
        return rtlinker.load(path).function("ours", "unsigned long(void)")() == theirs()

    assert in_child(call)


@pytest.mark.parametrize("flags", [*MODELS, "-fPIE"])
def test_an_empty_one_has_an_address_in_every_thread(compile, in_child, flags):
    source = "struct none {}; __thread struct none s; int f(void) { return (unsigned long)&s > 4096; }"
    path = compile(source, flags=flags)
    assert in_child(lambda: rtlinker.load(path).f()) == 1


WORDS = {
    "R_X86_64_TPOFF64": "initial value of a thread-local variable not known yet",
    "R_X86_64_DTPMOD64": "initial value of a thread-local variable not known yet",
    "R_X86_64_IRELATIVE": "initial value of a thread-local variable not known yet",
}


@pytest.mark.parametrize("rule", WORDS)
def test_an_initial_value_that_only_the_dynamic_linker_knows_is_refused(compile, in_child, rule):
    target = "f" if rule.endswith("IRELATIVE") else "v"
    path = compile(f'.globl f\nf: ret\n.section .tdata,"awT"\nv: .reloc v, {rule}, {target}\n.quad 0\n', "asm")
    with pytest.raises(rtlinker.RelocationError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert caught.value.headline == WORDS[rule]


def test_a_descriptor_is_one_of_a_whole_variable(compile, in_child):
    source = '.globl f\nf: ret\n.section .tdata,"awT"\nv: .quad 0, 0\n.data\n'
    source += "d: .reloc d, R_X86_64_TLSDESC, v+8\n.quad 0, 0\n"
    with pytest.raises(rtlinker.RelocationError) as caught:
        in_child(lambda: rtlinker.load(compile(source, "asm")))
    assert caught.value.headline == "thread-local descriptor with an addend"


def test_an_overruled_indirect_function_is_not_asked(compile, in_child):
    weak = """
    static int one(void) { return 1; }
    extern int asked;
    static void *choose(void) { asked = 1; return one; }
    int f(void) __attribute__((ifunc("choose")));
    __asm__(".weak f");
    """
    paths = compile("int asked; int f(void) { return 2; }"), compile(weak)

    def call():
        library = rtlinker.load(*paths)
        return library.f(), library["asked"].value

    assert in_child(call) == (2, 0)


def test_of_two_loaded_libraries_the_one_in_the_global_scope_is_meant(compile, shared, in_child):
    source = "__thread int both = %d; void f%d(void) {}"
    libraries = [shared(source % (number, number), f"libboth{number}.so") for number in (1, 2)]
    path = compile("extern __thread int both; int get(void) { return both; }", flags="-fPIC")

    def call(first, second):
        handles = [ctypes.CDLL(library, mode) for library, mode in zip(libraries, (first, second))]
        return rtlinker.load(path).get(), len(handles)

    assert in_child(call, ctypes.RTLD_LOCAL, ctypes.RTLD_GLOBAL)[0] == 2
    assert in_child(call, ctypes.RTLD_GLOBAL, ctypes.RTLD_LOCAL)[0] == 1


def test_an_answer_for_a_namesake_is_refused_and_leaves_nothing(shared, in_child):
    library = shared("__thread int own = 5;", "libown.so")

    def call():
        handle = ctypes.CDLL(library)
        undo = UndoStack()
        before = {mapping.path for mapping in memory_map()}
        wants = (Want("pair", ThreadVariable(str(library), "own", 0, place=(12345, 0)), 0),)
        with pytest.raises(rtlinker.LinkError) as caught:
            give_thread_storage(ThreadRequest(b"", 0, 1, wants), undo)
        undo.run()
        return caught.value.headline, {mapping.path for mapping in memory_map()} - before, bool(handle)

    assert in_child(call) == ("thread-local variable cannot be told from a namesake", set(), True)
