"""Loads what was built and gives its functions: rtlinker and its peers, each driven as its documentation says.

A loader's module is imported in the child only, so that none of them has to live with another's libraries.
"""

from __future__ import annotations

import ctypes
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from tests.matrix.feature import Built

    Loaded = tuple[Callable[[str], int], Callable[[], object]]
    """From a name to an address, and what unloads."""

USUAL = ("libm.so.6", "libgcc_s.so.1", "libstdc++.so.6")
"""What g++ links without being told; llvmlite looks names up in the process only, so there they are opened first."""


class Refused(Exception):
    """A peer that has no way to be given this."""


def rtlinker(built: Built, directory: Path) -> Loaded:
    """`rtlinker.load`."""
    import rtlinker as package

    library = package.load(*built.objects, *built.archives, libraries=list(built.libraries))
    return library.address, library.unload


def shared(built: Built, directory: Path, *options: str) -> Loaded:
    """g++ -shared, and dlopen."""
    import _ctypes

    path = str(directory / "linked.so")
    link(["g++", "-shared", *options], built, path)
    library = ctypes.CDLL(path)
    return lambda name: address_of(library[name]), lambda: _ctypes.dlclose(library._handle)


def bound(built: Built, directory: Path) -> Loaded:
    """The same, with references bound inside of the library."""
    return shared(built, directory, "-Wl,-Bsymbolic")


def mcjit(built: Built, directory: Path) -> Loaded:
    """llvmlite's execution engine."""
    binding, target = llvm(built)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), target.create_target_machine())
    for path in built.objects:
        engine.add_object_file(binding.ObjectFileRef.from_path(path))
    engine.finalize_object()
    engine.run_static_constructors()

    def unload() -> None:
        engine.run_static_destructors()
        engine.close()

    return engine.get_function_address, unload


def orc(built: Built, directory: Path, jitlink: bool = False) -> Loaded:
    """llvmlite's LLJIT with RuntimeDyld."""
    binding, target = llvm(built)
    machine = target.create_target_machine(jit=True)
    engine = binding.create_lljit_compiler(machine, use_jit_link=jitlink, suppress_errors=False)
    builder = binding.JITLibraryBuilder().add_current_process()
    names = ["check", "watch"] if built.unloads else ["check"]
    for path in built.objects:
        builder.add_object_file(path)
    for name in names:
        builder.export_symbol(name)
    tracker = builder.link(engine, "built")

    def unload() -> None:
        tracker.close()
        engine.close()

    return tracker.__getitem__, unload


def jitlink(built: Built, directory: Path) -> Loaded:
    """llvmlite's LLJIT with JITLink."""
    return orc(built, directory, jitlink=True)


def llvm(built: Built) -> Any:
    """llvmlite's binding and the machine's target."""
    if built.archives:
        raise Refused("llvmlite is not given archives")
    import llvmlite.binding as binding

    for name in (*USUAL, *(library_file(name) for name in built.libraries)):
        binding.load_library_permanently(name)
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding, binding.Target.from_default_triple()


def library_file(name: str, archive: bool = False) -> str:
    """Where gcc has the shared library that `-l NAME` means, or, if that will do, the archive."""
    if name == "m":
        return "libm.so.6"
    for suffix in (".so", ".a") if archive else (".so",):
        path = f"lib{name}{suffix}"
        ran = subprocess.run(["gcc", f"-print-file-name={path}"], capture_output=True, text=True, check=True)
        if ran.stdout.strip() != path:
            return ran.stdout.strip()
    raise Refused(f"there is only an archive of {name}, and llvmlite is not given archives")


def link(command: list[str], built: Built, output: str) -> None:
    """Objects, archives and libraries to a file of ld's."""
    files = [*built.objects, *built.archives, *(f"-l{name}" for name in built.libraries)]
    ran = subprocess.run([*command, *files, "-o", output], capture_output=True, text=True, check=False)
    if ran.returncode:
        from tests.matrix.feature import first_line

        raise Refused(first_line(ran.stderr))


def address_of(function: Any) -> int:
    """Where a function of ctypes is."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


IN_PROCESS: dict[str, Callable[[Built, Path], Loaded]] = {
    "rtlinker": rtlinker,
    "shared": shared,
    "symbolic": bound,
    "mcjit": mcjit,
    "runtimedyld": orc,
    "jitlink": jitlink,
}
"""Loaders that run in tests.matrix.child."""
