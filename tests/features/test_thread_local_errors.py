"""Thread-local variables that cannot be had: no room, or an object that contradicts itself."""

import pytest

import rtlinker
from rtlinker.elf.constants import SHF_ALLOC, SHF_EXECINSTR, SHF_TLS, SHF_WRITE, SHT_NOBITS, SHT_PROGBITS, STT_TLS
from rtlinker.elf.writer import ObjectWriter

LARGE = "__thread char room[4000]; int f(void) { return ++room[1]; }"


def test_no_static_room_says_how_to_get_more(compile, in_child):
    path = compile(LARGE, flags="-fPIE")
    with pytest.raises(rtlinker.ThreadStorageError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert (caught.value.size, caught.value.static) == (4000, True)
    assert "GLIBC_TUNABLES=glibc.rtld.optional_static_tls=65536" in caught.value.hint


def test_a_large_block_of_pic_code_needs_no_static_room(compile, in_child):
    path = compile(LARGE.replace("4000", "4000000"), flags="-fPIC")
    assert in_child(lambda: rtlinker.load(path).f()) == 1


def test_strict_alignment_needs_pic_code(compile, in_child):
    source = "__thread int x __attribute__((aligned(4096))); long f(void) { return (long)&x % 4096; }"
    assert in_child(lambda: rtlinker.load(compile(source, flags="-fPIC")).f()) == 0
    with pytest.raises(rtlinker.ThreadStorageError) as caught:
        in_child(lambda: rtlinker.load(compile(source, flags="-fno-pic")))
    assert caught.value.align == 4096
    assert "-fPIC" in caught.value.hint


def test_a_refused_block_leaves_nothing_behind(compile, in_child):
    path, small = compile(LARGE, flags="-fPIE"), compile(LARGE.replace("4000", "40"), flags="-fPIE")

    def call():
        for _ in range(200):
            with pytest.raises(rtlinker.ThreadStorageError):
                rtlinker.load(path)
            rtlinker.load(small).unload()
        return rtlinker.load(small).f()

    assert in_child(call) == 1


@pytest.mark.parametrize("flags", ["-fPIC", "-fPIE"])
def test_one_that_nobody_defines_is_undefined(compile, in_child, flags):
    path = compile("extern __thread int nobodys; int f(void) { return nobodys; }", flags=flags)
    with pytest.raises(rtlinker.UndefinedSymbolsError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert [symbol.name for symbol in caught.value.symbols] == ["nobodys"]


@pytest.mark.parametrize("flags", ["-fPIC", "-fPIE", "-fno-pic", "-mcmodel=large"])
def test_a_variable_that_is_thread_local_in_one_object_only_is_an_error(compile, in_child, flags):
    thread, plain = "__thread int x = 1;", "int x = 1;"
    for definition, use in (
        (thread, "extern int x; int *f(void) { return &x; }"),
        (plain, "extern __thread int x; int *f(void) { return &x; }"),
    ):
        paths = compile(definition, flags=flags), compile(use, flags=flags)
        with pytest.raises(rtlinker.RelocationError) as caught:
            in_child(lambda paths=paths: rtlinker.load(*paths))
        assert caught.value.target == "x"
        assert "thread-local" in str(caught.value)


def written(rule, section_flags, kind=SHT_PROGBITS):
    """An object with one site of `rule` against the symbol `x` in a section of these flags."""
    writer = ObjectWriter()
    text = writer.section(".text", bytes(32), SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 16)
    section = writer.section(".odd", b"" if kind == SHT_NOBITS else bytes(8), kind, section_flags, 8, size=8)
    symbol = writer.symbol("x", section, type=STT_TLS)
    writer.relocation(text, 8, rule, symbol, -4)
    return writer.bytes()


THREAD_LOCAL_RULES = [16, 17, 18, 19, 21, 22, 23, 34, 36, 44, 45, 47, 48, 50, 51]


@pytest.mark.parametrize("rule", THREAD_LOCAL_RULES)
def test_every_thread_local_rule_refuses_an_ordinary_symbol(in_child, rule):
    with pytest.raises(rtlinker.RelocationError) as caught:
        in_child(lambda: rtlinker.load(written(rule, SHF_ALLOC | SHF_WRITE)))
    assert caught.value.headline == "thread-local relocation against an ordinary symbol"


@pytest.mark.parametrize("rule", [1, 2, 4, 9, 10, 11, 24, 25, 27, 31, 41, 42])
@pytest.mark.parametrize("kind", [SHT_PROGBITS, SHT_NOBITS])
def test_other_rules_refuse_a_thread_local_symbol(in_child, rule, kind):
    with pytest.raises(rtlinker.RelocationError) as caught:
        in_child(lambda: rtlinker.load(written(rule, SHF_ALLOC | SHF_WRITE | SHF_TLS, kind)))
    assert caught.value.headline == "address of a thread-local variable"


def test_static_room_comes_back_in_whatever_order_images_go(compile, in_child):
    path = compile("__thread int a[100] = {1}; int f(void) { return a[0]; }", flags="-fPIE")

    def call():
        for _ in range(20):
            libraries = [rtlinker.load(path) for _ in range(3)]
            for library in libraries:  # first in, first out: ld.so itself would lose all but the last
                library.unload()
        return rtlinker.load(path).f()

    assert in_child(call) == 1


def test_room_that_unloaded_images_hold_is_named(compile, in_child):
    path = compile("__thread int a[28] = {1}; int f(void) { return a[0]; }", flags="-fPIE")

    def call():
        current = rtlinker.load(path)
        for _ in range(1000):
            following = rtlinker.load(path)
            current.unload()
            current = following

    with pytest.raises(rtlinker.ThreadStorageError) as caught:
        in_child(call)
    assert "unload last first" in dict(caught.value.facts)["held"]


@pytest.mark.parametrize("flags", ["-fPIC", "-fPIE", "-fno-pic"])
def test_an_ordinary_symbol_of_a_library_is_no_thread_local_one(compile, in_child, flags):
    path = compile("extern __thread int stdout; int f(void) { return stdout; }", flags=flags)
    with pytest.raises(rtlinker.RelocationError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert caught.value.headline == "thread-local relocation against an ordinary symbol"


def test_a_weak_thread_local_variable_that_nobody_has_is_undefined(compile, in_child):
    path = compile("extern __thread int nobody __attribute__((weak)); int get(void) { return nobody; }", flags="-fPIC")
    with pytest.raises(rtlinker.UndefinedSymbolsError) as caught:
        in_child(lambda: rtlinker.load(path))
    assert [symbol.name for symbol in caught.value.symbols] == ["nobody"]
