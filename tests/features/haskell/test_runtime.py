"""`rtlinker.haskell.Runtime` from Python: modules, names, errors, output."""

from tests.support.haskell import ghc, python

CALC = """
module Calc where
import Data.IORef
import System.IO
total :: [Int] -> Int
total = sum
answer :: Int
answer = 42
shout :: String -> IO ()
shout s = putStr (s ++ "! ")
warn :: String -> IO ()
warn = hPutStrLn stderr
total' :: Int
total' = 1
failing :: IO Int
failing = ioError (userError "no luck")
close :: Int
close = 7
nats :: [Int]
nats = [0 ..]
"""
PRELUDE = """
import rtlinker
from rtlinker import LinkError, SignatureError, UndefinedSymbolsError
from rtlinker.haskell import Runtime
"""


def test_functions_actions_and_values_are_attributes(tmp_path):
    ghc(tmp_path, CALC)
    told = python(
        PRELUDE
        + """
with rtlinker.haskell.Runtime() as haskell:
    calc = haskell.load("Calc.o")
    print(calc.total([1, 2, 3]), calc.answer, calc["total'"], calc["Calc.total"]([4]), calc["Calc_answer_closure"])
    print(sorted({"total", "answer", "shout"} & set(dir(calc))), calc["close"], calc)
    print(calc.shout, calc.handle("nats"))
        """,
        tmp_path,
    ).stdout
    assert told.splitlines() == [
        "6 42 1 4 42",
        "['answer', 'shout', 'total'] 7 <rtlinker.haskell.Module Calc>",
        "<Haskell value of type [Char] -> IO ()> <Haskell value of type [Int]>",
    ]


def test_what_python_and_haskell_print_comes_in_its_order(tmp_path):
    ghc(tmp_path, CALC)
    program = """
with Runtime() as haskell:
    calc = haskell.load("Calc.o")
    for word in ("a", "b"):
        print(word, end=" ")
        calc.shout(word)
    print("end")
    """
    assert python(PRELUDE + program, tmp_path).stdout == "a a! b b! end\n"


def test_a_haskell_exception_is_raised_with_its_text(tmp_path):
    ghc(tmp_path, CALC)
    program = """
with Runtime() as haskell:
    calc = haskell.load("Calc.o")
    for _ in range(3):
        try:
            calc.failing()
        except rtlinker.ForeignExceptionError as error:
            print(error.language, error.what)
    print(calc.answer)
    """
    assert python(PRELUDE + program, tmp_path).stdout == "Haskell user error (no luck)\n" * 3 + "42\n"


def test_a_module_gives_its_names_back(tmp_path):
    ghc(tmp_path, CALC)
    program = """
with Runtime() as haskell:
    calc = haskell.load("Calc.o")
    calc.total([1])
    calc.unload()
    for name in ("total", "answer"):
        try:
            getattr(calc, name)
        except LinkError as error:
            print(error.headline)
    calc = haskell.load("Calc.o")
    print(calc.total([1, 2]))
try:
    calc.total([1])
except LinkError as error:
    print(error.headline)
with Runtime() as haskell:
    print(haskell.load("Calc.o").answer)
    """
    told = "haskell module was unloaded\n" * 2 + "3\nhaskell module was unloaded\n42\n"
    assert python(PRELUDE + program, tmp_path).stdout == told


def test_unknown_names_are_attribute_errors_with_a_suggestion(tmp_path):
    ghc(tmp_path, CALC)
    program = """
calc = Runtime().load("Calc.o")
print(hasattr(calc, "nothing"))
try:
    calc["totel"]
except UndefinedSymbolsError as error:
    print(error)
    """
    told = python(PRELUDE + program, tmp_path).stdout
    assert told.startswith("False\nno such symbol\n")
    assert "did you mean total" in told


def test_signatures_are_checked_before_anything_runs(tmp_path):
    ghc(tmp_path, CALC)
    program = """
calc = Runtime().load("Calc.o")
for call in (
    lambda: calc.handle("total", "Int -> Int"),
    lambda: calc.shout(3),
    lambda: calc.shout(),
):
    try:
        call()
    except SignatureError as error:
        print(error.headline)
    """
    assert python(PRELUDE + program, tmp_path).stdout.splitlines() == [
        "the signature is not the value's type",
        "a value that does not fit its Haskell type",
        "a wrong number of arguments",
    ]


def test_the_static_runtime_runs_code_of_both_kinds(tmp_path):
    ghc(tmp_path, CALC, "-static")
    ghc(tmp_path, "module Other where\nother :: Int -> Int\nother = (* 2)\n", "-dynamic")
    program = """
haskell = Runtime("static")
print(haskell.load("Calc.o").total([1, 2]), haskell.load("Other.o").other(4))
print([library for library in open("/proc/self/maps").read().split() if "libHS" in library])
    """
    assert python(PRELUDE + program, tmp_path).stdout == "3 8\n[]\n"


