"""Every compiler's recipe, in the order of the table."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from tests.compat.recipe import Broken, Call, Given, Recipe, Shop, output


def c(compiler: str, shop: Shop) -> Given:
    """One object; everything else is in the libc of the process."""
    shop.bring("program.c")
    shop.run(compiler, *(["-O2"] if compiler != "tcc" else []), "-c", "program.c", "-o", "program.o")
    return Given((shop.path("program.o"),))


def cxx(compiler: str, shop: Shop) -> Given:
    """One object and libstdc++."""
    shop.bring("program.cc")
    shop.run(compiler, "-std=c++17", "-O2", "-c", "program.cc")
    return Given((shop.path("program.o"),), libraries=("stdc++",), threads=True)


def cxx_static(shop: Shop) -> Given:
    """One object and libstdc++ as an archive, all of which becomes part of the image."""
    given = cxx("g++", shop)
    return Given(given.objects, (of_gcc("libstdc++.a"),), ("gcc_s",), threads=True)


def rust(compiler: str, shop: Shop) -> Given:
    """The crate's object with std's rlibs and the allocator's shim, which rustc only writes when it links.

    The shim says what __rust_alloc and its kin mean. It is the same for every crate with the usual allocator, so that
    of an empty one serves.
    """
    shop.bring("program.rs")
    shop.run(compiler, "-O", "--emit=obj", "-C", "codegen-units=1", "program.rs")
    (shop.directory / "shim.rs").write_text("")
    shop.run(compiler, "--crate-type", "staticlib", "-C", "save-temps", "shim.rs")
    (shim,) = [path for path in shop.directory.glob("shim.*.rcgu.o") if "-cgu." not in path.name]
    # std comes with two ways to panic; rustc links one of them
    rlibs = [str(rlib) for rlib in std_of(compiler).glob("lib*.rlib") if "libpanic_abort-" not in rlib.name]
    if not rlibs:
        raise Broken(f"no rlibs in {std_of(compiler)}")
    shown = "`program.o`, the allocator's shim, std's `lib*.rlib`"
    return Given((shop.path("program.o"), str(shim)), tuple(sorted(rlibs)), ("gcc_s",), threads=True, shown=shown)


def rust_staticlib(shop: Shop) -> Given:
    """The archive that rustc makes of a crate with everything below it."""
    shop.bring("program.rs")
    shop.run("rustc", "-O", "--crate-type", "staticlib", "program.rs")
    return Given((shop.path("libprogram.a"),), (), ("gcc_s",), threads=True)


def rust_shared(shop: Shop) -> Given:
    """The crate's object and std as a shared library, which has the shim for itself."""
    shop.bring("program.rs")
    shop.run("rustc", "-O", "-C", "prefer-dynamic", "--emit=obj", "-C", "codegen-units=1", "program.rs")
    (std,) = std_of("rustc").glob("libstd-*.so")
    name = std.name.removeprefix("lib").removesuffix(".so")
    return Given((shop.path("program.o"),), (), (name, "gcc_s"), (str(std.parent),), threads=True, rounds=0)


def std_of(compiler: str) -> Path:
    """Where a rustc, Debian's or rustup's, keeps the standard library of this machine."""
    return Path(output(compiler, "--print", "sysroot").strip()) / "lib/rustlib/x86_64-unknown-linux-gnu/lib"


def fortran(shop: Shop) -> Given:
    """One object and libgfortran."""
    shop.bring("program.f90")
    shop.run("gfortran", "-O2", "-c", "program.f90")
    return Given((shop.path("program.o"),), libraries=("gfortran",))


def fortran_static(shop: Shop) -> Given:
    """One object and the archives of libgfortran."""
    given = fortran(shop)
    return Given(given.objects, (of_gcc("libgfortran.a"), of_gcc("libquadmath.a")), ("gcc_s",))


D_START, D_FINISH = (Call("start", "_Bool(void)", (), 1),), (Call("finish", "_Bool(void)", (), 1),)


