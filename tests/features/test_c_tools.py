"""Objects that went through binutils or gcc's linker before they came here."""

import pytest

import rtlinker
from tests.support.compile import run

CXX = """
#include <vector>
#include <stdexcept>
template <class T> T twice(T x) { return x + x; }
inline int &counter() { static int n; return n; }
extern "C" int NAME(int n) {
    std::vector<int> v(3); counter()++;
    try { return v.at(n); } catch (const std::out_of_range &) { return twice(n) + counter(); }
}
"""
ADD = """
static int hidden(int x) { return x + 1; }
int common;
int add(int a, int b) { return hidden(a) + b - 1 + common; }
"""
TWICE = "int add(int, int);\nint twice(int x) { return add(x, x); }"


@pytest.mark.parametrize(
    "options", [[], ["-d"], ["--unique"], ["-x"], ["-S"], ["--build-id"], ["--force-group-allocation"]]
)
def test_partial_links_of_c(compile, workshop, in_child, options):
    out = workshop.directory / "all.o"
    run("ld", "-r", *options, compile(ADD, flags=["-fcommon"]), compile(TWICE), "-o", out)
    assert in_child(lambda: rtlinker.load(out).function("twice", "int(int)")(21)) == 42


@pytest.mark.parametrize("options", [[], ["-d"], ["--unique"], ["--force-group-allocation"]])
@pytest.mark.parametrize("linker", ["ld", "ld.lld"])
def test_partial_links_of_cxx_with_groups(compile, workshop, in_child, linker, options):
    if linker == "ld.lld":
        options = [option for option in options if option == "-d"]
    paths = [compile(CXX.replace("NAME", name), "c++", ["-O0"]) for name in ("first", "second")]
    out = workshop.directory / "all.o"
    run(linker, "-r", *options, *paths, "-o", out)

    def call():
        library = rtlinker.load(out)
        return library.first(9), library.second(9)

    assert in_child(call) == (19, 20)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_partial_links_by_the_compiler(compile, workshop, in_child, compiler):
    out = workshop.directory / "all.o"
    run(compiler, "-r", "-nostdlib", compile(ADD), compile(TWICE), "-o", out)
    assert in_child(lambda: rtlinker.load(out).twice(21)) == 42


def test_lto_objects_linked_to_machine_code(compile, workshop, in_child):
    paths = [compile(source, flags=["-flto"]) for source in (ADD, TWICE)]
    out = workshop.directory / "all.o"
    run("gcc", "-r", "-flto", "-flinker-output=nolto-rel", *paths, "-o", out)
    assert in_child(lambda: rtlinker.load(out).function("twice", "int(int)")(21)) == 42


COPIES = {
    "--redefine-sym": (["--redefine-sym", "add=sum"], "sum"),
    "--rename-section": (["--rename-section", ".text=.text.other"], "add"),
    "--localize-symbol": (["--localize-symbol", "add"], "add"),
    "--globalize-symbol": (["--globalize-symbol", "hidden"], "add"),
    "--weaken": (["--weaken"], "add"),
    "--weaken-symbol": (["--weaken-symbol", "add"], "add"),
    "--prefix-symbols": (["--prefix-symbols", "my_"], "my_add"),
    "--keep-global-symbol": (["--keep-global-symbol", "add"], "add"),
    "--strip-debug": (["--strip-debug"], "add"),
    "--strip-unneeded": (["--strip-unneeded"], "add"),
    "--compress-debug-sections": (["--compress-debug-sections=zlib"], "add"),
    "--decompress-debug-sections": (["--decompress-debug-sections"], "add"),
    "--set-section-alignment": (["--set-section-alignment", ".text=4096"], "add"),
    "--add-section": (["--add-section", ".note.mine=/etc/hostname"], "add"),
    "--remove-section": (["--remove-section", ".eh_frame", "--remove-section", ".rela.eh_frame"], "add"),
}


@pytest.mark.parametrize("option", COPIES)
@pytest.mark.parametrize("tool", ["objcopy", "llvm-objcopy"])
def test_what_objcopy_wrote(compile, workshop, in_child, option, tool):
    options, name = COPIES[option]
    out = workshop.directory / "copy.o"
    run(tool, *options, compile(ADD, flags=["-O0"]), out)
    assert in_child(lambda: rtlinker.load(out).function(name, "int(int, int)")(40, 2)) == 42


@pytest.mark.parametrize("option", ["--strip-debug", "--strip-unneeded"])
def test_what_strip_left(compile, in_child, option):
    path = compile(ADD)
    run("strip", option, path)
    assert in_child(lambda: rtlinker.load(path).function("add", "int(int, int)")(40, 2)) == 42


@pytest.mark.parametrize("flags", [["-flto"], ["-flto", "-fno-fat-lto-objects"]])
def test_gccs_intermediate_code_is_named(compile, flags):
    with pytest.raises(rtlinker.UnsupportedError) as caught:
        rtlinker.load(compile(ADD, flags=flags))
    assert caught.value.feature == "lto"
    assert "-ffat-lto-objects" in caught.value.hint


