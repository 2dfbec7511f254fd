"""GHC's runtime, base and a user's module without any Haskell shared library."""

from __future__ import annotations

import pytest

from tests.support.haskell_runtime import BOOT, compile_haskell, python

GREETING = """module Test where
maFonction :: String -> IO ()
maFonction s = putStrLn $ "Hello " <> s
"""

GREET = """
load(*paths)
def greet(whom):
    with rts.held() as heap:
        heap.run(heap.apply(lookup("Test_maFonction_closure"), heap.text(whom)))
"""


@pytest.mark.parametrize("flags", [(), ("-dynamic",), ("-O2", "-fPIC")], ids=str)
def test_code_of_any_kind_prints_into_a_pipe(tmp_path, flags):
    path = compile_haskell(tmp_path, GREETING, *flags)
    assert python(BOOT + GREET + "greet('Haskell')", "static", path) == "Hello Haskell\n"


def test_no_haskell_library_is_loaded(tmp_path):
    path = compile_haskell(tmp_path, GREETING)
    script = BOOT + GREET + "greet('Haskell')\nrts.flush()\nprint('libHS' in open('/proc/self/maps').read())"
    assert python(script, "static", path) == "Hello Haskell\nFalse\n"


@pytest.mark.parametrize("kind", ["static", "shared"])
def test_text_of_any_alphabet_goes_in_and_out(tmp_path, kind):
    script = "with rts.held() as heap: print(ascii(heap.text_of(heap.text('aé€\\U0001f600'))))"
    assert python(BOOT + script, kind) == "'a\\xe9\\u20ac\\U0001f600'\n"


@pytest.mark.parametrize("kind", ["static", "shared"])
def test_an_exception_has_its_text_and_the_runtime_goes_on(kind):
    script = """
for _ in range(2):
    try:
        with rts.held() as heap:
            empty = rts.closure("ghczmprim_GHCziTypes_ZMZN_closure")
            heap.force(heap.apply(rts.closure("base_GHCziList_head_closure"), empty))
    except LinkError as error:
        print(type(error).__name__, error.language, error.what)
"""
    assert python(BOOT + script, kind) == "ForeignExceptionError Haskell Prelude.head: empty list\n" * 2


@pytest.mark.parametrize("kind", ["static", "shared"])
def test_an_interrupt_is_still_pythons(kind):
    script = """
import signal, _thread
rts.start()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
    assert python(BOOT + script, kind) == "interrupted True\n"


@pytest.mark.parametrize("kind", ["static", "shared"])
def test_a_second_runtime_is_refused(kind):
    script = """
rts.start()
try:
    Rts(rts.host).start()
except LinkError as error:
    print(error)
"""
    assert "haskell runtime is there already" in python(BOOT + script, kind)


def test_holding_the_heap_twice_is_refused():
    script = """
with rts.held():
    try:
        with rts.held(): pass
    except LinkError as error:
        print(str(error).splitlines()[0])
with rts.held() as heap: print(heap.take("Int", heap.make("Int", -3)))
"""
    assert python(BOOT + script, "static") == "this thread holds the haskell heap already\n-3\n"


ENVIRONMENT = """module Environment where
import System.Environment
import System.IO
look, change :: IO ()
look = getEnvironment >>= \\all -> print (lookup "RTL" all) >> hFlush stdout
change = setEnv "RTL" "haskell" >> look
"""


def test_both_languages_see_one_environment(tmp_path):
    """`environ` is a word of our own in the static runtime, and each setenv may move what libc's points to."""
    path = compile_haskell(tmp_path, ENVIRONMENT)
    script = """
load(*paths)
getenv = ctypes.CDLL(None).getenv
getenv.restype = ctypes.c_char_p
def run(name):
    with rts.held() as heap: heap.run(lookup(f"Environment_{name}_closure"))
run("look")
for number in range(200):
    os.environ[f"RTL{number}"] = "x"
os.environ["RTL"] = "python"
run("look")
run("change")
print(getenv(b"RTL").decode())
"""
    expected = 'Nothing\nJust "python"\nJust "haskell"\nhaskell\n'
    assert python(BOOT + script, "static", path) == expected


def test_threads_of_python_call_at_the_same_time(tmp_path):
    source = "module Sums where\ntotal :: Int -> Int\ntotal n = sum [1 .. n]\n"
    path = compile_haskell(tmp_path, source, "-O")
    script = """
from concurrent.futures import ThreadPoolExecutor
load(*paths)
with ThreadPoolExecutor(4) as pool:
    print(set(pool.map(lambda n: number("Sums_total_closure", 1000 + n % 2), range(200))))
"""
    assert python(BOOT + script, "static", path) in {"{500500, 501501}\n", "{501501, 500500}\n"}


def test_a_package_beyond_base_is_linked_when_it_is_needed(tmp_path):
    source = "module Maps where\nimport qualified Data.Map as Map\nlast' :: Int -> Int\n"
    source += "last' n = snd (Map.findMax (Map.fromList [(i, i * i) | i <- [1 .. n]]))\n"
    path = compile_haskell(tmp_path, source)
    script = """
packages = find_packages()
rts.host.need([packages.by_id[name] for name in packages.by_id if name.startswith("containers-")])
load(*paths)
print(number("Maps_lastzq_closure", 12))
"""
    assert python(BOOT + script, "static", path) == "144\n"