def gdc(shop: Shop) -> Given:
    """One object and the archives of Phobos and of the runtime."""
    shop.bring("program.d")
    shop.run("gdc", "-O2", "-fPIC", "-c", "program.d")
    archives = of_gcc("libgphobos.a"), of_gcc("libgdruntime.a")
    return Given((shop.path("program.o"),), archives, ("gcc_s",), (), D_START, D_FINISH, threads=True)


def gdc_shared(shop: Shop) -> Given:
    """One object and Phobos as a shared library."""
    shop.bring("program.d")
    shop.run("gdc", "-O2", "-fPIC", "-c", "program.d")
    libraries = of_gcc("libgphobos.so"), of_gcc("libgdruntime.so")
    return Given((shop.path("program.o"),), (), libraries, (), D_START, D_FINISH, threads=True)


def ldc(shop: Shop) -> Given:
    """One object, the one with which ldc has modules registered in everything it links, and archives."""
    shop.bring("program.d")
    shop.run("ldc2", "-O2", "-c", "program.d")
    objects = shop.path("program.o"), of_gcc("ldc_rt.dso.o")
    archives = of_gcc("libphobos2-ldc.a"), of_gcc("libdruntime-ldc.a")
    return Given(objects, archives, ("gcc_s", "z"), (), D_START, D_FINISH, threads=True)


def ada(shop: Shop) -> Given:
    """The package's object, the binder's (which elaborates it), and the shared runtime with tasks."""
    shop.bring("program.ads", "program.adb")
    shop.run("gnatmake", "-q", "-c", "-gnat2012", "-O2", "program.adb")
    shop.run("gnatbind", "-n", "program.ali")
    shop.run("gnatmake", "-q", "-c", "b~program.adb")
    version = output("gcc", "-dumpversion").strip().partition(".")[0]
    objects = shop.path("program.o"), shop.path("b~program.o")
    life = (Call("adainit", "void(void)"),), (Call("adafinal", "void(void)"),)
    return Given(objects, (), (f"gnarl-{version}", f"gnat-{version}"), (), *life, threads=True)


def pascal(shop: Shop) -> Given:
    """What fpc's linker script for a library names: its start-up, the library, and the units of the runtime."""
    shop.bring("program.pas")
    shop.run("fpc", "-Cn", "-Cg", "-O2", "program.pas")
    script = next(shop.directory.glob("link*.res")).read_text()
    words = [word for word in script.split() if word.endswith(".o")]
    objects = tuple(word if word.startswith("/") else shop.path(word) for word in words)
    # what the shared library's DT_INIT and DT_FINI would be
    start = Call("FPC_SHARED_LIB_START", "void(int, char **, char **)", (0, None, None))
    return Given(objects, start=(start,), finish=(Call("FPC_LIB_EXIT", "void(void)"),))


def ocaml(shop: Shop) -> Given:
    """The program's object, one in C that calls into it, and the runtime's archive."""
    shop.bring("program.ml", "program_ocaml.c")
    shop.run("ocamlopt", "-output-obj", "-o", "caml.o", "program.ml")
    shop.run("ocamlopt", "-ccopt", "-O2", "program_ocaml.c")
    where = output("ocamlopt", "-where").strip()
    objects = shop.path("caml.o"), shop.path("program_ocaml.o")
    life = (Call("start", "void(void)"),), (Call("caml_shutdown", "void(void)"),)
    return Given(objects, (f"{where}/libasmrun.a",), ("m", "dl"), (), *life)


def ocaml_complete(shop: Shop) -> Given:
    """One object with program and runtime, and the one in C."""
    shop.bring("program.ml", "program_ocaml.c")
    shop.run("ocamlopt", "-output-complete-obj", "-o", "caml.o", "program.ml")
    shop.run("ocamlopt", "-ccopt", "-O2", "program_ocaml.c")
    objects = shop.path("caml.o"), shop.path("program_ocaml.o")
    life = (Call("start", "void(void)"),), (Call("caml_shutdown", "void(void)"),)
    return Given(objects, (), ("m", "dl"), (), *life)