def test_a_second_kind_of_runtime_is_refused(tmp_path):
    ghc(tmp_path, CALC)
    ghc(tmp_path, "module Other where\nother :: Int -> Int\nother n = product [1 .. n]\n", "-static")
    program = """
haskell = Runtime()
calc = haskell.load("Calc.o")
for refused in (lambda: haskell.load("Other.o"), lambda: Runtime("static")):
    try:
        refused()
    except LinkError as error:
        print(error)
print(calc.total([1, 2]))
    """
    told = python(PRELUDE + program, tmp_path).stdout
    assert told.count("haskell runtime of another kind is there already") == 2
    assert told.count("compile with -dynamic") == 2
    assert told.endswith("\n3\n")


def test_failed_loads_change_nothing(tmp_path, compile):
    ghc(tmp_path, CALC)
    missing = compile(".data\n.globl Bad_f_closure\nBad_f_closure: .quad acmezm1_Acme_f_closure", "asm")
    plain = compile("int f(void) { return 1; }")
    (tmp_path / "text.o").write_text("no object\n")
    program = f"""
haskell = Runtime()
for _ in range(10):
    for path in ({str(missing)!r}, {str(plain)!r}, "text.o"):
        try:
            haskell.load(path)
        except LinkError as error:
            print(type(error).__name__)
print(haskell.load("Calc.o").answer)
    """
    errors = "UndefinedSymbolsError\nBadObjectError\nBadObjectError\n"
    assert python(PRELUDE + program, tmp_path).stdout == errors * 10 + "42\n"


def test_several_modules_of_a_program_are_one(tmp_path):
    ghc(tmp_path, "module B where\nvalue :: Int\nvalue = 1\ntwice :: Int -> Int\ntwice = (* 2)\n")
    ghc(tmp_path, "module A where\nimport qualified B\nvalue :: Int\nvalue = B.twice B.value\n")
    program = """
module = Runtime().load("A.o")
print(module.names, module.value, module["B.value"], module.twice(4))
both = module.find("B.value")
    """
    assert python(PRELUDE + program, tmp_path).stdout == "('A', 'B') 2 1 8\n"


def test_calls_from_many_threads(tmp_path):
    ghc(tmp_path, CALC)
    program = """
import threading
calc = Runtime().load("Calc.o")
found = []
def work(number):
    for _ in range(200):
        found.append(calc.total([number, 1]) == number + 1)
threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(found), all(found))
    """
    assert python(PRELUDE + program, tmp_path).stdout == "1600 True\n"


def test_a_failed_load_closes_the_libraries_that_it_opened(tmp_path, compile, shared):
    """Ten times, and in between a load that works with the same library."""
    ghc(tmp_path, 'module Own where\nforeign import ccall "from_library" own :: Int -> Int\n')
    missing = compile(".data\n.globl Bad_f_closure\nBad_f_closure: .quad acmezm1_Acme_f_closure", "asm", name="Bad.o")
    shared("long from_library(long n) { return n + 1; }", "libown.so")
    program = f"""
haskell = Runtime("shared")
there = lambda: "libown.so" in open("/proc/self/maps").read()
linker = haskell.machine_for("shared").rts.host.linker
def fail():
    try:
        haskell.load({str(missing)!r}, libraries=["own"], directories=["."])
    except UndefinedSymbolsError:
        return there(), len(linker.collected()[1])
print({{fail() for _ in range(10)}})
own = haskell.load("Own.o", libraries=["own"], directories=["."])
fail()
print(own.own(1), there())
    """
    assert python(PRELUDE + program, tmp_path).stdout == "{(False, 0)}\n2 True\n"


def test_what_an_unloaded_module_imported_is_found_again(tmp_path):
    ghc(tmp_path, "module B where\nvalue :: Int\nvalue = 20\n")
    ghc(tmp_path, "module A where\nimport B\nanswer :: Int -> Int\nanswer n = n + B.value\n")
    program = """
haskell = Runtime()
for _ in range(3):
    module = haskell.load("A.o")
    print(module.names, module.answer(1), len(haskell.modules))
    module.unload()
print(haskell.modules)
    """
    assert python(PRELUDE + program, tmp_path).stdout == "('A', 'B') 21 1\n" * 3 + "[]\n"


def test_a_function_of_an_unloaded_module_is_closed(tmp_path):
    ghc(tmp_path, CALC)
    program = """
haskell = Runtime()
calc = haskell.load("Calc.o")
total, nats = calc.total, calc.handle("nats")
calc.unload()
values = haskell.machine_for("shared").values
for call in (lambda: total([1]), lambda: values.value(nats), lambda: values.iterate(nats)):
    try:
        call()
    except LinkError as error:
        print(error.headline)
print(haskell.load("Calc.o").total([2]))
    """
    assert python(PRELUDE + program, tmp_path).stdout == "haskell handle is closed\n" * 3 + "2\n"