@pytest.mark.parametrize("flags", [["-flto"], ["-flto=thin"], ["-emit-llvm"]])
def test_clangs_intermediate_code_is_named(compile, flags):
    with pytest.raises(rtlinker.BadObjectError) as caught:
        rtlinker.load(compile(ADD, flags=flags, compiler="clang"))
    assert "LLVM bitcode" in str(caught.value)
    assert "without -flto" in caught.value.hint


FLAGS = {
    "SHF_EXCLUDE": '.section .gone,"e"\n.long 7\n',
    "SHF_LINK_ORDER": '.section .meta,"ao",@progbits,.text\n.quad answer\n',
    "SHF_GNU_RETAIN": '.section .kept,"aR"\n.long 7\n',
    "SHF_MERGE": '.section .rodata.cst8,"aM",@progbits,8\n.quad 42\n',
    "SHF_MERGE with SHF_STRINGS": '.section .rodata.str1.1,"aMS",@progbits,1\n.string "text"\n',
    "SHF_GROUP without COMDAT": '.section .grouped,"aG",@progbits,group\n.long 7\n',
    "SHT_NOTE": '.section .note.mine,"a",@note\n.long 4, 0, 1\n.string "abc"\n',
    "SHT_NOBITS in a section of one's own": '.section .zeroed,"aw",@nobits\n.zero 64\n',
    "a name without a dot": '.section plain,"aw"\n.long 7\n',
    "an empty section": '.section .empty,"ax"\n',
}


@pytest.mark.parametrize("flag", FLAGS)
def test_odd_sections(compile, in_child, flag):
    code = ".text\n.globl answer\n.type answer, @function\nanswer: mov $42, %eax\nret\n.size answer, .-answer\n"
    path = compile(code + FLAGS[flag] + '.section .note.GNU-stack,"",@progbits\n', "asm")

    def call():
        with rtlinker.load(path) as library:
            return library.function("answer", "int(void)")()

    assert in_child(call) == 42


def test_merged_strings_by_symbol_and_addend(compile, in_child):
    source = """
    .section .rodata.str1.1,"aMS",@progbits,1
    .string "before"
    .Ltext: .string "a long text"
    .text
    .globl tail
    tail: lea .Ltext+2(%rip), %rax
    ret
    .section .note.GNU-stack,"",@progbits
    """
    path = compile(source, "asm")

    def call():
        with rtlinker.load(path) as library:
            return library.function("tail", "const char *(void)")()

    assert in_child(call) == "long text"


SPLIT = "struct p { float x; short y; }; double sum(struct p p) { return p.x + p.y; } static int kept = 4;"
SPLIT += " int *keep(void) { return &kept; }"


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize(
    "flags", ["-gsplit-dwarf", "-gsplit-dwarf -gdwarf-4", "-gsplit-dwarf -gz", "-gsplit-dwarf -O0"]
)
def test_types_of_split_dwarf(compile, in_child, compiler, flags):
    path = compile(SPLIT, flags=flags.split(), compiler=compiler)

    def call():
        with rtlinker.load(path) as library:
            return library.sum({"x": 1.5, "y": 2}), library["kept"].value, library.notes

    assert in_child(call) == (3.5, 4, ())


def test_types_of_split_dwarf_in_one_file(compile, in_child):
    path = compile(SPLIT, flags=["-gsplit-dwarf=single"], compiler="clang")
    assert in_child(lambda: rtlinker.load(path).sum({"x": 1.5, "y": 2})) == 3.5


def test_split_dwarf_is_found_beside_an_object_that_moved(compile, workshop, in_child):
    path = compile(SPLIT, flags=["-gsplit-dwarf"])
    moved = workshop.directory / "elsewhere"
    moved.mkdir()
    for file in (path, path.with_suffix(".dwo")):
        file.rename(moved / file.name)
    assert in_child(lambda: rtlinker.load(moved / path.name).sum({"x": 1.5, "y": 2})) == 3.5


@pytest.mark.parametrize("trouble", ["not there", "another compilation", "cannot be read"])
def test_split_dwarf_that_does_not_help_is_a_note(compile, in_child, trouble):
    path = compile(SPLIT, flags=["-gsplit-dwarf"], name="one.o")
    file = path.with_suffix(".dwo")
    file.unlink()
    if trouble == "another compilation":
        compile("int other(void) { return 1; }", flags=["-gsplit-dwarf"], name="two.o")
        path.with_name("two.dwo").rename(file)
    elif trouble == "cannot be read":
        file.write_bytes(b"nothing")

    def call():
        with rtlinker.load(path) as library:
            library["keep"]
            return library.notes

    assert trouble in in_child(call)[0]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("flags", ["-g -gz=zlib", "-g3 -gz", "-gdwarf-5 -gz", "-gdwarf-4 -gz"])
def test_types_of_compressed_dwarf(compile, in_child, compiler, flags):
    source = "struct p { float x; short y; }; double sum(struct p p) { return p.x + p.y; }"
    path = compile(source, flags=flags.split(), compiler=compiler)
    assert in_child(lambda: rtlinker.load(path).sum({"x": 1.5, "y": 2})) == 3.5
