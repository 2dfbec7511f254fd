"""Haskell functions called with Python values of every type that is converted, and their results."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.support.child import CHECKOUT
from tests.support.haskell import ghc
from tests.support.haskell_values import BEGIN, VALUES


@pytest.fixture(scope="module", params=["shared", "static", "profiled"])
def holds(request, tmp_path_factory):
    """Runs claims about the functions of VALUES, as `f`, in one fresh process with each kind of runtime."""
    way = ("-static", "-prof", "-fprof-auto") if request.param == "profiled" else ()
    path = ghc(tmp_path_factory.mktemp("values"), VALUES, "-O1", *way)

    def run(claims: str) -> str:
        command = [sys.executable, "-X", "faulthandler", "-c", BEGIN + textwrap.dedent(claims), request.param, path]
        ran = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=120, check=False)
        assert not ran.returncode, f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    return run


def test_numbers_of_fixed_size_go_both_ways_at_their_limits(holds):
    holds("""
    assert f.add(2, -3) == -1
    assert f.add(2**63 - 1, 0) == 2**63 - 1 and f.add(-2**63, 0) == -2**63
    assert f.sizes((127, -2**15, 1, -2**63 + 1, 254, 2**16 - 1, 7)) == (-127, -2**15, -1, 2**63 - 1, 255, 0, 8)
    assert f.word(2**64 - 1, 2**64 - 2) == (0, 2**64 - 1)
    assert f.half(3) == 1.5 and f.half(float("inf")) == float("inf") and f.halfFloat(0.5) == 0.25
    """)


def test_integers_of_any_size_go_both_ways(holds):
    holds("""
    edges = [2**bits + step for bits in (0, 31, 62, 63, 64, 65, 127, 128, 1000, 100_000) for step in (-1, 0, 1)]
    for number in [*edges, *(-each for each in edges)]:
        assert f.minus(number) == -number, number
        assert f.isLarge(number) == (number > 2**62), number
    for number in edges:
        assert f.twice(number) == 2 * number
    assert f.fact(30) == 265252859812191058636308480000000
    """)


def test_texts_and_bytes_of_all_kinds_go_both_ways(holds):
    holds("""
    mixed = "a\\0ß€\\U0001f600"
    for text in ("", mixed, mixed * 20_000, "a" + "\\U0001f600" * 20_000):  # the last has a pair across two pieces
        assert f.rev(text) == text[::-1]
        assert f.upper(text) == text.upper()
        assert f.cut(text) == text[1:]
        assert f.upperLazy(text) == text.upper()
    for content in (b"", b"a", bytes(range(256)) * 500):
        assert f.bytes(content) == content[1:][::-1]
        assert f.bytesLazy(content) == content[::-1]
        assert f.bytesLazy(memoryview(content)) == content[::-1]
    assert f.rev("\\ud800") == "\\ud800"
    assert "surrogate" in refused(f.upper, "\\ud800")["reason"]
    """)


def test_lists_tuples_and_what_they_hold_go_both_ways(holds):
    holds("""
    expected = [[(i, str(i), None if i % 2 else float(i)) for i in range(1, m + 1)] for m in range(1, 41)]
    assert f.nested(40) == expected
    assert f.same(expected) == expected and f.same([]) == [] and f.same([[], []]) == [[], []]
    assert f.doubles(range(3)) == [0.0, 2.0, 4.0] and f.floats([0.5]) == [1.0]
    assert f.swap(Left(3)) == Right(-3) and f.swap(Right("ab")) == Left("ba")
    assert f.third(Fraction(1, 2)) == Fraction(1, 6) and f.third(3) == 1
    for inner in (None, Just(None), 7):
        assert f.turned((1, True, "x", 255, None, inner, 2**70)) == (2**70, inner, None, 255, "x", True, 1)
    """)


def test_what_goes_in_comes_out_the_same(holds):
    holds("""
    from hypothesis import given, settings, strategies as st
    ints = st.integers(-2**63, 2**63 - 1)
    rows = st.lists(st.lists(st.tuples(ints, st.text(), st.none() | st.floats(allow_nan=False)), max_size=5))
    fields = st.tuples(ints, st.booleans(), st.characters(), st.integers(0, 255), st.none(),
                       st.none() | st.just(Just(None)) | ints, st.integers())
    def always(strategy, claim):
        @settings(max_examples=100, deadline=None, database=None)
        @given(strategy)
        def check(value):
            assert claim(value)
        check()
    always(rows, lambda each: f.same(each) == each)
    always(fields, lambda each: f.turned(each)[::-1] == each)
    always(st.integers(), lambda each: f.minus(f.minus(each)) == each)
    always(st.text(st.characters(codec="utf-8")), lambda each: f.cut("x" + each) == each)
    always(st.text(), lambda each: f.rev(each) == each[::-1])
    always(st.binary(), lambda each: f.bytes(b"x" + each) == each[::-1])
    always(st.fractions(), lambda each: f.third(each) * 3 == each)
    always(st.lists(st.floats(allow_nan=False)), lambda each: f.doubles(each) == [2 * number for number in each])
    """)


def test_a_hundred_thousand_elements_need_no_deep_stack(holds):
    holds("""
    import resource
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))
    numbers = list(range(1, 100_001))
    assert f.upto(100_000) == numbers and f.total(numbers) == sum(numbers)
    assert f.rev("abcde" * 20_000) == "edcba" * 20_000
    assert f.same([[(n, "", None)] for n in range(30_000)])[-1] == [(29_999, "", None)]
    """)


def test_what_was_built_stays_where_it_is_until_something_runs(holds):
    holds("""
    heap = values.heap
    with heap:
        column = list(range(10_000))
        info = heap.constructor("ghc-prim", "GHC.Types", "I#")
        rounds = [heap.objects(info, [column], 1) for _ in range(200)]  # 32 MB, far beyond the nursery
        for pointers in rounds:
            assert heap.fields([each - 1 for each in pointers], 0) == column
    """)


def test_entering_the_heap_twice_is_refused_and_others_get_their_turn(holds):
    holds("""
    import threading
    with values.heap:
        try:
            with values.heap:
                raise AssertionError
        except LinkError as error:
            assert "at work in the haskell heap already" in error.headline
    found = []
    thread = threading.Thread(target=lambda: found.append(f.add(1, 2)), daemon=True)
    thread.start()
    thread.join(60)
    assert found == [3]
    """)


def test_a_pinned_array_does_not_move_and_others_do(holds):
    holds("""
    with values.heap as heap:
        places = [heap.byte_array(b"some bytes", pinned) for pinned in (True, False)]
        kept = [heap.keep(place) for place in places]
    f.collect()
    with values.heap as heap:
        now = [heap.kept(each) for each in kept]
        assert [heap.bytes_at(place, 5, heap.size_of(place) - 5) for place in now] == [b"bytes"] * 2
    assert now[0] == places[0] and heap.content_of(now[0]) % 16 == 0 and now[1] != places[1]
    """)


def test_values_survive_collections_that_move_them(holds):
    holds("""
    table = f.fromPairs([(str(n), n) for n in range(1_000)])
    for _ in range(20):
        f.collect()
        f.total(range(50_000))
        assert [f.look(table, str(n)) for n in (0, 999, 1_000)] == [0, 999, None]
    """)


def test_other_types_are_handles_that_are_checked_when_they_come_back(holds):
    holds("""
    table = f.fromPairs([("a", 1), ("b", 2)])
    assert type(table) is Handle and write(table.type) == "Data.Map.Internal.Map [Char] Int"
    assert f.look(table, "b") == 2 and f.look(table, "c") is None
    wrong = refused(f.look, f.handle("nats"), "b")
    assert wrong["expected"] == "Data.Map.Internal.Map [Char] Int" and "[Integer]" in wrong["given"]
    table.close()
    assert "closed" in refused(f.look, table, "b")["reason"]
    """)


def test_a_type_variable_stands_for_one_type_in_a_call(holds):
    holds("""
    table = f.fromPairs([("a", 1)])
    again = f.poly(table, f.handle("nats"))
    assert f.look(again, "a") == 1
    assert "not known" in refused(f.poly, 3, table)["reason"]
    """)


def test_functions_and_actions_that_haskell_returns_can_be_called(holds):
    holds("""
    count = f.counter(10)
    assert type(count) is HaskellFunction and count.arity == 1
    assert [count(1), count(2)] == [11, 13]
    f.collect()
    assert count(0) == 13
    assert [action() for action in f.actions] == [1, 2]
    """)


def test_an_infinite_list_is_refused_and_can_be_iterated(holds):
    holds("""
    values.limit = 10_000
    for endless in (f.handle("nats"), f.handle("ones")):
        try:
            values.value(endless)
        except LinkError as error:
            assert "infinite" in error.headline and "10,000" in str(error)
        else:
            raise AssertionError
    assert list(itertools.islice(values.iterate(f.handle("nats")), 5)) == [0, 1, 2, 3, 4]
    assert len(f.upto(10_000)) == 10_000
    """)


def test_an_exception_anywhere_in_a_result_is_raised_with_its_text(holds):
    holds("""
    for function, text in ((f.boom, "divide by zero"), (f.boomDeep, "deep7")):
        for _ in range(3):
            try:
                function(7)
            except ForeignExceptionError as error:
                assert error.language == "Haskell" and text in error.what
            else:
                raise AssertionError
    assert f.add(1, 2) == 3
    """)


@pytest.mark.parametrize(
    ("call", "expected", "given"),
    [
        ("f.add, 1, '2'", "Int", "str '2'"),
        ("f.add, 1, True", "Int", "bool True"),
        ("f.add, 1, 2**63", "Int", f"int {2**63}"),
        ("f.add, 1, 2.0", "Int", "float 2.0"),
        ("f.twice, -1", "Natural", "int -1"),
        ("f.rev, b'x'", "[Char]", "bytes b'x'"),
        ("f.upper, 1", "Text", "int 1"),
        ("f.bytes, 'x'", "ByteString", "str 'x'"),
        ("f.total, 'abc'", "[Int]", "str 'abc'"),
        ("f.total, [1, None]", "Int", "NoneType None"),
        ("f.same, [[(1, 2, None)]]", "[Char]", "int 2"),
        ("f.same, [[(1, 'a')]]", "(Int, [Char], Maybe Double)", "tuple (1, 'a')"),
        ("f.swap, 3", "Either Int [Char]", "int 3"),
        ("f.look, {}, 'a'", "Data.Map.Internal.Map [Char] Int", "dict {}"),
        ("f.mapPure, 3, [1]", "Int -> Int", "int 3"),
    ],
)
def test_what_does_not_fit_is_refused_with_both_types(holds, call, expected, given):
    assert holds(f"wrong = refused({call})\nprint(wrong['expected'], wrong['given'], sep='|')") == (
        f"{expected}|{given}\n"
    )


def test_a_wrong_number_of_arguments_is_refused_with_the_type(holds):
    holds("assert refused(f.add, 1) == {'type': 'Int -> Int -> Int', 'given': '1 argument'}")


def test_a_signature_that_lies_about_the_result_is_an_error_and_no_crash(holds):
    holds("""
    from rtlinker.haskell.parse import parse_type
    for name, lie in (("rev", "[Char] -> [Int]"), ("upto", "Int -> Integer"), ("nested", "Int -> [Int]"),
                      ("swap", "Either Int [Char] -> Maybe Int"), ("half", "Double -> Text")):
        function = values.handle(f.find(name).address, represented(parse_type(lie)))
        argument = {"rev": "a", "swap": Left(1)}.get(name, 3)
        assert refused(function, argument)["found"], name
    """)
