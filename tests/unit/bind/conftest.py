"""C compiled on the spot: types from the object's debug information, calls into a shared library of the same source."""

from __future__ import annotations

import ctypes
import shutil
import subprocess

import pytest

from rtlinker.bind.call import Data, Function
from rtlinker.dwarf.reader import read_declarations

COMPILERS = [("gcc", "-gdwarf-4"), ("gcc", "-gdwarf-5"), ("clang", "-gdwarf-4"), ("clang", "-gdwarf-5")]


class Owner:
    """A library as the bind room sees it."""

    def __init__(self):
        self.closed = False
        self.kept = {}


class Native:
    """One source, compiled."""

    def __init__(self, folder, compiler, flags, source, suffix=".c"):
        if shutil.which(compiler) is None:
            pytest.skip(f"{compiler} is not installed")
        path = folder / f"source{suffix}"
        path.write_text(source)
        common = [compiler, "-w", "-fPIC", *flags, str(path)]
        subprocess.run([*common, "-g0", "-shared", "-o", str(folder / "source.so")], check=True)
        subprocess.run([*common, "-c", "-o", str(folder / "source.o")], check=True)
        self.library = ctypes.CDLL(str(folder / "source.so"))
        self.declarations = read_declarations((folder / "source.o").read_bytes(), "source.o")
        self.owner = Owner()

    def address(self, name):
        return ctypes.addressof(ctypes.c_char.in_dll(self.library, name))

    def __getattr__(self, name):
        found = self.declarations.function(name)
        if found is not None:
            return Function(self.address(name), found, name, self.owner)
        return Data(self.address(name), self.declarations.variable(name), name, self.owner)


@pytest.fixture(scope="session", params=COMPILERS, ids="".join)
def compiler(request):
    return request.param


@pytest.fixture(scope="session")
def build(tmp_path_factory, compiler):
    def build(source, *flags, suffix=".c"):
        name = {"gcc": "g++", "clang": "clang++"}[compiler[0]] if suffix == ".cc" else compiler[0]
        return Native(tmp_path_factory.mktemp("native"), name, [compiler[1], *flags], source, suffix)

    return build
