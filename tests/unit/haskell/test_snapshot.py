"""Interface files are found beside objects and archives, and known by their bytes."""

import pytest

from rtlinker.haskell import snapshot
from rtlinker.haskell.objects import read_haskell_file
from rtlinker.haskell.snapshot import Snapshot, interfaces_of
from tests.support.compile import run
from tests.support.haskell import ghc

MODULE = "module Data.Once where\none :: Int\none = 1\n"


def files(tmp_path, path):
    return [name for one in read_haskell_file(str(path)).objects for name in interfaces_of(one)]


@pytest.mark.parametrize("ending", ["o", "dyn_o", "v2.o"])
def test_the_interface_of_an_object_has_its_name_and_way(tmp_path, ending):
    path = tmp_path / "Data" / f"Once.{ending}"
    made = ghc(tmp_path, MODULE)
    made.rename(path)
    interface = made.with_suffix(".hi").rename(str(path)[:-1] + "hi")
    assert files(tmp_path, path) == [str(interface)]


def test_an_interface_of_the_plain_name_will_do(tmp_path):
    made = ghc(tmp_path, MODULE)
    path = made.rename(made.with_suffix(".dyn_o"))
    assert files(tmp_path, path) == [str(made.with_suffix(".hi"))]


def test_the_interfaces_of_an_archives_members_lie_below_its_directory(tmp_path):
    ghc(tmp_path, "module Two where\ntwo :: Int\ntwo = 2\n")
    ghc(tmp_path, MODULE)
    run("ar", "rcs", tmp_path / "libboth.a", tmp_path / "Two.o", tmp_path / "Data/Once.o")
    assert files(tmp_path, tmp_path / "libboth.a") == [str(tmp_path / name) for name in ("Two.hi", "Data/Once.hi")]


def test_what_an_interface_said_stays_known_when_the_file_changes(tmp_path):
    path = ghc(tmp_path, MODULE)
    found = read_haskell_file(str(path)).objects
    before = Snapshot.of(found)
    (first,) = before.interfaces("ghc")
    ghc(tmp_path, MODULE.replace("Int", "Word"))
    (second,) = Snapshot.of(found).interfaces("ghc")
    assert [each.exports["one"].name for each in (first, second)] == ["Int", "Word"]
    assert before.interfaces("no such program") == (first,)


def test_only_the_newest_interfaces_are_known(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "KNOWN", 2)
    path = ghc(tmp_path, MODULE)
    for kind in ("Int", "Word", "Double"):
        ghc(tmp_path, MODULE.replace("Int", kind))
        Snapshot.of(read_haskell_file(str(path)).objects).interfaces("ghc")
    assert len(snapshot._known) == 2
