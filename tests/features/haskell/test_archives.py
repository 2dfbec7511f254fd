"""Archives of Haskell modules: by `ar`, and as Cabal makes them for a package."""

from __future__ import annotations

import pytest

from rtlinker.haskell.names import encode
from tests.support.compile import run
from tests.support.haskell import ghc, python

WAYS = pytest.mark.parametrize("way", ["-dynamic", "-static", "-static -prof"])
BELOW = "module Data.Below where\nbelow :: Int -> Int\nbelow n = n * 2\n"
ABOVE = "module Above where\nimport Data.Below\nabove :: Int -> IO ()\nabove n = print (below n + STEP)\n"


def library(tmp_path, *flags, step="1", more=()):
    below = ghc(tmp_path, BELOW, *flags)
    above = ghc(tmp_path, ABOVE.replace("STEP", step), *flags)
    path = tmp_path / "libboth.a"
    path.unlink(missing_ok=True)
    run("ar", "rcs", path, above, below, *more)
    for made in (above, below):
        made.unlink()
    return path


@WAYS
@pytest.mark.parametrize("words", [["above", "4"], ["Data.Below.below", "4"]])
def test_modules_of_an_archive_are_called_by_name(rtlinker_command, tmp_path, way, words):
    library(tmp_path, *way.split())
    shown = "9\n" if words[0] == "above" else "8\n"
    assert rtlinker_command("load", "libboth.a", *words, cwd=tmp_path) == (0, shown, "")


def test_an_object_finds_its_modules_in_an_archive(rtlinker_command, tmp_path):
    user = "module User where\nimport Above\nuser :: IO ()\nuser = above 10\n"
    library(tmp_path)
    ghc(tmp_path, user)
    for given in (["-w", "libboth.a"], ["-l", "both", "-L", "."]):
        assert rtlinker_command("load", "User.o", "user", *given, cwd=tmp_path) == (0, "21\n", "")


def test_members_in_c_are_linked_when_haskell_asks_for_them(rtlinker_command, compile, tmp_path):
    ghc(tmp_path, 'module Own where\nforeign import ccall "add_one" addOne :: Int -> Int\n')
    compile("long add_one(long number) { return number + 1; }", flags="-fPIC", name="own.o")
    compile("long nobody(void); long unneeded(void) { return nobody(); }", flags="-fPIC", name="unneeded.o")
    run("ar", "rcs", "libown.a", "Own.o", "own.o", "unneeded.o", cwd=tmp_path)
    assert rtlinker_command("load", "libown.a", "addOne", "4", cwd=tmp_path) == (0, "5\n", "")


def test_a_thin_archive_is_one_too(rtlinker_command, tmp_path):
    ghc(tmp_path, BELOW)
    ghc(tmp_path, ABOVE.replace("STEP", "3"))
    run("ar", "rcsT", "libthin.a", "Above.o", "Data/Below.o", cwd=tmp_path)
    assert rtlinker_command("load", "libthin.a", "above", "1", cwd=tmp_path) == (0, "5\n", "")


def test_an_archive_is_loaded_reloaded_and_unloaded_as_a_whole(tmp_path):
    library(tmp_path, "-dynamic")
    program = """
import subprocess, sys
from pathlib import Path
from rtlinker import LinkError
from rtlinker.haskell import Runtime
haskell = Runtime()
both = haskell.load("libboth.a")
print(both.names, both.objects, both.title)
both.above(1)
Path("Above.hs").write_text(Path("Above.hs").read_text().replace("+ 1", "+ 100"))
subprocess.run(["ghc", "-v0", "-i.", "-dynamic", "-c", "Data/Below.hs", "Above.hs"], check=True)
subprocess.run(["ar", "rcs", "libboth.a", "Above.o"], check=True)
both.reload()
both.above(1)
print(both.below(4))
both.unload()
print(haskell.kept, both.linker.lookup("Above_above_closure"))
print(haskell.load("libboth.a").below(5))
"""
    assert python(program, tmp_path).stdout.splitlines() == [
        "('Above', 'Data.Below') ('libboth.a',) libboth.a",
        "3",
        "102",
        "8",
        "() None",
        "10",
    ]


CABAL = """
cabal-version: 2.0
name: acme
version: 0.1
build-type: Simple
library
  exposed-modules: Acme, Acme.Deep
  build-depends: base, containers
  c-sources: cbits.c
  default-language: Haskell2010
"""


def test_the_archive_of_a_package_that_cabal_built(rtlinker_command, tmp_path):
    (tmp_path / "acme.cabal").write_text(CABAL)
    (tmp_path / "Setup.hs").write_text("import Distribution.Simple\nmain = defaultMain\n")
    (tmp_path / "cbits.c").write_text("long acme_c(long n) { return n + 1000; }\n")
    (tmp_path / "Acme.hs").write_text(
        "module Acme where\nimport Acme.Deep\nimport qualified Data.Map as Map\n"
        "acme :: Int -> String\nacme n = show (Map.toList (Map.fromList [(n, deep n)]))\n"
    )
    (tmp_path / "Acme").mkdir()
    (tmp_path / "Acme/Deep.hs").write_text(
        'module Acme.Deep where\nforeign import ccall "acme_c" c :: Int -> Int\ndeep :: Int -> Int\ndeep = c\n'
    )
    for words in (["configure", "-v0", "--disable-optimization"], ["build", "-v0"]):
        run("runghc", "Setup.hs", *words, cwd=tmp_path)
    (path,) = [each for each in (tmp_path / "dist/build").glob("libHSacme*.a") if not each.stem.endswith("_p")]
    unit = encode(path.stem.removeprefix("libHS"))
    for name in ("acme", "Acme.acme", f"{unit}_Acme_acme_closure"):
        assert rtlinker_command("load", path, name, "7") == (0, "[(7,1007)]\n", "")
    assert rtlinker_command("load", path, "Acme.Deep.deep", "1") == (0, "1001\n", "")


def test_an_archive_of_c_with_a_closure_is_c(rtlinker_command, compile, archive, tmp_path):
    path = archive("libc_like.a", compile("int make_closure(int n) { return n + 1; } int f_closure;", flags="-g"))
    assert rtlinker_command("load", path, "make_closure", "1") == (0, "2\n", "")