def nim(shop: Shop) -> Given:
    """The archive that Nim has made of its C."""
    shop.bring("program.nim")
    flags = "--app:staticlib", "--noMain", "--nimcache:cache", "-d:release", "--hints:off"
    shop.run("nim", "compile", *flags, "program.nim")
    return Given((shop.path("libprogram.a"),), start=(Call("NimMain", "void(void)"),))


def zig(shop: Shop) -> Given:
    """One object, in which Zig puts what it uses of its standard library."""
    shop.bring("program.zig")
    shop.run(sys.executable, "-m", "ziglang", "build-obj", "-O", "ReleaseSafe", "-fcompiler-rt", "program.zig")
    return Given((shop.path("program.o"),))


def go(shop: Shop) -> Given:
    """The archive of package and runtime."""
    shop.bring("program.go")
    shop.run("go", "build", "-buildmode=c-archive", "-o", "program.a", "program.go")
    return Given((shop.path("program.a"),), threads=True, rounds=0)


def assembler(command: tuple[str, ...], source: str, shop: Shop) -> Given:
    """One object."""
    shop.bring(source)
    shop.run(*command, source, "-o", "program.o")
    return Given((shop.path("program.o"),))


def llvmlite(shop: Shop) -> Given:
    """One object."""
    shop.bring("program.ll", "emit_object.py")
    shop.run(sys.executable, "emit_object.py", "program.ll", "program.o")
    return Given((shop.path("program.o"),))


def of_gcc(name: str) -> str:
    """The path of a library's file as gcc's linker would find it."""
    path = output("gcc", f"-print-file-name={name}").strip()
    if "/" not in path:
        raise Broken(f"{name} is not installed")
    return path


GCC, GXX, RUSTC, DEBIAN_RUSTC = ("gcc", "--version"), ("g++", "--version"), ("rustc", "-V"), ("/usr/bin/rustc", "-V")
GFORTRAN, GDC, OCAML = ("gfortran", "--version"), ("gdc", "--version"), ("ocamlopt", "-version")
CLANG, CLANGXX = ("clang", "--version"), ("clang++", "--version")
ZIG = (sys.executable, "-m", "ziglang", "version")
LLVM = (sys.executable, "-c", "import llvmlite; print(llvmlite.__version__)")
NASM = partial(assembler, ("nasm", "-f", "elf64"), "program.asm")
GNU_AS = partial(assembler, ("as",), "program.s")

C_USES = "`malloc`, string functions, `qsort` with a callback, `setjmp` and `longjmp`, `_Thread_local`, `printf`"
CXX_USES = "`vector`, `string`, `map` made before the start, exceptions, `thread_local`, `thread`, `iostream`"
RUST_USES = "`HashMap`, `String`, `panic!` and `catch_unwind`, `thread_local!`, `Mutex`, threads, `println!`"
FORTRAN_USES = "allocatable arrays and strings, `iostat` and `iomsg`, internal files, `print`"
D_USES = "garbage collector, associative arrays, module constructors, exceptions, threads, Phobos, `writefln`"
ADA_USES = "elaboration, containers, unbounded strings, exceptions with messages, tasks, `Text_IO`"
PASCAL_USES = "dynamic arrays, `AnsiString`, `SysUtils`, exceptions, initialization of units, `WriteLn`"
OCAML_USES = "garbage collector, lists, closures called from C, exceptions, `Printf`"
NIM_USES = "sequences, strings, `strformat`, exceptions, initialization of modules, `echo`"
ZIG_USES = "`page_allocator`, slices, error unions, `threadlocal`, `std.fmt`"
GO_USES = "garbage collector, maps, `strings`, `panic` and `recover`, goroutines on several threads, `fmt`"
ASM_USES = "libc: `malloc`, `strcat`, `errno`, `sprintf`, `printf`, its variable `stdout`"
LLVM_USES = "libc: `malloc`, `strcat`, `sprintf`, `printf`; a `thread_local` global"

