"""rtlinker's column of docs/features.md; `make features` has the others."""

import ctypes
import importlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

import rtlinker
from tests.matrix import page
from tests.matrix.child import use
from tests.matrix.feature import build
from tests.matrix.features import FEATURES
from tests.matrix.loaders import library_file

WORKING = [row for row in FEATURES if not row.refused]
REFUSED = [row for row in FEATURES if row.refused]


@pytest.fixture(scope="module")
def built(request, tmp_path_factory):
    """The objects of all features that this run asks for, by several compilers at a time.

    What a link imports is imported here once, and not by each of several hundred children.
    """
    for name in ("rtlinker.api", "rtlinker.link.relocate", "rtlinker.link.native", "rtlinker.live.install"):
        importlib.import_module(name)
    wanted = {
        item.callspec.params["row"].name: item.callspec.params["row"]
        for item in request.session.items
        if item.module is request.module and hasattr(item, "callspec")
    }
    directories = {name: tmp_path_factory.mktemp("feature") for name in wanted}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = pool.map(lambda name: build(wanted[name], directories[name]), wanted)
        return {name: (objects, directories[name]) for name, objects in zip(wanted, made)}


@pytest.mark.parametrize("row", WORKING, ids=lambda row: row.name)
def test_it_works(built, in_child, row):
    assert in_child(use, "rtlinker", *built[row.name]) == ""


def with_engine(engine, objects):
    """What check() returns when the objects are linked by one engine; everything is given back."""
    with rtlinker.Linker(engine=engine) as linker:
        for path in objects.objects:
            linker.load_object(path)
        for path in objects.archives:
            linker.load_archive(path)
        for path in (library_file(name, archive=True) for name in objects.libraries):
            (linker.load_archive if path.endswith(".a") else linker.load_library)(path)
        linker.resolve()
        return ctypes.CFUNCTYPE(ctypes.c_int)(linker.lookup("check"))()


@pytest.mark.parametrize("row", WORKING, ids=lambda row: row.name)
def test_it_works_again_after_an_unload_with_each_engine(built, in_child, row):
    def lives():
        return [with_engine(engine, built[row.name][0]) for engine in ("scalar", "native", "scalar")]

    assert in_child(lives) == [1, 1, 1]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.name)
def test_it_is_refused_on_purpose(built, in_child, row):
    with pytest.raises(rtlinker.LinkError):
        in_child(use, "rtlinker", *built[row.name])


def test_names_are_different():
    assert len({row.name for row in FEATURES}) == len(FEATURES)


def test_the_page_has_every_feature_with_rtlinkers_result():
    text = page.PAGE.read_text()
    lines = [f"| {row.name.replace('|', '/')} | {'refuses' if row.refused else 'yes'} |" for row in FEATURES]
    assert [line for line in lines if line not in text] == []
