"""Threads of Python that call, load and look up at the same time wait for each other, and not for ever."""

from __future__ import annotations

import pytest

from tests.support.haskell import ghc, python

SOURCE = """
module Many where
mapIO :: (Int -> IO Int) -> [Int] -> IO [Int]
mapIO = mapM
same :: a -> a
same x = x
""" + "".join(f"f{n} :: Int -> Int\nf{n} = (+ {n})\n" for n in range(200))

BEGIN = """
import sys, threading
from rtlinker.haskell import Runtime
haskell = Runtime(KIND)
many = haskell.load("Many.o")

def together(*works):
    wrong = []
    def run(work):
        try:
            work()
        except BaseException as error:
            wrong.append(repr(error))
    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    print("stuck" if any(thread.is_alive() for thread in threads) else wrong)
    sys.stdout.flush()
"""
KINDS = pytest.mark.parametrize("kind", ["shared", "static"])


@KINDS
def test_a_callback_may_look_names_up_while_another_thread_does(tmp_path, kind):
    """The one has the turn and wants to link, the other links and wants the turn."""
    ghc(tmp_path, SOURCE)
    program = """
def call():
    for n in range(0, 200, 2):
        assert many.mapIO(lambda m: getattr(many, f"f{n}")(m), [1]) == [n + 1]
def look():
    for n in range(1, 200, 2):
        assert getattr(many, f"f{n}")(1) == n + 1
together(call, look)
"""
    assert python(BEGIN.replace("KIND", repr(kind)) + program, tmp_path).stdout == "[]\n"


@KINDS
def test_packages_come_in_while_others_load_and_call(tmp_path, kind):
    """A type that the module does not know of brings its package: no heap may be held then."""
    ghc(tmp_path, SOURCE)
    for n in range(8):
        ghc(tmp_path, f"module L{n} where\nl{n} :: Int -> Int\nl{n} = (+ {n})\n")
    program = """
def texts():
    for n in range(20):
        assert many.handle("same", "Text -> Text" if n % 2 else "ByteString -> ByteString")("ab" if n % 2 else b"ab")
        many._handles.clear()
def loads():
    for _ in range(3):
        modules = [haskell.load(f"L{n}.o") for n in range(8)]
        assert [module[f"l{n}"](1) for n, module in enumerate(modules)] == list(range(1, 9))
        for module in modules:
            module.unload()
def calls():
    for n in range(100):
        assert many.mapIO(lambda m: m, [n]) == [n]
together(texts, loads, calls)
print(haskell.kept)
"""
    assert python(BEGIN.replace("KIND", repr(kind)) + program, tmp_path).stdout == "[]\n()\n"