D_SHARED_NOTE = """\
The runtime in libgdruntime.so looks for the module it is to register in glibc's dl_iterate_phdr, and ends the process
when it is not there. glibc lists what it has loaded itself and cannot be told of anything else. Linked code gets a
dl_iterate_phdr of rtlinker's, which lists linked images; a shared library keeps glibc's. So D needs its archives.
"""

RUST_SHARED_NOTE = """\
The shared library has the list of what a thread destroys when it ends, in which it keeps addresses of the program's
code. Nobody can take them back, so the program has to stay; a library that dlopen loaded would have to stay as well.
"""
GO_NOTE = "Go's runtime never ends its threads, so that its code has to stay; dlclose does not unload it either."

RECIPES = (
    Recipe("gcc", "C", GCC, "program.c", C_USES, partial(c, "gcc")),
    Recipe("clang", "C", CLANG, "program.c", C_USES, partial(c, "clang")),
    Recipe("tcc", "C", ("tcc", "-v"), "program.c", C_USES.replace("`_Thread_local`, ", ""), partial(c, "tcc")),
    Recipe("g++", "C++", GXX, "program.cc", CXX_USES, partial(cxx, "g++")),
    Recipe("g++-static", "C++", GXX, "program.cc", CXX_USES, cxx_static),
    Recipe("clang++", "C++", CLANGXX, "program.cc", CXX_USES, partial(cxx, "clang++")),
    Recipe("rustc", "Rust", RUSTC, "program.rs", RUST_USES, partial(rust, "rustc")),
    Recipe("rustc-debian", "Rust", DEBIAN_RUSTC, "program.rs", RUST_USES, partial(rust, "/usr/bin/rustc")),
    Recipe("rustc-staticlib", "Rust", RUSTC, "program.rs", RUST_USES, rust_staticlib),
    Recipe("rustc-shared", "Rust", RUSTC, "program.rs", RUST_USES, rust_shared, RUST_SHARED_NOTE),
    Recipe("gfortran", "Fortran", GFORTRAN, "program.f90", FORTRAN_USES, fortran),
    Recipe("gfortran-static", "Fortran", GFORTRAN, "program.f90", FORTRAN_USES, fortran_static),
    Recipe("gdc", "D", GDC, "program.d", D_USES, gdc),
    Recipe("gdc-shared", "D", GDC, "program.d", D_USES, gdc_shared, D_SHARED_NOTE),
    Recipe("ldc", "D", ("ldc2", "--version"), "program.d", D_USES, ldc),
    Recipe("gnat", "Ada", ("gnatmake", "--version"), "program.adb", ADA_USES, ada),
    Recipe("fpc", "Pascal", ("fpc", "-iV"), "program.pas", PASCAL_USES, pascal),
    Recipe("ocaml", "OCaml", OCAML, "program.ml", OCAML_USES, ocaml),
    Recipe("ocaml-complete", "OCaml", OCAML, "program.ml", OCAML_USES, ocaml_complete),
    Recipe("nim", "Nim", ("nim", "--version"), "program.nim", NIM_USES, nim),
    Recipe("zig", "Zig", ZIG, "program.zig", ZIG_USES, zig),
    Recipe("nasm", "assembly", ("nasm", "-v"), "program.asm", ASM_USES, NASM),
    Recipe("as", "assembly", ("as", "--version"), "program.s", ASM_USES, GNU_AS),
    Recipe("llvmlite", "LLVM IR", LLVM, "program.ll", LLVM_USES, llvmlite),
    Recipe("go", "Go", ("go", "version"), "program.go", GO_USES, go, GO_NOTE),
)
