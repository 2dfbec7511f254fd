"""Errors survive pickling, so that they come back from multiprocessing and concurrent.futures as they are."""

import pickle

import pytest

import rtlinker
from rtlinker.errors import UndefinedSymbol

ERRORS = [
    rtlinker.LinkError("headline", [("label", "text")], "hint"),
    rtlinker.BadObjectError("a.o", "headline", "found", "where"),
    rtlinker.UnsupportedError("feature", "headline"),
    rtlinker.UndefinedSymbolsError([UndefinedSymbol("name", ["a.o:(.text+0x1) in f"], "hint")]),
    rtlinker.DuplicateSymbolError([("name", "a.o", "b.o")]),
    rtlinker.RelocationError("headline", "site", "rule", "target"),
    rtlinker.RelocationOverflowError("site", "rule", "target", 1 << 40, 3),
    rtlinker.SignatureError("headline", "int f(int)"),
    rtlinker.ReloadError("build", "headline"),
    rtlinker.CrashError(11, "headline", address=0x1234),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_from_pickle_as_it_was(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert repr(vars(copy)) == repr(vars(error))
