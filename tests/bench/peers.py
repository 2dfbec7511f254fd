"""Peers that do the work inside this process or with a static linker: LLVM through llvmlite and TVM, and dlopen."""

from __future__ import annotations

import _ctypes
import ctypes
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from .measure import Contender, Missing

INT_OF_INT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)

INSTALL = "pip install -r tests/bench/requirements.txt"

LINKERS = {
    "gcc -shared + dlopen": ["gcc", "-shared"],
    "ld.bfd -shared + dlopen": ["ld.bfd", "-shared"],
    "ld.gold -shared + dlopen": ["ld.gold", "-shared"],
    "ld.lld -shared + dlopen": ["ld.lld", "-shared"],
}

LLVM = ("llvmlite MCJIT", "llvmlite ORC, RuntimeDyld", "llvmlite ORC, JITLink", "llvmlite ORC, JITLink, engine kept")


def llvm(path: Path, name: str, argument: int, trial: float, turn: int = 1) -> list[Contender | Missing]:
    """LLVM's linkers through llvmlite; each run makes an engine, but for the last, which keeps one for all runs.

    `trial`: seconds that one run may take, in a child, before it takes part.
    """
    try:
        import llvmlite.binding as binding
    except ImportError:
        return [Missing(title, f"llvmlite is not installed: {INSTALL}") for title in LLVM]
    try:
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
    except RuntimeError as error:
        return [Missing(title, f"llvmlite does not start: {error}") for title in LLVM]
    target = binding.Target.from_default_triple()
    numbers = count()

    def mcjit() -> None:
        engine = binding.create_mcjit_compiler(binding.parse_assembly(""), target.create_target_machine())
        engine.add_object_file(binding.ObjectFileRef.from_data(path.read_bytes()))
        engine.finalize_object()
        INT_OF_INT(engine.get_function_address(name))(argument)
        engine.close()

    def orc_engine(jitlink: bool) -> Any:
        machine = target.create_target_machine(jit=True)
        return binding.create_lljit_compiler(machine, use_jit_link=jitlink, suppress_errors=True)

    def orc(engine: Any) -> None:
        builder = binding.JITLibraryBuilder().add_object_img(path.read_bytes()).add_current_process()
        tracker = builder.export_symbol(name).link(engine, f"library{next(numbers)}")
        INT_OF_INT(tracker[name])(argument)
        tracker.close()

    def fresh(jitlink: bool) -> None:
        engine = orc_engine(jitlink)
        orc(engine)
        engine.close()

    kept = orc_engine(jitlink=True)
    runs: list[Callable[[], None]] = [mcjit, lambda: fresh(False), lambda: fresh(True), lambda: orc(kept)]
    return [Contender(title, run, trial=trial, turn=turn) for title, run in zip(LLVM, runs, strict=True)]


def tvm(path: Path, trial: float, turn: int = 1) -> Contender | Missing:
    """LLVM's JITLink in a release build, through TVM FFI, which calls only functions of its own convention."""
    title = "apache-tvm-ffi-orcjit, session kept"
    try:
        import tvm_ffi_orcjit
    except ImportError:
        return Missing(title, f"not installed: {INSTALL}")
    session = tvm_ffi_orcjit.ExecutionSession()

    def run() -> None:
        module = session.load_module(str(path))
        module.get_function("probe")()

    return Contender(title, run, "calls through TVM's own convention", trial, turn)


def shared(
    directory: Path, path: Path, name: str, argument: int, linkers: dict[str, list[str]] = LINKERS
) -> Iterator[Contender | Missing]:
    """A static linker as a child process, then dlopen, a call and dlclose."""
    for title, command in linkers.items():
        if shutil.which(command[0]) is None:
            yield Missing(title, f"{command[0]} is not installed")
        else:
            yield Contender(title, _linked(directory, [*command, str(path)], name, (argument,)))


def shared_archive(directory: Path, archive: Path, name: str, arguments: tuple[object, ...]) -> Contender:
    """gcc -shared of the archive's members behind one name, then dlopen, a call and dlclose."""
    command = ["gcc", "-shared", f"-Wl,-u,{name}", str(archive)]
    return Contender("gcc -shared -u NAME + dlopen", _linked(directory, command, name, arguments))


def _linked(directory: Path, command: list[str], name: str, arguments: tuple[object, ...]) -> Callable[[], None]:
    numbers = count()

    def run() -> None:
        # a name of its own each time: dlopen knows files that it has seen
        library = directory / f"{Path(command[0]).name}-{name}-{next(numbers)}.so"
        try:
            subprocess.run([*command, "-o", str(library)], check=True, capture_output=True, text=True)
            opened = ctypes.CDLL(str(library))
            opened[name](*arguments)
            _ctypes.dlclose(opened._handle)
        finally:
            library.unlink(missing_ok=True)

    return run


def tcc_run(directory: Path, path: Path, name: str, argument: int) -> Contender | Missing:
    """tcc's in-memory linker as its command gives it: a whole process, with a main of one line."""
    title = "tcc OBJECT -run main.c, whole process"
    if shutil.which("tcc") is None:
        return Missing(title, "tcc is not installed")
    main = directory / "tcc-main.c"
    main.write_text(f"int {name}(int); int main(void) {{ {name}({argument}); return 0; }}\n")

    def run() -> None:
        subprocess.run(["tcc", str(path), "-run", str(main)], check=True, capture_output=True, text=True)

    return Contender(title, run)


def libtcc(path: Path, name: str, argument: int) -> Contender | Missing:
    """tcc's in-memory linker in this process, where the system has it as a shared library."""
    from ctypes.util import find_library

    title, found = "libtcc", find_library("tcc")
    if found is None:
        return Missing(title, "there is no shared libtcc on this system (Debian has only libtcc.a, not -fPIC)")
    tcc = ctypes.CDLL(found)
    tcc.tcc_new.restype = tcc.tcc_get_symbol.restype = ctypes.c_void_p
    tcc.tcc_get_symbol.argtypes = [ctypes.c_void_p, ctypes.c_char_p]

    def run() -> None:
        state = ctypes.c_void_p(tcc.tcc_new())
        tcc.tcc_set_output_type(state, 1)
        if tcc.tcc_add_file(state, str(path).encode()) or tcc.tcc_relocate(state, ctypes.c_void_p(1)) < 0:
            raise RuntimeError("libtcc cannot link this object")
        INT_OF_INT(tcc.tcc_get_symbol(state, name.encode()))(argument)
        tcc.tcc_delete(state)

    return Contender(title, run, trial=5, turn=10)
